//! MCP servers whose access control is one file. `policy.toml` declares *who may call which tool*,
//! read which resource and get which prompt. The file is checked before release, and enforced on
//! every call.
//!
//! | you | write | and get |
//! |---|---|---|
//! | tool author | [`#[scoped_tools]`](scoped_tools) and `#[scoped_tool(scopes = […])]`, `#[scoped_resource]`, `#[scoped_prompt]` | a check in front of each method, and its entry in the [registry](Registry) |
//! | operator | `policy.toml` | the rule that is enforced, checked against tools and registered scopes |
//! | both | [`main`] or [`Mount`] | a server that refuses to start when tools, policy and registered scopes disagree |
//!
//! The data flows one way: the [policy] is compiled, the [gate] authenticates a caller
//! ([`Principal`]) and [decides](policy::CompiledPolicy::decide), a denial becomes a challenge or a
//! tool result ([`refusal`](mcp::refusal)), and each decision is recorded.
//!
//! Start with the README; [`main`] has the smallest whole server.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | adds |
//! |---|---|
//! | `embedded-issuer` | an authorization server for development on one machine, where anyone can sign in under any name: `provider = "embedded"` |
//! | `testing` | the module `testing`: tests of one's own tools, by made-up callers and without a port |

// The macros expand to paths that begin with `::scopeward`, also in the tests of this crate.
extern crate self as scopeward;

#[cfg(doctest)]
mod book;
mod cli;
mod file;
pub mod gate;
mod heartbeat;
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
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod text;

pub use scopeward_policy as policy;

pub use cli::{App, main};
pub use identity::{Principal, provider::CustomProvider};
pub use limits::Limits;
pub use live::LivePolicy;
pub use mcp::ScopedTools;
pub use policy::{Declaration, Location, Registry};
pub use scopeward_macros::{data, scoped_prompt, scoped_resource, scoped_tool, scoped_tools};
pub use serve::{Environment, Guarded, Mount, Opened, Providers, Server, ServerError, StartError};

/// The MCP library that Scopeward builds on, for its models.
pub use rmcp;
#[doc(no_inline)]
pub use rmcp::{
    ErrorData,
    handler::server::wrapper::{Json, Parameters},
};

/// Items that the macros expand to. They are not a public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::mcp::generated::*;
    pub use rmcp::schemars;
    pub use serde;
}
