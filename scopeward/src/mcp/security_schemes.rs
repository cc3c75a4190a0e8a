//! The `securitySchemes` of listed tools: the scopes that each needs, by which `ChatGPT` asks for them.
//!
//! The key stands in `_meta` and at the top level of a tool. rmcp's type of a tool has no room for the
//! second, so it is written into the finished answer.

use axum::{body::Body, response::Response};
use http::header;
use serde_json::{Value, json};

use crate::policy::{CompiledPolicy, Decision, Operation, Scope, ScopeSet};

/// The key, in `_meta` and at the top level of a tool.
const KEY: &str = "securitySchemes";

/// Marks a request whose answer is a list of tools.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListsTools;

/// The key and its value for the `_meta` of a tool: OAuth with every scope that the tool's rule needs,
/// or nothing for a tool that needs no token.
pub(super) fn of_tool(policy: &CompiledPolicy, name: &str) -> (String, Value) {
    let operation = Operation::tool(name);
    let nobody = ScopeSet::anonymous();
    let without = json!({ "type": "noauth" });
    if policy.decide(operation, &nobody).is_allow() {
        return (KEY.to_owned(), json!([without]));
    }
    let needed = needed(policy, operation);
    let scopes: Vec<_> = needed.iter().map(|scope| policy.asked_as(scope)).collect();
    let with = json!({ "type": "oauth2", "scopes": scopes });
    // A condition asks some calls for a token.
    let is_for_some = policy.decide(operation.for_some_arguments(), &nobody).is_allow();
    let schemes = if is_for_some { json!([without, with]) } else { json!([with]) };
    (KEY.to_owned(), schemes)
}

/// The scopes that an operation needs of a caller that holds none.
pub(super) fn needed(policy: &CompiledPolicy, operation: Operation<'_>) -> Vec<Scope> {
    match policy.decide(operation.for_some_arguments(), &policy.hold([])) {
        Decision::Deny(denial) => denial.required().cloned().collect(),
        Decision::Allow(_) | Decision::Unknown => vec![],
    }
}

/// The answer with the key at the top level of each tool as well. An answer that cannot be read stays
/// as it is.
pub(crate) async fn lift(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    // Our own list, which has at most a page of tools, so it needs no bound.
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let kind = parts.headers.get(header::CONTENT_TYPE).map(header::HeaderValue::as_bytes);
    let is_stream = kind.is_some_and(|kind| kind.starts_with(b"text/event-stream"));
    let lifted = if is_stream { lift_events(&body) } else { lift_message(&body) };
    match lifted {
        None => Response::from_parts(parts, Body::from(body)),
        Some(lifted) => {
            parts.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(parts, Body::from(lifted))
        }
    }
}

/// The lines of an event stream, of which those with data are messages.
fn lift_events(body: &[u8]) -> Option<String> {
    let mut lifted = String::with_capacity(body.len() * 2);
    for line in str::from_utf8(body).ok()?.split_inclusive('\n') {
        let message = line.strip_prefix("data:").map(str::trim);
        match message.and_then(|message| lift_message(message.as_bytes())) {
            Some(message) => {
                lifted.push_str("data: ");
                lifted.push_str(&message);
                lifted.push('\n');
            }
            None => lifted.push_str(line),
        }
    }
    Some(lifted)
}

fn lift_message(body: &[u8]) -> Option<String> {
    let mut message: Value = serde_json::from_slice(body).ok()?;
    for tool in message.pointer_mut("/result/tools")?.as_array_mut()? {
        let schemes = tool.pointer(&format!("/_meta/{KEY}")).cloned();
        if let (Some(tool), Some(schemes)) = (tool.as_object_mut(), schemes) {
            tool.entry(KEY).or_insert(schemes);
        }
    }
    serde_json::to_string(&message).ok()
}
