//! The attribute macros of [Scopeward](https://docs.rs/scopeward): `#[scoped_tools]` on an impl
//! block and `#[scoped_tool(scopes = […])]` on its methods. Use them through the `scopeward`
//! crate, which re-exports them and holds what they expand to.
//!
//! The work goes one way: `attributes` reads what was written, `tools` and `tool` check it and
//! collect *every* mistake of the block, `expand` turns the result into rmcp's own
//! `#[tool_router]` and `#[tool]` with the scope check in front of each body.

use proc_macro::TokenStream;

mod attributes;
mod expand;
mod scope;
mod tool;
mod tools;

/// Makes the `#[scoped_tool]` methods of an inherent impl block into MCP tools, each behind its
/// scope check, and implements `scopeward::ScopedTools` for the type: the registry of declared
/// tools as an associated constant, and the router that serves them.
///
/// ```
/// use scopeward::{Principal, scoped_tools};
///
/// struct Server;
///
/// #[scoped_tools]
/// impl Server {
///     /// Says who you are.
///     #[scoped_tool(scopes = ["self:read"], annotations(read_only_hint = true))]
///     async fn who_am_i(&self, caller: Principal) -> String {
///         caller.subject().to_owned()
///     }
/// }
/// ```
///
/// # Compile errors
///
/// A bare `#[tool]` in the block, a `#[scoped_tool]` without `scopes`, a scope that is not an
/// RFC 6749 scope-token, a scope or a tool name given twice, and an argument that is not known:
/// each at its own span, all of them in one compile.
#[proc_macro_attribute]
pub fn scoped_tools(arguments: TokenStream, block: TokenStream) -> TokenStream {
    tools::scoped_tools(arguments.into(), &block.into()).into()
}

/// Marks a method of a `#[scoped_tools]` impl block as an MCP tool and declares the scopes it
/// needs.
///
/// | argument | meaning |
/// |---|---|
/// | `scopes = ["todo:write"]` | required: every scope a caller must hold; `[]` lets any authenticated caller in |
/// | `optional = ["admin:access"]` | scopes that the tool asks for itself, with `caller.has("…")` |
/// | `name`, `title`, `description`, `annotations(…)`, `input_schema`, `output_schema`, `icons`, `meta`, `local` | passed on to rmcp's `#[tool]` |
///
/// The check runs before the arguments are read: a caller without the scopes learns nothing
/// about them.
#[proc_macro_attribute]
pub fn scoped_tool(_arguments: TokenStream, method: TokenStream) -> TokenStream {
    tools::scoped_tool_outside_block(&method.into()).into()
}
