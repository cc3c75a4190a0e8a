//! The method parameters that come from the request or the server, not from the arguments: the
//! principal, tasks and updates.

use std::sync::Arc;

use rmcp::{
    ErrorData,
    handler::server::{common::FromContextPart, prompt::PromptContext, tool::ToolCallContext},
    model::Extensions,
};

use super::{ResourceContext, Services, TaskBounds, Tasks, Updates, refusal::Refusal, task::Gone};
use crate::{
    identity::{AnonymousCaller, Caller, Principal},
    limits::Place,
    policy::Feature,
};

/// The principal of a request, if it has one. The gate puts the principal among the HTTP request's
/// parts; another transport puts it into the extensions directly.
pub(crate) fn principal_of(extensions: &Extensions) -> Option<&Principal> {
    let direct = extensions.get::<Principal>();
    direct.or_else(|| extensions.get::<http::request::Parts>()?.extensions.get::<Principal>())
}

/// The caller of a request, with a token or without; `None` if no gate let the request in.
pub(crate) fn caller_of(extensions: &Extensions) -> Option<Caller<'_>> {
    if let Some(caller) = principal_of(extensions) {
        return Some(Caller::Principal(caller));
    }
    let parts = extensions.get::<http::request::Parts>()?;
    parts.extensions.get::<AnonymousCaller>().map(Caller::Anonymous)
}

/// The place of a request, if it has one. It is where the principal is.
pub(crate) fn place_of(extensions: &Extensions) -> Option<Place> {
    let direct = extensions.get::<Place>();
    let place = direct.or_else(|| extensions.get::<http::request::Parts>()?.extensions.get());
    place.cloned()
}

/// The principal of a request, or the refusal of an unauthenticated use.
pub(crate) fn required<'e>(
    extensions: &'e Extensions,
    feature: Feature,
    name: &str,
) -> Result<&'e Principal, ErrorData> {
    principal_of(extensions)
        .ok_or_else(|| Refusal::unauthenticated(feature, name, &[]).into_error_with_challenge())
}

impl<S> FromContextPart<ToolCallContext<'_, S>> for Principal {
    fn from_context_part(context: &mut ToolCallContext<'_, S>) -> Result<Self, ErrorData> {
        required(&context.request_context.extensions, Feature::Tool, &context.name).cloned()
    }
}

impl<S> FromContextPart<PromptContext<'_, S>> for Principal {
    fn from_context_part(context: &mut PromptContext<'_, S>) -> Result<Self, ErrorData> {
        required(&context.context.extensions, Feature::Prompt, &context.name).cloned()
    }
}

impl<S> FromContextPart<ResourceContext<'_, S>> for Principal {
    fn from_context_part(context: &mut ResourceContext<'_, S>) -> Result<Self, ErrorData> {
        required(&context.request_context().extensions, Feature::Resource, context.uri()).cloned()
    }
}

impl<S> FromContextPart<ToolCallContext<'_, S>> for Tasks {
    fn from_context_part(context: &mut ToolCallContext<'_, S>) -> Result<Self, ErrorData> {
        let request = &context.request_context;
        let caller = required(&request.extensions, Feature::Tool, &context.name)?;
        let server = services(&request.extensions, "tasks")?.tasks.clone();
        let bounds = request.extensions.get::<TaskBounds>().cloned();
        let bounds = bounds.ok_or_else(|| no_services("tasks"))?;
        let are_known = request.client_capabilities().is_some_and(|can| can.supports_tasks());
        let gone = request.ct.clone();
        let gone: Gone = Arc::new(move || Box::pin(gone.clone().cancelled_owned()));
        let call = (&*context.name, context.arguments.as_ref());
        Ok(Self::of(server, bounds, caller, call, are_known, gone))
    }
}

impl<S> FromContextPart<ToolCallContext<'_, S>> for Updates {
    fn from_context_part(context: &mut ToolCallContext<'_, S>) -> Result<Self, ErrorData> {
        Ok(services(&context.request_context.extensions, "updates")?.updates.clone())
    }
}

/// The services of the server, or an error, because tools that are mounted without `McpHandler`
/// have none.
fn services<'e>(extensions: &'e Extensions, which: &str) -> Result<&'e Services, ErrorData> {
    Services::of(extensions).ok_or_else(|| no_services(which))
}

fn no_services(which: &str) -> ErrorData {
    let message = format!("{which} need scopeward's own handler, `McpHandler`");
    ErrorData::internal_error(message, None)
}
