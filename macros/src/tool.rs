//! One annotated method: what it declares, checked on its own.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Attribute, Ident, ImplItemFn, LitStr, ext::IdentExt};

use crate::attributes::{Arguments, Hints};

/// A method with `#[scoped_tool]`, its attribute taken off and read.
pub(crate) struct ScopedTool {
    pub(crate) method: Ident,
    /// The tool's name as MCP sees it, and where it was written.
    pub(crate) name: (String, Span),
    pub(crate) scopes: Vec<LitStr>,
    pub(crate) optional: Vec<LitStr>,
    pub(crate) hints: Hints,
    pub(crate) for_rmcp: Vec<TokenStream>,
    /// Where the attribute stands, for messages about the declaration.
    pub(crate) declared_at: Span,
}

/// Whether the attribute's path ends in `name`: the rule by which rmcp finds its tools.
fn is_named(attribute: &Attribute, name: &str) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == name)
}

impl ScopedTool {
    /// Takes `#[scoped_tool]` off `method` and reads it; `None` for a method that is no tool.
    pub(crate) fn take(method: &mut ImplItemFn, errors: &mut Vec<syn::Error>) -> Option<Self> {
        for attribute in method.attrs.iter().filter(|a| is_named(a, "tool")) {
            errors.push(syn::Error::new_spanned(
                attribute,
                "this tool would run without a scope check\nhelp: write \
                 `#[scoped_tool(scopes = [\"…\"])]`; it takes everything that `#[tool]` takes",
            ));
        }
        // A bare `#[tool]` must not reach rmcp even while the mistake is being reported.
        method.attrs.retain(|a| !is_named(a, "tool"));

        let attribute = method.attrs.iter().position(|a| is_named(a, "scoped_tool"))?;
        let attribute = method.attrs.remove(attribute);
        if let Some(second) = method.attrs.iter().find(|a| is_named(a, "scoped_tool")) {
            errors.push(syn::Error::new_spanned(
                second,
                "a method has one `#[scoped_tool]`\nhelp: merge the two into one",
            ));
            method.attrs.retain(|a| !is_named(a, "scoped_tool"));
        }
        if let Some(cfg) =
            method.attrs.iter().find(|a| is_named(a, "cfg") || is_named(a, "cfg_attr"))
        {
            errors.push(syn::Error::new_spanned(
                cfg,
                "a scoped tool cannot be compiled conditionally: the registry would disagree \
                 with the policy\nhelp: put the `cfg` on the whole impl block",
            ));
        }

        let arguments = Arguments::read(&attribute, errors);
        if arguments.scopes.is_none() {
            errors.push(syn::Error::new_spanned(
                attribute.path(),
                "this tool declares no scopes\nhelp: add `scopes = [\"…\"]`, or `scopes = []` \
                 for a tool that any authenticated caller may use",
            ));
        }
        let scopes = arguments.scopes.unwrap_or_default();
        for optional in &arguments.optional {
            if scopes.iter().any(|scope| scope.value() == optional.value()) {
                errors.push(syn::Error::new(
                    optional.span(),
                    format!(
                        "\"{}\" is both required and optional\nhelp: every caller of this tool \
                         holds it; remove it from `optional`",
                        optional.value()
                    ),
                ));
            }
        }
        let ident = method.sig.ident.clone();
        let mut for_rmcp = arguments.for_rmcp;
        let name = if let Some(name) = arguments.name {
            (name.value(), name.span())
        } else {
            let name = ident.unraw().to_string();
            // Said to rmcp as well, so that the router and the registry cannot disagree.
            for_rmcp.push(quote!(name = #name));
            (name, ident.span())
        };
        Some(Self {
            method: ident,
            name,
            scopes,
            optional: arguments.optional,
            hints: arguments.hints,
            for_rmcp,
            declared_at: attribute
                .path()
                .segments
                .last()
                .map_or(Span::call_site(), |segment| segment.ident.span()),
        })
    }
}
