//! Writes the expansion: the block as its author wrote it, and beside it a trait implementation with
//! the registry and the routes. No route leads to a method but through the library's check.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Generics, ImplItem, ImplItemFn, ItemImpl, Type, parse_quote};

use crate::{
    asked,
    declaration::Declaration,
    feature::Feature,
    place::{Place, hash},
    route::{prompt_arguments, route},
    tokens::{parameters, replaced, spaced, without_lifetimes},
    typed,
};

/// Expands a block that has no mistakes.
pub(crate) fn block(mut block: ItemImpl, declared: &[Declaration], place: &Place) -> TokenStream {
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        if declared.iter().any(|one| one.method == method.sig.ident) {
            // These lints are off, because the author does not choose the shape of such a method.
            // They stand before the author's own attributes, which therefore count.
            method.attrs.insert(0, parse_quote!(
                #[allow(clippy::needless_pass_by_value, clippy::unused_async, clippy::unused_self)]
            ));
        }
    }
    let methods: Vec<(&ImplItemFn, &Declaration)> = block
        .items
        .iter()
        .filter_map(|item| match item {
            ImplItem::Fn(method) => Some(method),
            _ => None,
        })
        .filter_map(|method| {
            Some((method, declared.iter().find(|one| one.method == method.sig.ident)?))
        })
        .collect();
    let checks = TypeChecks::of(&block, &methods, place);
    let asked = asked::checks(&block, declared);
    let in_constant = &checks.in_constant;
    let part = part(&methods);
    let implementation = implementation(&block, place, in_constant, &part);
    let beside = &checks.beside;
    quote! {
        #block

        const _: () = {
            #[allow(unused_imports)]
            use ::scopeward::{
                __private::{
                    AnswerNothing as _, AnswerPrompt as _, AnswerResource as _, AnswerTool as _,
                    Take as _, TakeFromPrompt as _, TakeFromResource as _, TakeNothing as _,
                    Unknown as _, UnknownPart as _,
                },
                rmcp,
            };
            #implementation
            #(#beside)*
            #(#asked)*
        };
    }
}

