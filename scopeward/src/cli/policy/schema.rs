//! The command `policy schema`, which prints the JSON Schema of policy.toml for editors.

use crate::{
    cli::Verdict,
    policy::{lint, schema::json_schema},
};

pub(super) fn schema() -> Verdict {
    println!("{:#}", json_schema(&lint::changeable().collect::<Vec<_>>()));
    Verdict::Good
}
