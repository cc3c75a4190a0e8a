//! The check that `#[scoped_tool]` puts in front of a tool's body.

use std::sync::Arc;

use rmcp::{
    ErrorData,
    handler::server::{common::FromContextPart, router::tool::ToolRouter, tool::ToolCallContext},
};

use crate::{
    audit,
    policy::Decision,
    principal::Principal,
    refusal::{Refusal, refusal_to_result},
    registry::{DeclaredTool, ScopedTools},
};

/// Proof that the caller may call the tool with this number in the registry. rmcp extracts it
/// before any other parameter; without it the tool's body cannot be reached, however the tool was
/// mounted.
#[derive(Debug, Clone, Copy)]
pub struct Checked<const TOOL: usize>(());

impl<S: ScopedTools, const TOOL: usize> FromContextPart<ToolCallContext<'_, S>> for Checked<TOOL> {
    fn from_context_part(context: &mut ToolCallContext<'_, S>) -> Result<Self, ErrorData> {
        // The tool's own name, not the one it was called by: a tool mounted under another name
        // keeps its rule.
        check(&S::REGISTRY.tools()[TOOL], Principal::of(&context.request_context.extensions))?;
        Ok(Self(()))
    }
}

fn check(tool: &DeclaredTool, caller: Option<&Principal>) -> Result<(), ErrorData> {
    let Some(caller) = caller else {
        audit::unauthenticated_tool(tool.name());
        return Err(Refusal::unauthenticated(tool.name(), tool.scopes()).into_error_data());
    };
    let (refusal, rule) = match caller.may_call(tool.name()) {
        Decision::Allow(_) => return Ok(()),
        Decision::Deny(denial) => {
            (Refusal::insufficient_scope(tool.name(), &denial, caller), Some(denial.rule()))
        }
        Decision::UnknownTool => (Refusal::without_policy(tool.name(), caller), None),
    };
    audit::denied(caller, &refusal, rule, None);
    Err(refusal.into_error_data())
}

/// Turns the refusals of a router's tools into tool results, which every transport and client can
/// show; all else passes through.
pub fn refusals_as_results<S: 'static>(mut router: ToolRouter<S>) -> ToolRouter<S> {
    for route in router.map.values_mut() {
        let call = Arc::clone(&route.call);
        route.call = Arc::new(move |context| {
            let answer = call(context);
            Box::pin(async move {
                match answer.await {
                    Err(error) => refusal_to_result(error).map(Into::into),
                    answer => answer,
                }
            })
        });
    }
    router
}
