//! The principal of a request, for whoever runs it: tools, prompts and resources take it as a
//! parameter of any position.

use rmcp::{
    ErrorData,
    handler::server::{common::FromContextPart, prompt::PromptContext, tool::ToolCallContext},
    model::Extensions,
};

use super::{ResourceContext, refusal::Refusal};
use crate::{identity::Principal, policy::Feature};

/// The principal of a request: put there by the gate, among the HTTP request's parts, or by
/// another transport directly.
pub(crate) fn principal_of(extensions: &Extensions) -> Option<&Principal> {
    let direct = extensions.get::<Principal>();
    direct.or_else(|| extensions.get::<http::request::Parts>()?.extensions.get::<Principal>())
}

/// The same, or the refusal of a use that nobody was authenticated for.
pub(crate) fn required<'e>(
    extensions: &'e Extensions,
    feature: Feature,
    name: &str,
) -> Result<&'e Principal, ErrorData> {
    principal_of(extensions)
        .ok_or_else(|| Refusal::unauthenticated(feature, name, &[]).into_error_data())
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
