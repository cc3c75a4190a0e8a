//! Multi-round-trip requests (MCP 2026-07-28): what a client answers when it comes again.

use rmcp::{
    ErrorData,
    handler::server::{
        common::{AsRequestContext, FromContextPart},
        prompt::{IntoGetPromptResult, PromptContext},
    },
    model::{Extensions, GetPromptResponse, GetPromptResult, InputRequiredResult, InputResponses},
};

use super::ResourceContext;

/// The answers to what a prompt or a resource asked for in an earlier round, as its parameter. A
/// tool takes rmcp's own `InputResponses` and `RequestState`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Round {
    /// The answers, by the names that were asked for.
    pub responses: Option<InputResponses>,
    /// The state that was given with the questions. It comes from the client: it is not to be
    /// trusted unless it is sealed.
    pub state: Option<String>,
}

impl Round {
    pub(crate) fn new(responses: Option<InputResponses>, state: Option<String>) -> Self {
        Self { responses, state }
    }

    fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }
}

impl<S> FromContextPart<PromptContext<'_, S>> for Round {
    fn from_context_part(context: &mut PromptContext<'_, S>) -> Result<Self, ErrorData> {
        Ok(Self::of(&context.as_request_context().extensions))
    }
}

impl<S> FromContextPart<ResourceContext<'_, S>> for Round {
    fn from_context_part(context: &mut ResourceContext<'_, S>) -> Result<Self, ErrorData> {
        Ok(Self::of(&context.as_request_context().extensions))
    }
}

/// What a prompt returns that asks for something in one round and answers in another: rmcp 3.11
/// takes each of the two from a prompt's method, and not their sum.
#[derive(Debug)]
pub struct PromptAnswer(GetPromptResponse);

impl From<GetPromptResult> for PromptAnswer {
    fn from(result: GetPromptResult) -> Self {
        Self(result.into())
    }
}

impl From<InputRequiredResult> for PromptAnswer {
    fn from(questions: InputRequiredResult) -> Self {
        Self(questions.into())
    }
}

impl IntoGetPromptResult for PromptAnswer {
    fn into_get_prompt_result(self) -> Result<GetPromptResponse, ErrorData> {
        Ok(self.0)
    }
}
