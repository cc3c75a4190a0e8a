//! The trait that `#[scoped_tools]` implements: what a server offers, each behind its check.

use rmcp::handler::server::router::{prompt::PromptRouter, tool::ToolRouter};

use super::{Completions, ResourceRouter};
use crate::policy::Registry;

/// What a server offers, as `#[scoped_tools]` implements it. Not meant to be implemented by hand.
pub trait ScopedTools: Send + Sync + Sized + 'static {
    /// What the tools, resources and prompts declare.
    const REGISTRY: Registry;

    /// The server's name and version, as MCP's `serverInfo` gives them.
    const SERVER: (&'static str, &'static str);

    /// Whether some tool makes tasks.
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

    /// What completes the arguments of resources and prompts.
    fn completions() -> Completions<Self> {
        Completions::default()
    }
}
