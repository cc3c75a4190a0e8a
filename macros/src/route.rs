//! Writes the routes: what adds a method to a router. The library puts the check in front.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{ImplItemFn, ReturnType, ext::IdentExt, spanned::Spanned};

use crate::{
    declaration::Declaration,
    feature::Feature,
    tokens::{has_impl, parameters, without_lifetimes},
};

/// The call that adds the method with this number in the registry to the router of its part.
pub(crate) fn route(number: usize, method: &ImplItemFn, declared: &Declaration) -> TokenStream {
    let call = call(method, declared);
    match declared.feature {
        Feature::Tool => {
            let description = some(description(method, declared).as_ref().map(into));
            let output = output_schema(method, declared);
            let details = details(declared, &["title", "icons", "meta"], annotations(declared));
            quote!(router.add(#number, #description, #output, #details, #call);)
        }
        Feature::Prompt => {
            let description = some(description(method, declared).as_ref().map(into));
            let details = details(declared, &["title", "icons", "meta"], None);
            let arguments = prompt_arguments(method, declared);
            quote!(router.add(#number, #description, #arguments, #details, #call);)
        }
        Feature::Resource => {
            let details = resource_details(method, declared);
            quote!(router.add(#number, #details, #call);)
        }
    }
}

/// The closure that takes each parameter from the checked call, and calls the method.
fn call(method: &ImplItemFn, declared: &Declaration) -> TokenStream {
    let ident = &declared.method;
    let word = declared.feature.word();
    let take = format_ident!("take_from_{word}");
    let parts: Vec<_> =
        (0..parameters(method).count()).map(|number| format_ident!("part_{number}")).collect();
    let takes = parameters(method).zip(&parts).map(|(type_, part)| {
        quote_spanned! {type_.span()=>
            let #part = ::scopeward::__private::Probe::<#type_, Self>::NEW.#take(&mut call)?;
        }
    });
    let receiver = method.sig.receiver().map(|_| quote!(server,));
    let server = receiver.is_some().then(|| quote!(let server = call.server();));
    let wait = method.sig.asyncness.map(|_| quote!(.await));
    let answer = format_ident!("{word}_answer");
    let is_nameless = matches!(&method.sig.output, ReturnType::Type(_, output) if has_impl(output));
    let (uri, more) = if declared.feature == Feature::Resource {
        let mime_type = some(declared.passed("mime_type").map(|value| quote!(#value)));
        (Some(quote!(let uri = call.uri().to_owned();)), Some(quote!(, &uri, #mime_type)))
    } else {
        (None, None)
    };
    let answer = if is_nameless {
        quote_spanned!(method.sig.output.span()=> ::scopeward::__private::#answer(answer #more))
    } else {
        quote!(::scopeward::__private::probe_of(&answer).#answer(answer #more))
    };
    let body = quote! {
        async move {
            #[allow(unused_mut)]
            let mut call = call;
            #server
            #uri
            #(#takes)*
            ::core::mem::drop(call);
            let answer = Self::#ident(#receiver #(#parts),*) #wait;
            #answer
        }
    };
    quote_spanned!(method.sig.ident.span()=> |call| ::std::boxed::Box::pin(#body))
}

/// The schema of a tool's result, as a function, if its type has one.
fn output_schema(method: &ImplItemFn, declared: &Declaration) -> TokenStream {
    if let Some(schema) = declared.passed("output_schema") {
        return quote!(::core::option::Option::Some(|| #schema));
    }
    match &method.sig.output {
        ReturnType::Type(_, output) if !has_impl(output) => {
            let output = without_lifetimes(output);
            quote!(::scopeward::__private::Probe::<#output, ()>::OUTPUT_SCHEMA)
        }
        _ => none(),
    }
}

/// The arguments of a prompt.
pub(crate) fn prompt_arguments(method: &ImplItemFn, declared: &Declaration) -> TokenStream {
    if let Some(arguments) = declared.passed("arguments") {
        return quote!(#arguments);
    }
    let types = parameters(method);
    quote! {
        ::scopeward::__private::arguments(
            &[#(::scopeward::__private::Probe::<#types, ()>::PROMPT_ARGUMENTS),*],
        )
    }
}

/// A function that adds what the list shows besides name, description and schemas.
fn details(declared: &Declaration, keys: &[&str], annotations: Option<TokenStream>) -> TokenStream {
    let with = keys.iter().filter_map(|key| {
        let (value, with) = (declared.passed(key)?, format_ident!("with_{key}"));
        Some(quote!(.#with(#value)))
    });
    let with: TokenStream = with.chain(annotations).collect();
    if with.is_empty() { none() } else { quote!(::core::option::Option::Some(|shown| shown #with)) }
}

fn annotations(declared: &Declaration) -> Option<TokenStream> {
    let hints = &declared.hints;
    let hint = |hint: Option<bool>| some(hint.map(|hint| quote!(#hint)));
    let title = some(hints.title.as_ref().map(|title| quote!(::std::string::String::from(#title))));
    let (read_only, destructive) = (hint(hints.read_only), hint(hints.destructive));
    let (idempotent, open_world) = (hint(hints.idempotent), hint(hints.open_world));
    (declared.has_annotations).then(|| {
        quote! {
            .with_annotations(::scopeward::rmcp::model::ToolAnnotations::from_raw(
                #title, #read_only, #destructive, #idempotent, #open_world,
            ))
        }
    })
}

fn resource_details(method: &ImplItemFn, declared: &Declaration) -> TokenStream {
    let text = |key: &str| {
        some(declared.passed(key).map(|value| quote!(::std::string::String::from(#value))))
    };
    let value = |key: &str| some(declared.passed(key).map(|value| quote!(#value)));
    let own_name = declared.method.unraw().to_string();
    let name = declared.passed("name").map_or_else(|| quote!(#own_name), |name| quote!(#name));
    let description =
        some(description(method, declared).map(|text| quote!(::std::string::String::from(#text))));
    let (title, mime_type) = (text("title"), text("mime_type"));
    let (icons, meta) = (value("icons"), value("meta"));
    quote! {
        ::scopeward::mcp::ResourceDetails {
            name: ::std::string::String::from(#name),
            title: #title,
            description: #description,
            mime_type: #mime_type,
            icons: #icons,
            meta: #meta,
        }
    }
}

/// The description: what was written, or the doc comment; `None` if there is none.
fn description(method: &ImplItemFn, declared: &Declaration) -> Option<TokenStream> {
    match declared.passed("description") {
        Some(description) => Some(quote!(#description)),
        None => documentation(method, declared.feature),
    }
}

/// The text of the doc comment, as an expression; `None` if there is none. As in rmcp 3.11, the
/// description of a tool or a prompt has no empty lines.
fn documentation(method: &ImplItemFn, feature: Feature) -> Option<TokenStream> {
    let mut parts: Vec<TokenStream> = vec![];
    let mut literal = String::new();
    let mut is_first = true;
    for attribute in method.attrs.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let syn::Meta::NameValue(syn::MetaNameValue { value, .. }) = &attribute.meta else {
            continue;
        };
        let line = match value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => text.value(),
            // `#[doc = include_str!("…")]`
            syn::Expr::Macro(text) => {
                literal.push_str(if is_first { "" } else { "\n" });
                parts.push(quote!(#literal));
                parts.push(quote!(#text));
                literal.clear();
                is_first = false;
                continue;
            }
            _ => continue,
        };
        let line = line.trim();
        if line.is_empty() && (feature != Feature::Resource || is_first) {
            continue;
        }
        literal.push_str(if is_first { "" } else { "\n" });
        literal.push_str(line);
        is_first = false;
    }
    let end = literal.trim_end();
    if parts.is_empty() {
        return (!end.is_empty()).then(|| quote!(#end));
    }
    Some(quote!(::core::concat!(#(#parts,)* #end)))
}

fn into(value: &TokenStream) -> TokenStream {
    quote!(::core::convert::Into::into(#value))
}

fn none() -> TokenStream {
    quote!(::core::option::Option::None)
}

fn some(value: Option<TokenStream>) -> TokenStream {
    value.map_or_else(none, |value| quote!(::core::option::Option::Some(#value)))
}
