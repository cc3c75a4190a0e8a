//! The features of an MCP server, each behind its check: rmcp's tools and prompts, and resources,
//! for which rmcp has no router.

mod check;
mod completion;
mod details;
pub(crate) mod direct;
mod extract;
pub mod handler;
mod log;
pub(crate) mod plain_call;
pub mod refusal;
mod resource;
mod round;
mod scoped_tools;
mod services;
mod stray;
mod task;
mod updates;

#[doc(hidden)]
pub use check::{ScopeCheck, prompt_arguments, refusals_as_results, uri_arguments};
pub use completion::{Completions, suggest};
pub(crate) use details::ServerDetails;
pub use log::LogLevel;
pub use resource::{
    IntoResource, ReadFuture, ResourceContext, ResourceDetails, ResourceRoute, ResourceRouter,
};
pub use round::{PromptAnswer, Round};
pub use scoped_tools::ScopedTools;
pub(crate) use services::Services;
pub use task::Tasks;
pub(crate) use task::{ServerTasks, TaskOwners};
pub use updates::Updates;
