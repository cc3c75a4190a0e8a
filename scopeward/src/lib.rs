//! MCP servers whose access is one file: *who may call which tool*, read which resource and get
//! which prompt is declared, checked before it ships, and enforced on every call.
//!
//! | you | write | and get |
//! |---|---|---|
//! | tool author | [`#[scoped_tools]`](scoped_tools) and `#[scoped_tool(scopes = […])]`, `#[scoped_resource]`, `#[scoped_prompt]` | the check in front of each, its error shape, its entry in the [registry](Registry) |
//! | operator | `policy.toml` | the rule that is enforced, checked against tools and registered scopes |
//! | both | [`main`] | a server that refuses to start when the three disagree |
//!
//! The data flows one way: the [policy] is compiled, the [gate] authenticates a caller
//! ([`Principal`]) and [decides](policy::CompiledPolicy::decide), a denial becomes a challenge or a
//! tool result ([`refusal`]), and each decision is recorded.
//!
//! Start with the README; [`main`] has the smallest whole server.

// The macros write `::scopeward::…`, in this crate's own tests too.
extern crate self as scopeward;

#[cfg(doctest)]
mod book;
mod cli;
mod file;
pub mod gate;
mod http;
pub mod identity;
#[cfg(feature = "embedded-issuer")]
pub mod issuer;
#[cfg(not(feature = "embedded-issuer"))]
#[path = "issuer/absent.rs"]
mod issuer;
mod limits;
pub mod live;
pub mod mcp;
mod record;
#[cfg(test)]
mod reference;
pub mod remote;
mod secret;
mod serve;

pub use scopeward_policy as policy;

pub use cli::{Environment, main};
pub use identity::Principal;
pub use limits::Limits;
pub use mcp::ScopedTools;
pub use policy::{Declaration, Location, Registry};
pub use scopeward_macros::{scoped_prompt, scoped_resource, scoped_tool, scoped_tools};
pub use serve::{Providers, Server};

/// The MCP library underneath, for its `Parameters`, `Json` and models.
pub use rmcp;

/// What the macros' expansion names. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::mcp::{ScopeCheck, prompt_arguments, refusals_as_results, uri_arguments};
}
