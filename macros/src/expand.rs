//! Writes the expansion: rmcp's own attributes, the check as each method's first parameter, and the
//! registry. The expansion adds nothing at run time but that parameter.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Type, parse_quote};

use crate::{declaration::Declaration, feature::Feature};

/// Puts the check in front of the method's own parameters. Parameters are extracted in order, and
/// the first failure ends the call, so the check runs before the arguments are read.
fn insert_check(method: &mut ImplItemFn, index: usize) {
    let check: FnArg = parse_quote!(_: ::scopeward::__private::ScopeCheck<#index>);
    let position = usize::from(method.sig.receiver().is_some());
    method.sig.inputs.insert(position, check);
}

fn set_attributes(method: &mut ImplItemFn, declared: &Declaration) {
    let for_rmcp = declared.for_rmcp();
    match declared.feature {
        Feature::Tool => method.attrs.push(parse_quote!(#[rmcp::tool(#(#for_rmcp),*)])),
        Feature::Prompt => method.attrs.push(parse_quote!(#[rmcp::prompt(#(#for_rmcp),*)])),
        Feature::Resource => {}
    }
    // These lints are off, because the author does not choose the shape of such a method.
    method.attrs.push(parse_quote!(
        #[allow(clippy::needless_pass_by_value, clippy::unused_async, clippy::unused_self)]
    ));
    // rmcp 3.11 takes the description from the doc comment, and loses it if another attribute
    // follows. So the doc comment is moved to the end.
    method.attrs.sort_by_key(|attribute| attribute.path().is_ident("doc"));
}

/// Expands a block that has no mistakes.
pub(crate) fn block(mut block: ItemImpl, declared: &[Declaration]) -> TokenStream {
    let mut routes = vec![];
    let mut answering = vec![];
    let mut has_tasks = false;
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        let number = declared.iter().position(|one| one.method == method.sig.ident);
        let Some(number) = number else { continue };
        let one = &declared[number];
        if one.feature == Feature::Tool && only_answers(method) {
            answering.push(number);
        }
        insert_check(method, number);
        if one.feature == Feature::Resource {
            routes.push(route(method, one));
        }
        has_tasks = has_tasks || (one.feature == Feature::Tool && takes_tasks(method));
        set_attributes(method, one);
    }
    let has = |feature: Feature| declared.iter().any(|one| one.feature == feature);
    let entries = declared.iter().enumerate().map(|(number, one)| {
        let entry = declaration(one);
        let only = answering.contains(&number).then(|| quote!(.answering_only()));
        quote!(#entry #only)
    });
    let tools = if has(Feature::Tool) {
        quote!(::scopeward::__private::refusals_as_results(Self::__scopeward_router()))
    } else {
        quote!(::core::default::Default::default())
    };
    let prompts = has(Feature::Prompt).then(|| quote! {
        fn prompt_router() -> ::scopeward::rmcp::handler::server::router::prompt::PromptRouter<Self> {
            Self::__scopeward_prompt_router()
        }
    });
    let completions: Vec<TokenStream> = declared.iter().filter_map(completion).collect();
    let registration = scoped_tools_impl(
        &block,
        &quote!(::scopeward::Registry::new(&[#(#entries),*])),
        &tools,
        &quote! {
            const HAS_TASKS: bool = #has_tasks;

            fn resource_router() -> ::scopeward::mcp::ResourceRouter<Self> {
                ::scopeward::mcp::ResourceRouter::default() #(#routes)*
            }

            #prompts

            fn completions() -> ::scopeward::mcp::Completions<Self> {
                ::scopeward::mcp::Completions::default() #(#completions)*
            }
        },
    );
    let tool_router =
        has(Feature::Tool).then(|| quote!(#[rmcp::tool_router(router = __scopeward_router)]));
    let prompt_router = has(Feature::Prompt)
        .then(|| quote!(#[rmcp::prompt_router(router = "__scopeward_prompt_router")]));
    // rmcp's macros expand to paths that begin with `rmcp::`. The constant makes that name known,
    // so that the author does not need rmcp as a dependency.
    quote! {
        const _: () = {
            #[allow(unused_imports)]
            use ::scopeward::rmcp;

            #tool_router
            #prompt_router
            #block

            #registration
        };
    }
}

/// Expands a block that has mistakes to its methods and an empty registry, so that the rest of the
/// program compiles and the mistakes are the only errors on the screen.
pub(crate) fn after_errors(block: &ItemImpl) -> TokenStream {
    if block.trait_.is_some() {
        return quote!(#block);
    }
    let registration = scoped_tools_impl(
        block,
        &quote!(::scopeward::Registry::new(&[])),
        &quote!(::core::default::Default::default()),
        &TokenStream::new(),
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
    more: &TokenStream,
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

            #more
        }
    }
}

/// Whether a tool has a parameter of type `Tasks`.
fn takes_tasks(method: &ImplItemFn) -> bool {
    parameters(method).any(|name| name.is_some_and(|name| name == "Tasks"))
}

/// Whether no parameter lets the tool send something to its caller before the result. A parameter
/// of an unknown type might.
fn only_answers(method: &ImplItemFn) -> bool {
    const KNOWN: [&str; 3] = ["Parameters", "Principal", "Updates"];
    parameters(method).all(|name| name.is_some_and(|name| KNOWN.iter().any(|known| name == known)))
}

/// The types of the parameters, each by the last part of its path; `None` for a type without a
/// path.
fn parameters(method: &ImplItemFn) -> impl Iterator<Item = Option<&Ident>> {
    method.sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(match &*typed.ty {
            Type::Path(path) => path.path.segments.last().map(|last| &last.ident),
            _ => None,
        }),
        FnArg::Receiver(_) => None,
    })
}

/// The route of a resource: its details, and a closure that extracts each parameter, the check
/// first, and calls the method.
fn route(method: &ImplItemFn, declared: &Declaration) -> TokenStream {
    let types: Vec<&Type> = method
        .sig
        .inputs
        .iter()
        .filter_map(|input| match input {
            FnArg::Typed(typed) => Some(&*typed.ty),
            FnArg::Receiver(_) => None,
        })
        .collect();
    let names: Vec<_> = (0..types.len()).map(|number| format_ident!("part_{number}")).collect();
    let (uri, ident) = (&declared.name.0, &declared.method);
    let receiver = method.sig.receiver().map(|_| quote!(server,));
    let wait = method.sig.asyncness.map(|_| quote!(.await));
    let passed = |key: &str| {
        let passed = declared.passed_on.iter().find(|passed| passed.key == key)?;
        passed.value.as_ref()
    };
    let some = |value: Option<TokenStream>| {
        value.map_or_else(
            || quote!(::core::option::Option::None),
            |value| quote!(::core::option::Option::Some(#value)),
        )
    };
    let text =
        |key: &str| some(passed(key).map(|value| quote!(::std::string::String::from(#value))));
    let optional_value = |key: &str| some(passed(key).map(|value| quote!(#value)));
    let own_name = syn::ext::IdentExt::unraw(ident).to_string();
    let name = passed("name").map_or_else(|| quote!(#own_name), |name| quote!(#name));
    let description = match passed("description") {
        Some(_) => text("description"),
        None => some(documentation(method).map(|text| quote!(::std::string::String::from(#text)))),
    };
    let (title, mime_type) = (text("title"), text("mime_type"));
    let (icons, meta) = (optional_value("icons"), optional_value("meta"));
    let media = optional_value("mime_type");
    quote! {
        .with(
            #uri,
            ::scopeward::mcp::ResourceDetails {
                name: ::std::string::String::from(#name),
                title: #title,
                description: #description,
                mime_type: #mime_type,
                icons: #icons,
                meta: #meta,
            },
            |mut context| ::std::boxed::Box::pin(async move {
                #[allow(unused_variables)]
                let server: &Self = context.server();
                let uri = context.uri().to_owned();
                #(
                    let #names: #types = rmcp::handler::server::common::FromContextPart::<
                        ::scopeward::mcp::ResourceContext<'_, Self>,
                    >::from_context_part(&mut context)?;
                )*
                ::scopeward::mcp::IntoResource::into_resource(
                    Self::#ident(#receiver #(#names),*) #wait,
                    &uri,
                    #media,
                )
            }),
        )
    }
}

/// The text of the doc comment; `None` if there is none.
fn documentation(method: &ImplItemFn) -> Option<String> {
    let lines: Vec<String> = method
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .filter_map(|attribute| match &attribute.meta {
            syn::Meta::NameValue(syn::MetaNameValue {
                value: syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }),
                ..
            }) => Some(text.value().trim().to_owned()),
            _ => None,
        })
        .collect();
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The completions of a resource or prompt; `None` without `complete = method`.
fn completion(declared: &Declaration) -> Option<TokenStream> {
    let method = declared.complete.as_ref()?;
    let (feature, name) = (declared.feature.path(), &declared.name.0);
    Some(quote! {
        .with(#feature, #name, |server, caller, request| {
            ::std::boxed::Box::pin(Self::#method(server, caller, request))
        })
    })
}

/// The entry in the registry, as a constant expression.
fn declaration(declared: &Declaration) -> TokenStream {
    let (feature, name) = (declared.feature.path(), &declared.name.0);
    let (scopes, optional) = (&declared.scopes, &declared.optional);
    let (line, column) = position(declared.declared_at);
    let hint = |hint: Option<bool>| {
        hint.map_or_else(
            || quote!(::core::option::Option::None),
            |hint| quote!(::core::option::Option::Some(#hint)),
        )
    };
    let (read_only, destructive) =
        (hint(declared.hints.read_only), hint(declared.hints.destructive));
    let arguments = match declared.feature {
        Feature::Tool => {
            let attribute = format_ident!("{}_tool_attr", declared.method);
            quote!(.with_arguments(|| Self::#attribute().input_schema))
        }
        Feature::Prompt => {
            let attribute = format_ident!("{}_prompt_attr", declared.method);
            quote!(.with_arguments(|| ::scopeward::__private::prompt_arguments(&Self::#attribute())))
        }
        Feature::Resource => {
            quote!(.with_arguments(|| ::scopeward::__private::uri_arguments(#name)))
        }
    };
    quote! {
        ::scopeward::Declaration::new(
            #feature,
            #name,
            &[#(#scopes),*],
            &[#(#optional),*],
            ::scopeward::Location::new(::core::file!(), #line, #column),
        )
        .with_hints(#read_only, #destructive)
        #arguments
    }
}

/// The line and column of the attribute itself, because `line!()` would give those of
/// `#[scoped_tools]`.
fn position(span: Span) -> (u32, u32) {
    let start = span.unwrap().start();
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    (narrow(start.line()), narrow(start.column()))
}
