//! The attribute macros of [Scopeward](https://docs.rs/scopeward): `#[scoped_tools]` on an impl
//! block, and `#[scoped_tool(scopes = […])]`, `#[scoped_resource]` and `#[scoped_prompt]` on its
//! methods. Use them through the `scopeward` crate, which re-exports them and holds the items that
//! they expand to.
//!
//! The work goes one way: `attributes` reads the arguments, `tools` and `declaration` check them
//! and collect *every* mistake of the block, and `expand` turns the result into rmcp's own routers,
//! and one of resources, with the scope check in front of each body.

use proc_macro::TokenStream;

mod asked;
mod attributes;
mod data;
mod declaration;
mod expand;
mod feature;
mod place;
mod route;
mod scope;
mod signature;
mod tokens;
mod tools;
mod typed;
mod uri;

/// Makes the `#[scoped_tool]` methods of an inherent impl block into MCP tools, its
/// `#[scoped_resource]` methods into resources and its `#[scoped_prompt]` methods into prompts,
/// each behind its scope check. It also implements `scopeward::ScopedTools` for the type: the
/// registry of all declarations as an associated constant, and the routers that serve them.
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
/// The macro reports a bare `#[tool]` or `#[prompt]` in the block, an attribute without `scopes`, a
/// scope that is not a scope-token of RFC 6749, a scope or a name given twice, a URI that could
/// belong to two resources, and an unknown argument. Each mistake is reported at its own span, and
/// all of them in one compile.
#[proc_macro_attribute]
pub fn scoped_tools(arguments: TokenStream, block: TokenStream) -> TokenStream {
    tools::scoped_tools(arguments.into(), &block.into()).into()
}

/// Marks a method of a `#[scoped_tools]` impl block as an MCP tool and declares the scopes it
/// needs.
///
/// | argument | meaning |
/// |---|---|
/// | `scopes = ["todo:write"]` | required: every scope that a caller must hold; `[]` lets any authenticated caller in |
/// | `optional = ["admin:access"]` | scopes that the tool asks for itself, with `caller.has("…")` |
/// | `name`, `title`, `description`, `annotations(…)`, `input_schema`, `output_schema`, `icons`, `meta` | as in rmcp's `#[tool]` |
///
/// The check runs before the arguments are read, so that a caller without the scopes learns nothing
/// about them.
#[proc_macro_attribute]
pub fn scoped_tool(_arguments: TokenStream, method: TokenStream) -> TokenStream {
    tools::outside_block(feature::Feature::Tool, &method.into()).into()
}

/// Marks a method of a `#[scoped_tools]` impl block as an MCP resource and declares the scopes that
/// reading it needs.
///
/// | argument | meaning |
/// |---|---|
/// | `uri = "todo://items/{id}"` | required: the URI, or a URI template in which `{id}` stands for one segment, and `{+path}` at the end for the rest |
/// | `scopes`, `optional` | as for [`macro@scoped_tool`] |
/// | `complete = method` | completes the variables of the template: `async fn method(&self, caller: Principal, request: CompleteRequestParams) -> Vec<String>` |
/// | `name`, `title`, `description`, `mime_type`, `icons`, `meta` | shown in lists; without them, `name` is the method's name and `description` its doc comment |
///
/// The method takes the variables as `Parameters<T>`, and returns a `String`, a `Vec<u8>`, `Json<T>`,
/// rmcp's `ResourceContents`, or a `Result` of one of them with an error that becomes rmcp's
/// `ErrorData`.
#[proc_macro_attribute]
pub fn scoped_resource(_arguments: TokenStream, method: TokenStream) -> TokenStream {
    tools::outside_block(feature::Feature::Resource, &method.into()).into()
}

/// Marks a method of a `#[scoped_tools]` impl block as an MCP prompt and declares the scopes that
/// getting it needs.
///
/// The attribute takes `scopes` and `optional` as [`macro@scoped_tool`] does, `complete = method`
/// as [`macro@scoped_resource`] does, and everything that rmcp's `#[prompt]` takes.
#[proc_macro_attribute]
pub fn scoped_prompt(_arguments: TokenStream, method: TokenStream) -> TokenStream {
    tools::outside_block(feature::Feature::Prompt, &method.into()).into()
}

/// Makes a struct or an enum the arguments or the result of a tool: derives `Deserialize`,
/// `Serialize` and `JsonSchema` from Scopeward's own dependencies, so that a program needs neither
/// serde nor schemars.
///
/// ```
/// use scopeward::{Json, Parameters, data, scoped_tools};
///
/// #[data]
/// struct Numbers {
///     /// The numbers to add
///     #[serde(default)]
///     numbers: Vec<f64>,
/// }
///
/// #[data]
/// struct Sum {
///     sum: f64,
/// }
///
/// struct Calculator;
///
/// #[scoped_tools]
/// impl Calculator {
///     /// Adds numbers.
///     #[scoped_tool(scopes = [])]
///     fn add(&self, Parameters(Numbers { numbers }): Parameters<Numbers>) -> Json<Sum> {
///         Json(Sum { sum: numbers.iter().sum() })
///     }
/// }
/// ```
///
/// Attributes of serde and schemars work on the type and on its fields. What the type derives
/// itself is not derived again.
#[proc_macro_attribute]
pub fn data(arguments: TokenStream, item: TokenStream) -> TokenStream {
    data::data(&arguments.into(), &item.into()).into()
}
