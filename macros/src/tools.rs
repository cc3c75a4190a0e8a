//! Reads the impl block: finds its declarations, and checks them against each other.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{ImplItem, ItemImpl, ReceiverKind, ReturnType};

use crate::{declaration::Declaration, expand, feature::Feature, place::Place, uri};

/// Expands `#[scoped_tools]` on an impl block.
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
    let place = Place::read(arguments, &mut errors);
    if let Some((of_trait, _)) = &block.trait_ {
        errors.push(syn::Error::new_spanned(
            of_trait,
            "`#[scoped_tools]` belongs on an impl block of the type itself, not of a trait\nhelp: \
             move the tools into `impl Server { … }`",
        ));
    }
    for lifetime in block.generics.lifetimes() {
        errors.push(syn::Error::new_spanned(
            lifetime,
            "a server owns what it holds, because it lives as long as the program\nhelp: remove the \
             lifetime; use an `Arc` for what is shared",
        ));
    }
    let declared = collect(&mut block, &mut errors);
    if declared.is_empty() && errors.is_empty() {
        errors.push(syn::Error::new_spanned(
            &block.self_ty,
            "no tool in this impl block\nhelp: annotate a method with \
             `#[scoped_tool(scopes = [\"…\"])]`",
        ));
    }

    if errors.is_empty() {
        expand::block(block, &declared, &place)
    } else {
        let errors = errors.iter().map(syn::Error::to_compile_error);
        let rest = expand::after_errors(&block, &place);
        quote!(#(#errors)* #rest)
    }
}

/// Takes every declaration off the block, and reports two with one name or overlapping URIs.
fn collect(block: &mut ItemImpl, errors: &mut Vec<syn::Error>) -> Vec<Declaration> {
    let mut declared: Vec<Declaration> = vec![];
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        let Some(one) = Declaration::take(method, errors) else {
            continue;
        };
        let (name, at) = &one.name;
        let clash = declared.iter().find(|earlier| {
            earlier.feature == one.feature
                && (earlier.name.0 == *name
                    || (one.feature == Feature::Resource && uri::overlap(&earlier.name.0, name)))
        });
        if let Some(earlier) = clash {
            let (word, other) = (one.feature.word(), &earlier.name.0);
            let both = format!("`{}` and `{}`", earlier.method, one.method);
            errors.push(syn::Error::new(
                *at,
                if one.feature == Feature::Resource {
                    format!(
                        "a URI of \"{name}\" could be one of \"{other}\" as well: {both}\nhelp: \
                         change one of the two"
                    )
                } else {
                    format!(
                        "two {word}s are named \"{name}\": {both}\nhelp: rename one of them, or \
                         give it another name with `name = \"…\"`"
                    )
                },
            ));
        }
        declared.push(one);
    }
    for one in &declared {
        check_completion(block, one, errors);
    }
    declared
}

/// Reports a completion whose method stands in the block and has another form.
fn check_completion(block: &ItemImpl, declared: &Declaration, errors: &mut Vec<syn::Error>) {
    let Some(name) = &declared.complete else { return };
    let method = block.items.iter().find_map(|item| match item {
        ImplItem::Fn(method) if method.sig.ident == *name => Some(method),
        _ => None,
    });
    let Some(method) = method else { return };
    let signature = &method.sig;
    let takes_self = matches!(
        signature.receiver().map(|receiver| &receiver.kind),
        Some(ReceiverKind::Reference(_, _, None))
    );
    let returns = matches!(signature.output, ReturnType::Type(..));
    if signature.asyncness.is_none() || !takes_self || signature.inputs.len() != 3 || !returns {
        errors.push(syn::Error::new(
            name.span(),
            format!(
                "`{name}` has not the form of a completion\nhelp: write `async fn {name}(&self, \
                 caller: Principal, request: CompleteRequestParams) -> Vec<String>`"
            ),
        ));
    }
}

/// Reports an attribute that stands outside a `#[scoped_tools]` block, because nothing would check
/// its method.
pub(crate) fn outside_block(feature: Feature, method: &TokenStream) -> TokenStream {
    let error = syn::Error::new(
        proc_macro2::Span::call_site(),
        format!(
            "`#[{}]` works only inside a `#[scoped_tools]` impl block\nhelp: write \
             `#[scoped_tools]` above the `impl` that this method belongs to",
            feature.attribute()
        ),
    )
    .into_compile_error();
    // The method stays in the output, so that its uses elsewhere do not fail as well.
    let mut tokens = error;
    method.to_tokens(&mut tokens);
    tokens
}
