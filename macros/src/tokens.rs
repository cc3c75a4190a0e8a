//! Types as tokens: their text for an error, and what of them can stand elsewhere.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{FnArg, ImplItemFn, Type};

/// The types of the parameters.
pub(crate) fn parameters(method: &ImplItemFn) -> impl Iterator<Item = &Type> {
    method.sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(&*typed.ty),
        FnArg::Receiver(_) => None,
    })
}

/// A type for the text of an error, as people write it.
pub(crate) fn text(type_: &Type) -> String {
    spaced(&type_.to_token_stream())
}

/// Tokens as people write them: without the spaces that the compiler puts between all of them.
pub(crate) fn spaced(tokens: &TokenStream) -> String {
    let text = tokens.to_string();
    let text = text.replace(" :: ", "::").replace(":: ", "::").replace(" < ", "<");
    let text = text.replace("< ", "<").replace(" <", "<").replace(" >", ">").replace("& ", "&");
    text.replace(" ,", ",").replace("< ", "<").replace(" :", ":")
}

/// The type with `'_` in place of the lifetimes of its method, which are not known elsewhere.
pub(crate) fn without_lifetimes(type_: &Type) -> TokenStream {
    fn replaced(tokens: TokenStream) -> TokenStream {
        let mut is_lifetime = false;
        tokens
            .into_iter()
            .map(|token| match token {
                TokenTree::Ident(ident) if is_lifetime => {
                    is_lifetime = false;
                    let name =
                        if ident == "static" { ident } else { Ident::new("_", ident.span()) };
                    TokenTree::Ident(name)
                }
                TokenTree::Group(group) => {
                    let inner = replaced(group.stream());
                    let mut inner = proc_macro2::Group::new(group.delimiter(), inner);
                    inner.set_span(group.span());
                    TokenTree::Group(inner)
                }
                other => {
                    is_lifetime =
                        matches!(&other, TokenTree::Punct(punct) if punct.as_char() == '\'');
                    other
                }
            })
            .collect()
    }
    replaced(type_.to_token_stream())
}

/// The tokens with the type of the block in place of `Self`.
pub(crate) fn replaced(tokens: TokenStream, server: &TokenStream) -> TokenStream {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(ident) if ident == "Self" => server.clone(),
            TokenTree::Group(group) => {
                let inner = replaced(group.stream(), server);
                let mut inner = proc_macro2::Group::new(group.delimiter(), inner);
                inner.set_span(group.span());
                TokenTree::Group(inner).into()
            }
            other => other.into(),
        })
        .collect()
}

/// Whether `impl Trait` stands in the type, which then has no name.
pub(crate) fn has_impl(type_: &Type) -> bool {
    let mut tokens = vec![quote!(#type_)];
    while let Some(stream) = tokens.pop() {
        for token in stream {
            match token {
                TokenTree::Ident(ident) if ident == "impl" => return true,
                TokenTree::Group(group) => tokens.push(group.stream()),
                _ => {}
            }
        }
    }
    false
}
