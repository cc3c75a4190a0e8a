//! The command `policy schema`, which prints the JSON Schema of policy.toml for editors, with the names
//! of this server's tools, resources and prompts.

use crate::{
    cli::Verdict,
    policy::{Registry, lint, schema::json_schema},
};

pub(super) fn schema(registry: &Registry) -> Verdict {
    out_raw!("{:#}\n", json_schema(&lint::changeable().collect::<Vec<_>>(), registry));
    Verdict::Good
}
