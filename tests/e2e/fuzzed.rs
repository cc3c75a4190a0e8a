//! Runs the fuzz targets on the committed inputs: the seeds, and inputs that failed once.

use std::{fs, path::Path};

#[path = "../../fuzz/targets/authorization_header.rs"]
mod authorization_header;
#[path = "../../fuzz/targets/consent_form.rs"]
mod consent_form;
#[path = "../../fuzz/targets/issuer_world.rs"]
mod issuer_world;
#[path = "../../fuzz/targets/json_rpc_body.rs"]
mod json_rpc_body;
#[path = "../../fuzz/targets/jwt.rs"]
mod jwt;
#[path = "../../fuzz/targets/policy_condition.rs"]
mod policy_condition;
#[path = "../../fuzz/targets/policy_lint.rs"]
mod policy_lint;
#[path = "../../fuzz/targets/policy_text.rs"]
mod policy_text;
#[path = "../../fuzz/targets/registration_body.rs"]
mod registration_body;

fn over(target: &str, run: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let mut count = 0;
    for kept in ["seeds", "found"] {
        // `found/` does not exist while no input has failed.
        let Ok(entries) = fs::read_dir(root.join(kept).join(target)) else { continue };
        for entry in entries {
            run(&fs::read(entry.unwrap().path()).unwrap());
            count += 1;
        }
    }
    assert!(count > 1, "there are no inputs for {target}");
}

#[test]
fn every_committed_input() {
    over("authorization_header", authorization_header::run);
    over("consent_form", consent_form::run);
    over("json_rpc_body", json_rpc_body::run);
    over("jwt", jwt::run);
    over("policy_condition", policy_condition::run);
    over("policy_lint", policy_lint::run);
    over("policy_text", policy_text::run);
    over("registration_body", registration_body::run);
}
