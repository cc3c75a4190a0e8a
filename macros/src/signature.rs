//! Mistakes in the signature of a method that its syntax shows. What only the types show is checked
//! in the expansion (`check.rs`).

use quote::ToTokens;
use syn::{FnArg, GenericParam, ImplItemFn, ReceiverKind, ReturnType, Safety, Type};

use crate::{
    feature::Feature,
    tokens::{spaced, text},
};

/// Reports the mistakes of a method.
pub(crate) fn check(feature: Feature, method: &ImplItemFn, errors: &mut Vec<syn::Error>) {
    let word = feature.word();
    let signature = &method.sig;
    let mut wrong = |tokens: &dyn ToTokens, message: String| {
        errors.push(syn::Error::new_spanned(tokens.to_token_stream(), message));
    };
    if let Some(constness) = &signature.constness {
        wrong(constness, format!("a {word} cannot be a `const fn`\nhelp: remove `const`"));
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        let help = "callers cannot promise anything; remove `unsafe`";
        wrong(unsafety, format!("a {word} cannot be an `unsafe fn`\nhelp: {help}"));
    }
    if let Some(abi) = &signature.abi {
        wrong(abi, format!("a {word} is a Rust function\nhelp: remove `extern`"));
    }
    for parameter in &signature.generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            let help = "its caller cannot choose types; write the type itself, or make the type \
                        of the `impl` block generic";
            wrong(parameter, format!("a {word} cannot have generic parameters\nhelp: {help}"));
        }
    }
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(receiver) => {
                let by_reference = match &receiver.kind {
                    ReceiverKind::Reference(_, _, None) => true,
                    ReceiverKind::Typed(_, typed) => is_reference_to_self(typed),
                    _ => false,
                };
                if !by_reference {
                    let help = "many calls use the value at once; take `&self`, and keep what \
                                changes in a `Mutex`";
                    let taken = spaced(&receiver.to_token_stream());
                    wrong(receiver, format!("a {word} cannot take `{taken}`\nhelp: {help}"));
                }
            }
            FnArg::Typed(typed) => {
                if let Some(message) = mistake_of_parameter(word, &typed.ty) {
                    wrong(&typed.ty, message);
                }
            }
        }
    }
    let returns_nothing = match &signature.output {
        ReturnType::Default => true,
        ReturnType::Type(_, output) => {
            matches!(&**output, Type::Tuple(unit) if unit.elems.is_empty())
        }
    };
    if returns_nothing && feature != Feature::Tool {
        let help = match feature {
            Feature::Prompt => "`-> Vec<PromptMessage>`",
            _ => "`-> String`, `-> Vec<u8>` or `-> Json<…>`",
        };
        wrong(&signature.ident, format!("this {word} returns nothing\nhelp: write {help}"));
    }
}

fn is_reference_to_self(typed: &Type) -> bool {
    matches!(typed, Type::Reference(reference)
        if reference.to_token_stream().to_string() == "& Self")
}

fn mistake_of_parameter(word: &str, typed: &Type) -> Option<String> {
    match typed {
        Type::Reference(reference) => {
            let owned = match text(&reference.elem).as_str() {
                "str" => "String".to_owned(),
                other => other.to_owned(),
            };
            Some(format!(
                "a {word} takes its parameters by value\nhelp: write `{owned}` without `&`"
            ))
        }
        Type::ImplTrait(_) => Some(format!(
            "a {word} cannot have generic parameters\nhelp: write a type in place of `impl …`"
        )),
        other => has_lifetime(other.to_token_stream()).then(|| {
            format!(
                "a {word} takes parameters that borrow nothing, because they are made for this \
                 call\nhelp: use a type without a lifetime, such as `String` for `&str`"
            )
        }),
    }
}

/// Whether a lifetime other than `'static` stands in the type.
fn has_lifetime(tokens: proc_macro2::TokenStream) -> bool {
    let mut is_lifetime = false;
    for token in tokens {
        match token {
            proc_macro2::TokenTree::Punct(punct) => is_lifetime = punct.as_char() == '\'',
            proc_macro2::TokenTree::Ident(ident) if is_lifetime => {
                if ident != "static" {
                    return true;
                }
                is_lifetime = false;
            }
            proc_macro2::TokenTree::Group(group) => {
                if has_lifetime(group.stream()) {
                    return true;
                }
            }
            _ => is_lifetime = false,
        }
    }
    false
}
