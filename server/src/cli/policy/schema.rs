//! `policy schema`: the JSON Schema, for editors.

use crate::{cli::Verdict, policy::schema::json_schema};

pub(super) fn schema() -> Verdict {
    println!("{:#}", json_schema());
    Verdict::Good
}
