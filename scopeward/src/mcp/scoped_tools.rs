//! The trait that `#[scoped_tools]` implements for a server's tools, resources and prompts.

use rmcp::handler::server::router::{prompt::PromptRouter, tool::ToolRouter};

use super::{Completions, ResourceRouter};
use crate::policy::Registry;

/// A server's tools, resources and prompts, each behind its check. `#[scoped_tools]` implements
/// this trait; do not implement it by hand, because a check could be forgotten.
pub trait ScopedTools: Send + Sync + Sized + 'static {
    /// The declarations of the tools, resources and prompts.
    const REGISTRY: Registry;

    /// The server's name and version, as MCP's `serverInfo` gives them.
    const SERVER: (&'static str, &'static str);

    /// `true` if a tool makes tasks.
    const HAS_TASKS: bool = false;

    /// The tools, each behind its check.
    fn tool_router() -> ToolRouter<Self>;

    /// The resources, each behind its check.
    fn resource_router() -> ResourceRouter<Self> {
        ResourceRouter::default()
    }

    /// The prompts, each behind its check.
    fn prompt_router() -> PromptRouter<Self> {
        PromptRouter::default()
    }

    /// The methods that complete the arguments of resources and prompts.
    fn completions() -> Completions<Self> {
        Completions::default()
    }
}
