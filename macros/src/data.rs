//! `#[data]`: the derives of arguments and results, from Scopeward's own dependencies.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Item, Meta, Path, Token, punctuated::Punctuated};

/// Expands `#[data]` on a struct or enum.
pub(crate) fn data(arguments: &TokenStream, tokens: &TokenStream) -> TokenStream {
    let item = syn::parse2::<Item>(tokens.clone());
    let attributes = match &item {
        Ok(Item::Struct(item)) => &item.attrs,
        Ok(Item::Enum(item)) => &item.attrs,
        _ => {
            let error = syn::Error::new_spanned(
                tokens.clone().into_iter().next(),
                "`#[data]` belongs on a struct or an enum\nhelp: write it above the type of the \
                 arguments or of the result of a tool",
            )
            .into_compile_error();
            return quote!(#error #tokens);
        }
    };
    let error = (!arguments.is_empty()).then(|| {
        syn::Error::new_spanned(
            arguments,
            "`#[data]` takes no arguments\nhelp: write attributes of serde and schemars below it: \
             `#[serde(rename_all = \"camelCase\")]`",
        )
        .into_compile_error()
    });
    // What is derived already is not derived again.
    let derived: Vec<String> = attributes.iter().flat_map(derives).collect();
    let is_new = |name: &str| !derived.iter().any(|other| other == name);
    let (deserialize, serialize) = (is_new("Deserialize"), is_new("Serialize"));
    let schema = is_new("JsonSchema");
    let deserialize =
        deserialize.then(|| quote!(#[derive(::scopeward::__private::serde::Deserialize)]));
    let serialize = serialize.then(|| quote!(#[derive(::scopeward::__private::serde::Serialize)]));
    let schema_derive =
        schema.then(|| quote!(#[derive(::scopeward::__private::schemars::JsonSchema)]));
    let serde_crate = ((deserialize.is_some() || serialize.is_some())
        && !names_crate(attributes, "serde"))
    .then(|| quote!(#[serde(crate = "::scopeward::__private::serde")]));
    let schema_crate = (schema && !names_crate(attributes, "schemars"))
        .then(|| quote!(#[schemars(crate = "::scopeward::__private::schemars")]));
    quote! {
        #error
        #deserialize
        #serialize
        #schema_derive
        #serde_crate
        #schema_crate
        #tokens
    }
}

/// The last parts of the paths that an attribute derives.
fn derives(attribute: &Attribute) -> Vec<String> {
    if !attribute.path().is_ident("derive") {
        return vec![];
    }
    let paths = attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated);
    let last = |path: Path| path.segments.last().map(|segment| segment.ident.to_string());
    paths.into_iter().flatten().filter_map(last).collect()
}

/// Whether an attribute `#[which(crate = "…")]` is there already.
fn names_crate(attributes: &[Attribute], which: &str) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident(which)).any(|attribute| {
        let Meta::List(list) = &attribute.meta else { return false };
        let mut tokens = list.tokens.to_token_stream().into_iter();
        tokens.any(|token| token.to_string() == "crate")
    })
}
