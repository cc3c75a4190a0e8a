//! The impl block: finds its tools and checks them against each other.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{ImplItem, ItemImpl};

use crate::{expand, tool::ScopedTool};

/// `#[scoped_tools]` on an impl block.
pub(crate) fn scoped_tools(arguments: TokenStream, tokens: &TokenStream) -> TokenStream {
    let Ok(mut block) = syn::parse2::<ItemImpl>(tokens.clone()) else {
        let error = syn::Error::new_spanned(
            tokens.clone().into_iter().next(),
            "`#[scoped_tools]` belongs on an impl block\nhelp: write `#[scoped_tools] impl \
             Server { … }` around the methods that are tools",
        )
        .into_compile_error();
        return quote!(#error #tokens);
    };
    let mut errors = vec![];
    if !arguments.is_empty() {
        errors.push(syn::Error::new_spanned(
            arguments,
            "`#[scoped_tools]` takes no arguments\nhelp: scopes belong on each tool: \
             `#[scoped_tool(scopes = [\"…\"])]`",
        ));
    }
    if let Some((of_trait, _)) = &block.trait_ {
        errors.push(syn::Error::new_spanned(
            of_trait,
            "`#[scoped_tools]` belongs on an impl block of the type itself, not of a trait\nhelp: \
             move the tools into `impl Server { … }`",
        ));
    }
    let tools = collect(&mut block, &mut errors);
    if tools.is_empty() && errors.is_empty() {
        errors.push(syn::Error::new_spanned(
            &block.self_ty,
            "no tool in this impl block\nhelp: annotate a method with \
             `#[scoped_tool(scopes = [\"…\"])]`",
        ));
    }

    if errors.is_empty() {
        expand::block(block, &tools)
    } else {
        let errors = errors.iter().map(syn::Error::to_compile_error);
        let rest = expand::after_errors(&block);
        quote!(#(#errors)* #rest)
    }
}

fn collect(block: &mut ItemImpl, errors: &mut Vec<syn::Error>) -> Vec<ScopedTool> {
    let mut tools: Vec<ScopedTool> = vec![];
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        let Some(tool) = ScopedTool::take(method, errors) else {
            continue;
        };
        let (name, at) = &tool.name;
        if let Some(earlier) = tools.iter().find(|earlier| earlier.name.0 == *name) {
            errors.push(syn::Error::new(
                *at,
                format!(
                    "two tools are named \"{name}\": `{}` and `{}`\nhelp: rename one of them, or \
                     give it another name with `name = \"…\"`",
                    earlier.method, tool.method
                ),
            ));
        }
        tools.push(tool);
    }
    tools
}

/// `#[scoped_tool]` that no `#[scoped_tools]` block took off: nothing would check it.
pub(crate) fn scoped_tool_outside_block(method: &TokenStream) -> TokenStream {
    let error = syn::Error::new(
        proc_macro2::Span::call_site(),
        "`#[scoped_tool]` works only inside a `#[scoped_tools]` impl block\nhelp: write \
         `#[scoped_tools]` above the `impl` that this method belongs to",
    )
    .into_compile_error();
    // The method stays, so that its uses elsewhere do not fail as well.
    let mut tokens = error;
    method.to_tokens(&mut tokens);
    tokens
}
