//! Begins and ends the records of what the handler runs.

use rmcp::{
    ErrorData,
    model::{CallToolResponse, CallToolResult, Extensions},
};

use super::{
    plain_call::PlainCall,
    refusal::{Refusal, UNAVAILABLE},
};
use crate::{
    identity::Principal,
    policy::{Decision, Feature, Operation},
    record::audit::{
        Denied, NotRecorded, Outcome, Recorder,
        grant::{AllRunning, Grants},
    },
};

/// Records that a request begins which the gate let through. A request without a gate has no record.
///
/// # Errors
///
/// The policy requires a record, and the record cannot be written. The gate turns this error into 503.
pub(super) async fn begin(extensions: &Extensions) -> Result<AllRunning, ErrorData> {
    let grants = grants_of(extensions);
    grants.begin().await.map_err(|NotRecorded| {
        ErrorData::new(UNAVAILABLE, "the call cannot be recorded, and the policy requires it", None)
    })
}

/// The grants of a request. The gate puts them among the HTTP request's parts.
fn grants_of(extensions: &Extensions) -> Grants {
    let Some(parts) = extensions.get::<http::request::Parts>() else { return Grants::None };
    if let Some(grants) = parts.extensions.get::<Grants>() {
        return grants.clone();
    }
    let plain = parts.extensions.get::<PlainCall>();
    plain.and_then(PlainCall::grant).cloned().map_or(Grants::None, Grants::One)
}

/// Records the refusal of a tool that asked for more scopes in the middle of its call.
pub(super) fn record_refusal(
    answer: &Result<CallToolResponse, ErrorData>,
    caller: Option<&Principal>,
    recorder: &Recorder,
) {
    let (Ok(CallToolResponse::Complete(result)), Some(caller)) = (answer, caller) else { return };
    let Some(refusal) = Refusal::by_tool(result) else { return };
    let operation = Operation::tool(&refusal.name).for_some_arguments();
    let rule = match caller.may(operation) {
        Decision::Allow(rule) => Some(rule),
        Decision::Deny(denial) => Some(denial.rule()),
        Decision::Unknown => None,
    };
    let denied = Denied {
        feature: Feature::Tool,
        name: &refusal.name,
        rule,
        missing: &refusal.missing,
        conditions: None,
    };
    recorder.denied(caller, denied, None);
}

/// The outcome of a tool that gave this result.
pub(super) fn of_result(result: &CallToolResult) -> Outcome {
    if result.is_error == Some(true) { Outcome::ToolError } else { Outcome::Ok }
}

/// The outcome of a tool that answered like this.
pub(super) fn of_tool(answer: &Result<CallToolResponse, ErrorData>) -> Outcome {
    match answer {
        Ok(CallToolResponse::Complete(result)) => of_result(result),
        other => of(other),
    }
}

/// The outcome of a method that answered like this.
pub(super) fn of<T>(answer: &Result<T, ErrorData>) -> Outcome {
    if answer.is_ok() { Outcome::Ok } else { Outcome::Error }
}
