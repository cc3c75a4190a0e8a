//! `policy schema`: the JSON Schema, for editors.

use crate::{
    cli::Verdict,
    policy::{lint, schema::json_schema},
};

pub(super) fn schema() -> Verdict {
    println!("{:#}", json_schema(&lint::changeable().collect::<Vec<_>>()));
    Verdict::Good
}
