//! The features of an MCP server, each behind its check: rmcp's tools and prompts, and resources,
//! for which rmcp has no router.

mod arguments;
pub(crate) mod bearer_challenge;
mod check;
mod completion;
mod details;
pub(crate) mod direct;
mod extract;
pub mod handler;
mod listed_schema;
mod log;
mod names;
mod one_way;
mod outcome;
mod part;
pub(crate) mod plain_call;
mod probe;
pub mod refusal;
mod require;
mod resource;
mod revision;
mod round;
mod scoped_tools;
pub(crate) mod security_schemes;
mod services;
mod stray;
mod task;
mod text;
mod updates;

#[doc(hidden)]
pub mod generated {
    //! Items that the macros expand to.
    pub use super::{
        check::{prompt_arguments, uri_arguments},
        names::two_with_one_name,
        part::{HasPart, Hint, ListsPart, MainBlock, Part, its_name, needs_scoped_tools},
        probe::{
            AnswerNothing, AnswerPrompt, AnswerResource, AnswerTool, PartProbe, Probe, Take,
            TakeFromPrompt, TakeFromResource, TakeNothing, Unknown, UnknownPart, arguments, fields,
            input_schema, probe_of, prompt_answer, resource_answer, tool_answer,
        },
        scoped_tools::sealed::Sealed,
    };
}
pub use completion::{Completions, suggest};
pub(crate) use details::ServerDetails;
pub(crate) use direct::{RefusedByTool, USUAL_ACCEPT};
pub use log::LogLevel;
pub(crate) use one_way::{NoStream, SESSION_HEADER};
pub use resource::{
    IntoResource, ReadFuture, ResourceContext, ResourceDetails, ResourceRoute, ResourceRouter,
};
pub(crate) use revision::Revision;
pub use round::{PromptAnswer, Round};
pub use scoped_tools::ScopedTools;
pub(crate) use services::Services;
pub use task::Tasks;
pub(crate) use task::{ServerTasks, TaskBounds};
pub use updates::Updates;
