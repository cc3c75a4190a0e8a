//! The trait that `#[scoped_tools]` implements for a server's tools, resources and prompts.

use rmcp::handler::server::router::{prompt::PromptRouter, tool::ToolRouter};

use super::{
    Completions, ResourceRouter,
    part::{Hint, MainBlock, Prompts, Resources, Tools},
};
use crate::policy::Registry;

pub(super) mod sealed {
    use super::{Hint, MainBlock};

    /// Only what the macro writes implements it.
    pub trait Sealed {}

    impl<S: MainBlock<Hint>> Sealed for S {}
}

/// A server's tools, resources and prompts, each behind its check. Only `#[scoped_tools]` implements
/// this trait, because a check could be forgotten in an implementation by hand.
///
/// ```
/// use scopeward::{ScopedTools, scoped_tools};
///
/// struct Notes;
///
/// #[scoped_tools]
/// impl Notes {
///     /// Lists the notes.
///     #[scoped_tool(scopes = ["note:read"])]
///     async fn list_notes(&self) -> String {
///         String::new()
///     }
/// }
///
/// let declared = Notes::REGISTRY.all();
/// assert_eq!(declared[0].name(), "list_notes");
/// assert_eq!(declared[0].scopes(), ["note:read"]);
/// ```
pub trait ScopedTools: sealed::Sealed + Send + Sync + Sized + 'static {
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

/// The block of `#[scoped_tools]` without `part`, and the parts that it lists, are one server.
#[diagnostic::do_not_recommend]
impl<S: MainBlock<Hint>> ScopedTools for S {
    const REGISTRY: Registry = Registry::of_parts(S::DECLARED);
    const SERVER: (&'static str, &'static str) = S::SERVER;
    const HAS_TASKS: bool = {
        let (mut has_tasks, mut number) = (false, 0);
        while number < S::PARTS.len() {
            has_tasks |= S::PARTS[number].has_tasks;
            number += 1;
        }
        has_tasks
    };

    fn tool_router() -> ToolRouter<S> {
        let mut router = ToolRouter::new();
        for part in S::PARTS {
            (part.tools)(&mut Tools::new(&mut router, part.declared));
        }
        router
    }

    fn resource_router() -> ResourceRouter<S> {
        let mut router = ResourceRouter::default();
        for part in S::PARTS {
            (part.resources)(&mut Resources::new(&mut router, part.declared));
        }
        router
    }

    fn prompt_router() -> PromptRouter<S> {
        let mut router = PromptRouter::new();
        for part in S::PARTS {
            (part.prompts)(&mut Prompts::new(&mut router, part.declared));
        }
        router
    }

    fn completions() -> Completions<S> {
        S::PARTS.iter().fold(Completions::default(), |all, part| (part.completions)(all))
    }
}
