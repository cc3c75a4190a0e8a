//! Finds `caller.has("…")` and `caller.require("…")` in the bodies of a block, and checks the scope against what is declared.
//!
//! The search looks at tokens, so that it sees the arguments of `format!` as well. Whether the
//! variable is a principal is left to its type.

use std::collections::HashMap;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::{FnArg, ImplItem, ImplItemFn, ItemImpl, LitStr, Pat, Type};

use crate::declaration::Declaration;

/// A check for each scope that a body asks for and that is not declared.
pub(crate) fn checks(block: &ItemImpl, declared: &[Declaration]) -> Vec<TokenStream> {
    let mut checks = vec![];
    for item in &block.items {
        let ImplItem::Fn(method) = item else { continue };
        let own = declared.iter().find(|one| one.method == method.sig.ident);
        let scopes = |one: &Declaration| {
            one.scopes.iter().chain(&one.optional).map(LitStr::value).collect::<Vec<_>>()
        };
        // A method that is no tool may be called by each tool of the block.
        let known: Vec<String> = match own {
            Some(one) => scopes(one),
            None => declared.iter().flat_map(scopes).collect(),
        };
        let mut callers = callers(method);
        let body: Vec<TokenTree> = method.block.to_token_stream().into_iter().collect();
        rename(&body, &mut callers);
        let mut asked = vec![];
        find(&body, &callers, &mut asked);
        for (scope, type_) in asked {
            if known.contains(&scope.value()) || mentions_generics(&type_, block) {
                continue;
            }
            let message = message(own, &scope.value(), &known);
            checks.push(quote_spanned! {scope.span()=>
                const _: () = if ::scopeward::__private::Probe::<#type_, ()>::IS_PRINCIPAL {
                    ::core::panic!("{}", #message)
                };
            });
        }
    }
    checks
}

fn message(own: Option<&Declaration>, scope: &str, known: &[String]) -> String {
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(name, scope), name))
        .min()
        .filter(|(distance, name)| *distance <= 3.max(name.len() / 3));
    let who = match own {
        Some(own) => format!("the {} `{}` declares", own.feature.word(), own.name.0),
        None => "the tools of this block declare".to_owned(),
    };
    let help = match nearest {
        Some((_, right)) => {
            format!("did you mean \"{right}\"? If not, add it: `optional = [\"{scope}\"]`")
        }
        None => format!("add it to the declaration: `optional = [\"{scope}\"]`"),
    };
    format!("{who} no scope \"{scope}\"\nhelp: {help}")
}

/// The parameters of a method, by name, with their types. Those that are no principals are sorted
/// out by type.
fn callers(method: &ImplItemFn) -> HashMap<String, Type> {
    let mut callers = HashMap::new();
    for input in &method.sig.inputs {
        let FnArg::Typed(parameter) = input else { continue };
        let Pat::Ident(name) = &*parameter.pat else { continue };
        let mut type_ = &*parameter.ty;
        while let Type::Reference(reference) = type_ {
            type_ = &reference.elem;
        }
        if matches!(type_, Type::Path(_)) {
            callers.insert(name.ident.to_string(), type_.clone());
        }
    }
    callers
}

/// Follows `let who = &caller;`, and forgets a name that stands for something else later.
fn rename(tokens: &[TokenTree], callers: &mut HashMap<String, Type>) {
    let mut number = 0;
    while number < tokens.len() {
        if let TokenTree::Group(group) = &tokens[number] {
            rename(&group.stream().into_iter().collect::<Vec<_>>(), callers);
        }
        if is_word(tokens.get(number), "let") {
            let mut at = number + 1;
            at += usize::from(is_word(tokens.get(at), "mut"));
            if let Some(TokenTree::Ident(name)) = tokens.get(at) {
                let value = tokens[at + 1..].iter().take_while(|token| !is_punct(token, ';'));
                let value: Vec<_> = value.filter(|token| !is_punct(token, '&')).collect();
                let text: Vec<String> = value.iter().map(ToString::to_string).collect();
                let text: Vec<&str> = text.iter().map(String::as_str).collect();
                let known = match &*text {
                    ["=", caller] | ["=", caller, ".", "clone", "()"] => callers.get(*caller),
                    _ => None,
                };
                match known.cloned() {
                    Some(type_) => callers.insert(name.to_string(), type_),
                    None => callers.remove(&name.to_string()),
                };
            }
        }
        // A parameter of a closure.
        if let (Some(before), Some(TokenTree::Ident(name))) =
            (tokens.get(number), tokens.get(number + 1))
            && is_punct(before, '|')
            && tokens.get(number + 2).is_some_and(|after| "|,:".contains(&after.to_string()))
        {
            callers.remove(&name.to_string());
        }
        number += 1;
    }
}

fn find(tokens: &[TokenTree], callers: &HashMap<String, Type>, asked: &mut Vec<(LitStr, Type)>) {
    for (number, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            let inner: Vec<_> = group.stream().into_iter().collect();
            find(&inner, callers, asked);
        }
        let Some((type_, arguments)) = question(tokens, number, callers) else { continue };
        strings(arguments, &mut |scope| asked.push((scope, type_.clone())));
    }
}

/// The type of the variable and the arguments, if `caller.has(…)` or `caller.require(…)` stands here.
fn question<'c>(
    tokens: &[TokenTree],
    number: usize,
    callers: &'c HashMap<String, Type>,
) -> Option<(&'c Type, TokenStream)> {
    let [
        TokenTree::Ident(caller),
        TokenTree::Punct(dot),
        TokenTree::Ident(method),
        TokenTree::Group(arguments),
    ] = tokens.get(number..number + 4)?
    else {
        return None;
    };
    let is_field = number > 0 && is_punct(&tokens[number - 1], '.');
    let name = method.to_string();
    let asks =
        name == "has" || name.starts_with("has_") || name == "require" || name == "require_all";
    let is_call = dot.as_char() == '.' && arguments.delimiter() == Delimiter::Parenthesis;
    let type_ = callers.get(&caller.to_string())?;
    (asks && is_call && !is_field).then(|| (type_, arguments.stream()))
}

/// The string literals that are arguments themselves, or items of a list among them.
fn strings(arguments: TokenStream, found: &mut impl FnMut(LitStr)) {
    for token in arguments {
        match token {
            TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse2(literal.into_token_stream()) {
                    found(text);
                }
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                strings(group.stream(), found);
            }
            _ => {}
        }
    }
}

fn is_word(token: Option<&TokenTree>, word: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == word)
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

/// Whether a type names `Self` or a generic parameter of the block, which only the block knows.
fn mentions_generics(type_: &Type, block: &ItemImpl) -> bool {
    let generics: Vec<&Ident> = block.generics.type_params().map(|one| &one.ident).collect();
    let mut tokens = vec![type_.to_token_stream()];
    while let Some(stream) = tokens.pop() {
        for token in stream {
            match token {
                TokenTree::Ident(ident) if ident == "Self" || generics.contains(&&ident) => {
                    return true;
                }
                TokenTree::Group(group) => tokens.push(group.stream()),
                _ => {}
            }
        }
    }
    false
}
