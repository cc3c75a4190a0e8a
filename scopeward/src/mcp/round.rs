//! Multi-round-trip requests (MCP 2026-07-28): the answers that a client sends in a later round.

use rmcp::{
    ErrorData,
    handler::server::{
        common::{AsRequestContext, FromContextPart},
        prompt::{IntoGetPromptResult, PromptContext},
    },
    model::{Extensions, GetPromptResponse, GetPromptResult, InputRequiredResult, InputResponses},
};

use super::ResourceContext;

/// The client's answers to the questions of an earlier round, as a parameter of a prompt or a
/// resource. A tool takes rmcp's own `InputResponses` and `RequestState` instead.
///
/// ```
/// use scopeward::{mcp::Round, scoped_tools};
///
/// struct Notes;
///
/// #[scoped_tools]
/// impl Notes {
///     /// The newest note.
///     #[scoped_resource(uri = "note://newest", scopes = ["note:read"])]
///     async fn newest(&self, round: Round) -> String {
///         match round.responses {
///             Some(_) => "in the language that was asked for".to_owned(),
///             None => "in English".to_owned(),
///         }
///     }
/// }
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Round {
    /// The answers, by the names of the questions.
    pub responses: Option<InputResponses>,
    /// The state that was sent with the questions. Do not trust it unless it is sealed, because it
    /// comes from the client.
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

/// The return type of a prompt that asks questions in one round and answers in another. rmcp 3.11
/// accepts each of the two results from a prompt's method, but has no type that can hold either.
///
/// ```
/// use scopeward::{
///     mcp::PromptAnswer,
///     rmcp::model::{GetPromptResult, PromptMessage, Role},
/// };
///
/// let message = PromptMessage::new_text(Role::User, "Write a poem.");
/// let answer: PromptAnswer = GetPromptResult::new(vec![message]).into();
/// ```
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