/// Expands a block that has mistakes to its methods and an empty part, so that the rest of the
/// program compiles and the mistakes are the only errors on the screen.
pub(crate) fn after_errors(block: &ItemImpl, place: &Place) -> TokenStream {
    if block.trait_.is_some() {
        return quote!(#block);
    }
    let mut visible = block.clone();
    for item in &mut visible.items {
        if let ImplItem::Fn(method) = item {
            method.attrs.push(parse_quote!(#[allow(dead_code)]));
        }
    }
    let place = match place {
        Place::Main(_) => Place::Main(vec![]),
        Place::Part(part) => Place::Part(part.clone()),
    };
    let lifetimes = block.generics.lifetimes().count() > 0;
    let empty = quote!(::scopeward::__private::Part::EMPTY);
    let implementation =
        (!lifetimes).then(|| implementation(block, &place, &TokenStream::new(), &empty));
    quote! {
        #[allow(dead_code, clippy::all)]
        #visible
        #implementation
    }
}

/// The checks of types: beside the implementation, where they are made by `cargo check`, or within
/// its constant if they name parameters of the block.
struct TypeChecks {
    beside: Vec<TokenStream>,
    in_constant: TokenStream,
}

impl TypeChecks {
    fn of(block: &ItemImpl, methods: &[(&ImplItemFn, &Declaration)], place: &Place) -> Self {
        if block.generics.params.is_empty() {
            let server = block.self_ty.to_token_stream();
            let resolve = |type_: &Type| {
                let named = quote!(<#server>);
                replaced(without_lifetimes(type_), &named)
            };
            let of_types = methods
                .iter()
                .map(|(method, declared)| typed::checks(method, declared, &server, &resolve));
            let main = main_block();
            let declared = quote!(<#server as #main>::DECLARED);
            let checks = of_types.chain(of_parts(&server, &server, place));
            let checks = checks.chain(of_names(&declared, place));
            let beside = checks.map(|checks| quote!(const _: () = { #checks };)).collect();
            Self { beside, in_constant: TokenStream::new() }
        } else {
            let server = quote!(Self);
            let of_types = methods.iter().map(|(method, declared)| {
                typed::checks(method, declared, &server, &|type_| without_lifetimes(type_))
            });
            let shown = block.self_ty.to_token_stream();
            let in_constant = of_types.chain(of_parts(&server, &shown, place)).collect();
            Self { beside: vec![], in_constant }
        }
    }
}

/// The checks that the blocks of a type know of each other.
fn of_parts(server: &TokenStream, shown: &TokenStream, place: &Place) -> Vec<TokenStream> {
    let shown = spaced(shown);
    match place {
        Place::Main(parts) => parts
            .iter()
            .map(|part| {
                let name = hash(part);
                let message = format!(
                    "`{shown}` has no part `{part}`\nhelp: write `#[scoped_tools(part = {part})] \
                         impl {shown} {{ … }}` in any file of this crate, or remove `{part}` here"
                );
                let panic = typed::panic(part.span(), &message);
                quote! {
                    if !::scopeward::__private::PartProbe::<#server, #name>::EXISTS { #panic }
                }
            })
            .collect(),
        Place::Part(part) => {
            let name = hash(part);
            let message = format!(
                "no block of `{shown}` lists the part `{part}`\nhelp: write `#[scoped_tools(parts = \
                 [{part}])]` on the block without `part`, or add `{part}` to its list"
            );
            let panic = typed::panic(part.span(), &message);
            vec![quote! {
                if !::scopeward::__private::PartProbe::<#server, #name>::IS_LISTED { #panic }
            }]
        }
    }
}

/// The check that no name stands in two parts.
fn of_names(declared: &TokenStream, place: &Place) -> Option<TokenStream> {
    let Place::Main(parts) = place else { return None };
    let panic = quote_spanned!(parts.first()?.span()=> ::core::panic!("{}", sentence.as_str()));
    Some(quote! {
        if let ::core::option::Option::Some(sentence) =
            &::scopeward::__private::two_with_one_name(#declared)
        {
            #panic
        }
    })
}

fn main_block() -> TokenStream {
    quote!(::scopeward::__private::MainBlock<::scopeward::__private::Hint>)
}

/// The implementation of the trait that makes the block a part of its type's server.
fn implementation(
    block: &ItemImpl,
    place: &Place,
    checks: &TokenStream,
    part: &TokenStream,
) -> TokenStream {
    let self_ty = &block.self_ty;
    let generics = with_bounds(&block.generics);
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let attributes = quote! {
        #[automatically_derived]
        #[allow(clippy::all, clippy::pedantic, clippy::nursery, clippy::restriction)]
    };
    match place {
        Place::Main(parts) => {
            let names: Vec<u64> = parts.iter().map(hash).collect();
            let numbers = 0..=parts.len();
            let main = main_block();
            let declared = quote!(&[#(<Self as #main>::PARTS[#numbers].declared()),*]);
            // Of a type without parameters, `cargo check` makes the check (`TypeChecks`).
            let of_names =
                (!block.generics.params.is_empty()).then(|| of_names(&declared, place)).flatten();
            quote! {
                #attributes
                impl #impl_generics #main for #self_ty #where_clause {
                    const PARTS: &'static [::scopeward::__private::Part<Self>] = {
                        #checks
                        &[
                            #part,
                            #(::scopeward::__private::PartProbe::<Self, #names>::PART,)*
                        ]
                    };
                    const DECLARED: &'static [&'static [::scopeward::Declaration]] = {
                        #of_names
                        #declared
                    };
                    const SERVER: (&'static str, &'static str) = (
                        ::core::env!("CARGO_CRATE_NAME"),
                        ::core::env!("CARGO_PKG_VERSION"),
                    );
                }
                #(
                    #[automatically_derived]
                    impl #impl_generics ::scopeward::__private::ListsPart<#names> for #self_ty
                        #where_clause {}
                )*
            }
        }
        Place::Part(name) => {
            let name = hash(name);
            quote! {
                #attributes
                impl #impl_generics ::scopeward::__private::HasPart<#name> for #self_ty
                    #where_clause
                {
                    const PART: ::scopeward::__private::Part<Self> = {
                        #checks
                        #part
                    };
                }
            }
        }
    }
}

/// The generics of the block, each type of which can be used by several threads, because every
/// server is.
fn with_bounds(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    for parameter in generics.type_params_mut() {
        let bounds = [quote!(::core::marker::Send), quote!(::core::marker::Sync), quote!('static)];
        parameter
            .bounds
            .extend(bounds.map(|bound| -> syn::TypeParamBound { parse_quote!(#bound) }));
    }
    generics
}

/// What the block adds, as a constant expression.
fn part(methods: &[(&ImplItemFn, &Declaration)]) -> TokenStream {
    let entries = methods.iter().map(|(method, one)| declaration(method, one));
    let tasks = methods
        .iter()
        .filter(|(_, one)| one.feature == Feature::Tool)
        .flat_map(|(method, _)| parameters(method));
    let routes = |feature: Feature| -> TokenStream {
        let of = methods.iter().enumerate().filter(move |(_, (_, one))| one.feature == feature);
        of.map(|(number, (method, one))| route(number, method, one)).collect()
    };
    let (tools, resources, prompts) =
        (routes(Feature::Tool), routes(Feature::Resource), routes(Feature::Prompt));
    let completions = methods.iter().filter_map(|(_, one)| completion(one));
    quote! {
        ::scopeward::__private::Part::new(
            const { &[#(#entries),*] },
            false #(|| ::scopeward::__private::Probe::<#tasks, ()>::IS_TASKS)*,
            |router| { let _ = &router; #tools },
            |router| { let _ = &router; #resources },
            |router| { let _ = &router; #prompts },
            |all| all #(#completions)*,
        )
    }
}

/// The completions of a resource or prompt; `None` without `complete = method`.
fn completion(declared: &Declaration) -> Option<TokenStream> {
    let method = declared.complete.as_ref()?;
    let (feature, name) = (declared.feature.path(), &declared.name.0);
    let call = quote_spanned! {method.span()=>
        ::std::boxed::Box::pin(Self::#method(server, caller, request))
    };
    Some(quote!(.with(#feature, #name, |server, caller, request| #call)))
}

/// The entry in the registry, as a constant expression.
fn declaration(method: &ImplItemFn, declared: &Declaration) -> TokenStream {
    let (feature, name) = (declared.feature.path(), &declared.name.0);
    let (scopes, optional) = (&declared.scopes, &declared.optional);
    let (line, column) = position(declared.declared_at);
    let types: Vec<&Type> = parameters(method).collect();
    // Scopes beside `anonymous` are reported already, and would be reported again here.
    let is_sound = declared.scopes.is_empty();
    let anonymous = declared.anonymous.filter(|_| is_sound).map(|_| quote!(.open_to_anonymous()));
    let needs_caller = quote!(
        false #(|| ::scopeward::__private::Probe::<#types, ()>::IS_PRINCIPAL
            || ::scopeward::__private::Probe::<#types, ()>::IS_TASKS)*
    );
    let more = match declared.feature {
        Feature::Tool => {
            let of_types = || {
                quote! {
                    ::scopeward::__private::input_schema(
                        &[#(::scopeward::__private::Probe::<#types, ()>::INPUT_SCHEMA),*],
                    )
                }
            };
            let written = declared.passed("input_schema");
            let schema = written.map_or_else(of_types, |schema| quote!(#schema));
            let only =
                quote!(true #(&& ::scopeward::__private::Probe::<#types, ()>::ONLY_ANSWERS)*);
            let hints = (!declared.hints.is_empty()).then(|| {
                let hint = |hint: Option<bool>| {
                    hint.map_or_else(
                        || quote!(::core::option::Option::None),
                        |hint| quote!(::core::option::Option::Some(#hint)),
                    )
                };
                let (read_only, destructive) =
                    (hint(declared.hints.read_only), hint(declared.hints.destructive));
                quote!(.with_hints(#read_only, #destructive))
            });
            quote!(#hints .with_arguments(|| #schema).answering_only_if(#only))
        }
        Feature::Prompt => {
            let arguments = prompt_arguments(method, declared);
            quote!(.with_arguments(|| ::scopeward::__private::prompt_arguments(#arguments)))
        }
        Feature::Resource => quote! {
            .with_arguments(|| ::scopeward::__private::uri_arguments(#name))
            .with_fields(::scopeward::__private::fields(
                &[#(::scopeward::__private::Probe::<#types, ()>::FIELDS),*],
                &[#(::scopeward::__private::Probe::<#types, ()>::HAS_NO_VARIABLES),*],
            ))
        },
    };
    quote! {
        ::scopeward::Declaration::new(
            #feature,
            #name,
            &[#(#scopes),*],
            &[#(#optional),*],
            ::scopeward::Location::new(::core::file!(), #line, #column),
        )
        .needing_caller_if(#needs_caller)
        #anonymous
        #more
    }
}

/// The line and column of the attribute itself, because `line!()` would give those of
/// `#[scoped_tools]`.
fn position(span: Span) -> (u32, u32) {
    let start = span.unwrap().start();
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    (narrow(start.line()), narrow(start.column()))
}
