//! Reports about what is on record of a call.

use serde_json::{Value, json};

use super::Report;
use crate::{
    availability::until,
    harness::{POLICY, Server, stdout},
    standin::Provider,
};

/// Members of a JSON object.
type Members = fn() -> Value;

/// The claims of a token, and the fields of the record of its call.
const REPORTS: &[Report<Members, Members>] = &[
    Report {
        source: "ToolHive 6331, 6353, 6364: a token that an agent exchanged names its actor in `act`",
        input: || json!({ "sub": "ada", "act": { "sub": "agent-7" } }),
        expected: || json!({ "subject": "ada", "act": [{ "sub": "agent-7" }] }),
    },
    Report {
        source: "ToolHive 6364: a chain of two agents, the current one first",
        input: || {
            json!({ "sub": "ada", "act": { "sub": "agent-7", "act": { "sub": "planner",
                "iss": "https://agents.example" } } })
        },
        expected: || {
            json!({ "subject": "ada", "act": [{ "sub": "agent-7" },
                { "sub": "planner", "iss": "https://agents.example" }] })
        },
    },
    Report {
        source: "Scalekit, launch checklist: the client is named, as `m2m_…` where it registered itself",
        input: || json!({ "client_id": "m2m_42" }),
        expected: || json!({ "client": "m2m_42", "decision": "allow" }),
    },
];

#[test]
fn the_reports_about_records() {
    let provider = Provider::start();
    let policy = format!("provider = \"oidc\"\nissuer = \"{}\"", provider.url);
    let policy = POLICY.replace("provider = \"embedded\"", &policy);
    for Report { source, input, expected } in REPORTS {
        let server = Server::with_policy(&policy);
        let mut claims = json!({ "iss": provider.url, "aud": server.url() });
        claims.as_object_mut().unwrap().extend(input().as_object().unwrap().clone());
        server.call(&provider.token(&claims), "list_todos", &json!({})).result();
        let query = || {
            let mut command = server.command();
            stdout(&command.args(["audit", "query", "--format", "json"]).output().unwrap())
        };
        until("the call is on record", || query().lines().count() == 1);
        let record: Value = serde_json::from_str(query().trim()).unwrap();
        for (field, value) in expected().as_object().unwrap() {
            assert_eq!(&record[field], value, "{source}: {record:#}");
        }
    }
}
