//! Writes the expansion: rmcp's own attributes, the check as each tool's first parameter, and the
//! registry. It adds nothing at run time but that parameter.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{FnArg, ImplItem, ImplItemFn, ItemImpl, parse_quote};

use crate::tool::ScopedTool;

/// Puts the check in front of the tool's own parameters. rmcp extracts parameters in order and
/// stops at the first that fails, so the check runs before the arguments are read.
fn insert_check(method: &mut ImplItemFn, index: usize) {
    let check: FnArg = parse_quote!(_: ::scopeward::__private::Checked<#index>);
    let position = usize::from(method.sig.receiver().is_some());
    method.sig.inputs.insert(position, check);
}

fn set_attributes(method: &mut ImplItemFn, tool: &ScopedTool) {
    let for_rmcp = &tool.for_rmcp;
    method.attrs.push(parse_quote!(#[rmcp::tool(#(#for_rmcp),*)]));
    // The shape of a tool is not its author's choice.
    method.attrs.push(parse_quote!(
        #[allow(clippy::needless_pass_by_value, clippy::unused_async, clippy::unused_self)]
    ));
    // rmcp 3.11 takes the description from the doc comment, and forgets it at any attribute that
    // comes after it.
    method.attrs.sort_by_key(|attribute| attribute.path().is_ident("doc"));
}

/// The expansion of a block without mistakes.
pub(crate) fn block(mut block: ItemImpl, tools: &[ScopedTool]) -> TokenStream {
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        let number = tools.iter().position(|tool| tool.method == method.sig.ident);
        if let Some(number) = number {
            insert_check(method, number);
            set_attributes(method, &tools[number]);
        }
    }
    let declared = tools.iter().map(declaration);
    let registration = scoped_tools_impl(
        &block,
        &quote!(::scopeward::Registry::new(&[#(#declared),*])),
        &quote!(::scopeward::__private::refusals_as_results(Self::__scopeward_router())),
    );
    // rmcp's macros write paths that begin with `rmcp::`. The constant gives them that name
    // without asking the tool's author for the dependency.
    quote! {
        const _: () = {
            #[allow(unused_imports)]
            use ::scopeward::rmcp;

            #[rmcp::tool_router(router = __scopeward_router)]
            #block

            #registration
        };
    }
}

/// What is left of a block with mistakes: its methods and an empty registry, so that the rest of
/// the program compiles and the mistakes are the only errors on the screen.
pub(crate) fn after_errors(block: &ItemImpl) -> TokenStream {
    if block.trait_.is_some() {
        return quote!(#block);
    }
    let registration = scoped_tools_impl(
        block,
        &quote!(::scopeward::Registry::new(&[])),
        &quote!(::core::default::Default::default()),
    );
    quote! {
        #[allow(dead_code, clippy::all)]
        #block
        #registration
    }
}

fn scoped_tools_impl(
    block: &ItemImpl,
    registry: &TokenStream,
    router: &TokenStream,
) -> TokenStream {
    let self_ty = &block.self_ty;
    let (impl_generics, _, where_clause) = block.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics ::scopeward::ScopedTools for #self_ty #where_clause {
            const REGISTRY: ::scopeward::Registry = #registry;
            const SERVER: (&'static str, &'static str) = (
                ::core::env!("CARGO_CRATE_NAME"),
                ::core::env!("CARGO_PKG_VERSION"),
            );

            fn tool_router() -> ::scopeward::rmcp::handler::server::router::tool::ToolRouter<Self> {
                #router
            }
        }
    }
}

/// The tool's entry in the registry: a constant expression.
fn declaration(tool: &ScopedTool) -> TokenStream {
    let name = &tool.name.0;
    let (scopes, optional) = (&tool.scopes, &tool.optional);
    let (line, column) = position(tool.declared_at);
    let hint = |hint: Option<bool>| {
        hint.map_or_else(
            || quote!(::core::option::Option::None),
            |hint| quote!(::core::option::Option::Some(#hint)),
        )
    };
    let (read_only, destructive) = (hint(tool.hints.read_only), hint(tool.hints.destructive));
    quote! {
        ::scopeward::DeclaredTool::new(
            #name,
            &[#(#scopes),*],
            &[#(#optional),*],
            ::scopeward::Location::new(::core::file!(), #line, #column),
        )
        .with_hints(#read_only, #destructive)
    }
}

/// Line and column of the attribute itself. `line!()` would give those of `#[scoped_tools]`.
fn position(span: Span) -> (u32, u32) {
    let start = span.unwrap().start();
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    (narrow(start.line()), narrow(start.column()))
}
