//! Checks of the types that a method takes and returns. Only the compiler knows what a type can do,
//! so each check is a constant that fails with one sentence, at the type.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{GenericArgument, ImplItemFn, PathArguments, ReturnType, Type, spanned::Spanned};

use crate::{
    declaration::Declaration,
    feature::Feature,
    tokens::{has_impl, parameters, text},
};

/// The checks of one method. `server` is the type of the block, and `resolve` makes a type of the
/// method one that can stand where the checks stand.
pub(crate) fn checks(
    method: &ImplItemFn,
    declared: &Declaration,
    server: &TokenStream,
    resolve: &dyn Fn(&Type) -> TokenStream,
) -> TokenStream {
    let mut checks = vec![];
    let feature = declared.feature;
    let taken = format_ident!("TAKEN_BY_{}", feature.word().to_uppercase());
    let result = format_ident!("{}_RESULT", feature.word().to_uppercase());
    let mut sets = vec![];
    for parameter in parameters(method) {
        let (span, probe) = (parameter.span(), probe(&resolve(parameter), server));
        let inner = type_arguments(parameter).first().map_or(span, Spanned::span);
        sets.push(quote!(#probe::IS_PARAMETERS as usize));
        let of_values = panic(inner, &wrong_arguments(feature, parameter));
        let of_others = panic(span, &wrong_parameter(feature, parameter));
        checks.push(quote!(if !#probe::#taken && !#probe::IS_MAYBE_PRINCIPAL {
            if #probe::IS_PARAMETERS { #of_values } else { #of_others }
        }));
        if declared.anonymous.is_some() {
            let of_anonymous = panic(span, &without_caller(feature, parameter));
            checks.push(quote!(if #probe::IS_PRINCIPAL || #probe::IS_TASKS { #of_anonymous }));
        }
        let needs_schema = match feature {
            Feature::Tool => declared.passed("input_schema").is_none(),
            Feature::Prompt => declared.passed("arguments").is_none(),
            Feature::Resource => false,
        };
        if needs_schema {
            checks.push(quote!(
                if #probe::IS_PARAMETERS && #probe::INPUT_SCHEMA.is_none() { #of_values }
            ));
        }
    }
    if sets.len() > 1 {
        let message = format!(
            "a {} has one `Parameters`, which takes all arguments\nhelp: put the fields into one \
             struct",
            feature.word()
        );
        let panic = panic(method.sig.ident.span(), &message);
        checks.push(quote!(if #(#sets)+* > 1 { #panic }));
    }
    if let ReturnType::Type(_, output) = &method.sig.output
        && !has_impl(output)
    {
        let whole = probe(&resolve(output), server);
        let parts = match in_result(output) {
            Some((value, error)) => {
                let of_value = probe(&resolve(value), server);
                let wrong_value = panic(at_json(value), &wrong_result(feature, value));
                let is_wrong_error = match feature {
                    Feature::Tool => {
                        let of_error = probe(&resolve(error), server);
                        quote!(!#of_error::TOOL_RESULT)
                    }
                    Feature::Resource => {
                        let of_error = probe(&resolve(error), server);
                        quote!(!#of_error::RESOURCE_ERROR)
                    }
                    Feature::Prompt => quote!(true),
                };
                let wrong_error = panic(error.span(), &wrong_error(feature, error));
                quote! {
                    if !#of_value::#result { #wrong_value }
                    if #is_wrong_error { #wrong_error }
                }
            }
            None => TokenStream::new(),
        };
        if feature == Feature::Tool {
            let written = in_result(output).map_or(&**output, |(value, _)| value);
            let list = panic(at_json(written), &list_result(written));
            let scalar = panic(at_json(written), &scalar_result(written));
            checks.push(quote!(if #whole::IS_LIST { #list }));
            checks.push(quote!(if #whole::IS_SCALAR { #scalar }));
        }
        let wrong = panic(at_json(output), &wrong_result(feature, output));
        checks.push(quote!(if !#whole::#result { #parts #wrong }));
    }
    quote!(#(#checks)*)
}

fn probe(type_: &TokenStream, server: &TokenStream) -> TokenStream {
    quote!(::scopeward::__private::Probe::<#type_, #server>)
}

/// A panic in a constant: an error of the compiler, at `span`.
pub(crate) fn panic(span: Span, message: &str) -> TokenStream {
    quote_spanned!(span=> ::core::panic!("{}", #message))
}

fn wrong_arguments(feature: Feature, parameter: &Type) -> String {
    let inner =
        type_arguments(parameter).first().map_or_else(|| text(parameter), |inner| text(inner));
    let (what, derives) = match feature {
        Feature::Resource => ("the variables of a URI", "`Deserialize`"),
        _ => ("the arguments of a call", "`Deserialize` and `JsonSchema`"),
    };
    format!(
        "`{inner}` cannot be read from {what}\nhelp: write `#[scopeward::data]` above it, or derive \
         {derives}"
    )
}

fn wrong_parameter(feature: Feature, parameter: &Type) -> String {
    let word = feature.word();
    let fields = match feature {
        Feature::Resource => "the variables of the URI",
        _ => "arguments",
    };
    format!(
        "a {word} cannot take `{}`\nhelp: {fields} are the fields of a struct: `Parameters(args): \
         Parameters<Args>`, with `#[scopeward::data]` above `struct Args`",
        text(parameter)
    )
}

fn without_caller(feature: Feature, parameter: &Type) -> String {
    format!(
        "with `anonymous = true` this {} is used without a caller, so there is no `{}`\nhelp: take an \
         `Option<Principal>`, or remove `anonymous`",
        feature.word(),
        text(parameter)
    )
}

fn wrong_result(feature: Feature, result: &Type) -> String {
    let (word, shown) = (feature.word(), text(result));
    if shown.contains("Future") {
        return format!("`{shown}` cannot be the result of a {word}\nhelp: write `async fn`");
    }
    if let (true, Some(inner)) =
        (is_called(result, "Json"), type_arguments(result).first().map(|inner| text(inner)))
        && feature != Feature::Prompt
    {
        return format!(
            "`{inner}` cannot be written as JSON\nhelp: write `#[scopeward::data]` above it, or \
             derive `Serialize` and `JsonSchema`"
        );
    }
    let help = match feature {
        Feature::Tool if is_scalar(&shown) => format!(
            "return it in a struct, `Json<Answer>`, with `#[scopeward::data]` above `struct Answer {{ \
             value: {shown} }}`; or return a `String`"
        ),
        Feature::Tool => format!(
            "return a `String`, or `Json<{shown}>` with `#[scopeward::data]` above the type; or a \
             `Result` of these"
        ),
        Feature::Prompt => {
            "return a `Vec<PromptMessage>` or a `GetPromptResult`, or a `Result` of \
                            these with the error `ErrorData`"
                .to_owned()
        }
        Feature::Resource => format!(
            "return a `String`, a `Vec<u8>`, or `Json<{shown}>` with `#[scopeward::data]` above the \
             type; or a `Result` of these"
        ),
    };
    format!("`{shown}` cannot be the result of a {word}\nhelp: {help}")
}

fn list_result(written: &Type) -> String {
    let shown = type_arguments(written).first().map_or_else(|| text(written), |inner| text(inner));
    format!(
        "`{shown}` is a list, and many clients read only an object as the result of a tool\nhelp: write \
         a struct with a field for it, and `#[scopeward::data]` above: `struct All {{ all: {shown} }}`"
    )
}

fn scalar_result(written: &Type) -> String {
    let shown = type_arguments(written).first().map_or_else(|| text(written), |inner| text(inner));
    format!(
        "`{shown}` is no object, and many clients read only an object as the result of a tool\nhelp: write \
         a struct with a field for it, and `#[scopeward::data]` above: `struct Answer {{ value: {shown} }}`"
    )
}

/// Whether a type is one of the language's own, above which no attribute can stand.
fn is_scalar(shown: &str) -> bool {
    const SCALARS: [&str; 17] = [
        "bool", "char", "String", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8",
        "u16", "u32", "u64", "u128", "usize",
    ];
    SCALARS.contains(&shown)
}

fn wrong_error(feature: Feature, error: &Type) -> String {
    let help = match feature {
        Feature::Tool => {
            "implement `IntoCallToolResult` for it, or return a `String` or `ErrorData`"
        }
        Feature::Prompt => "a prompt fails with `ErrorData`, such as `ErrorData::internal_error`",
        Feature::Resource => "implement `From` of it for `ErrorData`, or return `ErrorData`",
    };
    format!("`{}` cannot be the error of a {}\nhelp: {help}", text(error), feature.word())
}

/// The place of a result: within `Json<…>`, that of the type in it.
fn at_json(result: &Type) -> Span {
    match type_arguments(result).first() {
        Some(inner) if is_called(result, "Json") => inner.span(),
        _ => result.span(),
    }
}

/// The two types of a `Result`, as far as the syntax shows them. Only messages depend on it.
fn in_result(output: &Type) -> Option<(&Type, &Type)> {
    match &*type_arguments(output) {
        [value, error] if is_called(output, "Result") => Some((value, error)),
        _ => None,
    }
}

fn is_called(type_: &Type, name: &str) -> bool {
    matches!(type_, Type::Path(path)
        if path.path.segments.last().is_some_and(|last| last.ident == name))
}

fn type_arguments(type_: &Type) -> Vec<&Type> {
    let Type::Path(path) = type_ else { return vec![] };
    let Some(PathArguments::AngleBracketed(list)) =
        path.path.segments.last().map(|last| &last.arguments)
    else {
        return vec![];
    };
    let of_types = list.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(type_) => Some(type_),
        _ => None,
    });
    of_types.collect()
}
