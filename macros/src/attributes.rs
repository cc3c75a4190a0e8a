//! Reads the arguments of `#[scoped_tool(…)]`, without judging them against each other.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{
    Ident, LitStr, Token, bracketed,
    ext::IdentExt,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
};

use crate::scope::forbidden_character;

/// What rmcp's `#[tool]` takes (rmcp 3.11, `rmcp-macros/src/tool.rs`), passed on untouched.
const RMCP_ARGUMENTS: [&str; 9] = [
    "name",
    "title",
    "description",
    "input_schema",
    "output_schema",
    "annotations",
    "icons",
    "meta",
    "local",
];

/// The arguments of one `#[scoped_tool(…)]`.
pub(crate) struct Arguments {
    /// `scopes = […]`; `None` when it was not written.
    pub(crate) scopes: Option<Vec<LitStr>>,
    pub(crate) optional: Vec<LitStr>,
    /// `name = "…"`, also kept in `for_rmcp`.
    pub(crate) name: Option<LitStr>,
    /// What `annotations(…)`, also kept in `for_rmcp`, says of the tool.
    pub(crate) hints: Hints,
    pub(crate) for_rmcp: Vec<TokenStream>,
}

/// MCP's hints on what a tool changes, as far as they are written.
#[derive(Default, Clone, Copy)]
pub(crate) struct Hints {
    pub(crate) read_only: Option<bool>,
    pub(crate) destructive: Option<bool>,
}

impl Hints {
    /// Reads the forms that rmcp reads; a wrong one is rmcp's to report.
    fn read(annotations: TokenStream) -> Self {
        let list = Punctuated::<syn::Meta, Token![,]>::parse_terminated;
        let list = list.parse2(annotations).unwrap_or_default();
        let hint = |name: &str| {
            let hint = list.iter().find(|hint| hint.path().is_ident(name))?;
            match hint {
                syn::Meta::Path(_) => Some(true),
                syn::Meta::NameValue(syn::MetaNameValue {
                    value: syn::Expr::Lit(syn::ExprLit { lit, .. }),
                    ..
                }) => match lit {
                    syn::Lit::Bool(flag) => Some(flag.value),
                    syn::Lit::Str(text) => text.value().parse().ok(),
                    _ => None,
                },
                _ => None,
            }
        };
        Self { read_only: hint("read_only_hint"), destructive: hint("destructive_hint") }
    }
}

/// One argument as written: `key`, `key = value` or `key(…)`.
struct Argument {
    key: Ident,
    tokens: TokenStream,
    value: Value,
}

enum Value {
    Strings(Vec<LitStr>),
    String(LitStr),
    List(TokenStream),
    Other,
}

impl Parse for Argument {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let key = input.call(Ident::parse_any)?;
        let mut tokens = key.to_token_stream();
        let mut value = Value::Other;
        if input.peek(Token![=]) {
            input.parse::<Token![=]>()?.to_tokens(&mut tokens);
            if key == "scopes" || key == "optional" {
                value = Value::Strings(parse_strings(&key, input)?);
            } else {
                let expression: syn::Expr = input.parse()?;
                if let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &expression {
                    value = Value::String(text.clone());
                }
                expression.to_tokens(&mut tokens);
            }
        } else if input.peek(syn::token::Paren) {
            let group = input.parse::<proc_macro2::Group>()?;
            group.to_tokens(&mut tokens);
            value = Value::List(group.stream());
        }
        Ok(Self { key, tokens, value })
    }
}

/// A list of string literals. Literals only: the registry must be readable without running
/// anything.
fn parse_strings(key: &Ident, input: ParseStream) -> syn::Result<Vec<LitStr>> {
    let how =
        format!("`{key}` takes a list of string literals\nhelp: write `{key} = [\"todo:read\"]`");
    if !input.peek(syn::token::Bracket) {
        return Err(syn::Error::new(input.span(), how));
    }
    let list;
    bracketed!(list in input);
    let items = Punctuated::<syn::Expr, Token![,]>::parse_terminated(&list)?;
    items
        .into_iter()
        .map(|item| match item {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Ok(text),
            other => Err(syn::Error::new_spanned(other, &how)),
        })
        .collect()
}

impl Arguments {
    /// Reads the arguments; mistakes go to `errors`, and what could be read is kept.
    pub(crate) fn read(attribute: &syn::Attribute, errors: &mut Vec<syn::Error>) -> Self {
        let mut arguments = Self {
            scopes: None,
            optional: vec![],
            name: None,
            hints: Hints::default(),
            for_rmcp: vec![],
        };
        let list = match &attribute.meta {
            syn::Meta::Path(_) => return arguments,
            syn::Meta::List(list) => {
                list.parse_args_with(Punctuated::<Argument, Token![,]>::parse_terminated)
            }
            syn::Meta::NameValue(value) => Err(syn::Error::new_spanned(
                value,
                "expected a list of arguments\nhelp: write `#[scoped_tool(scopes = [\"…\"])]`",
            )),
        };
        let list = match list {
            Ok(list) => list,
            Err(error) => {
                errors.push(error);
                // Its own mistake was just reported; "no `scopes`" as well would be noise.
                arguments.scopes = Some(vec![]);
                return arguments;
            }
        };
        let mut seen: Vec<Ident> = vec![];
        for argument in list {
            if seen.contains(&argument.key) {
                errors.push(syn::Error::new(
                    argument.key.span(),
                    format!("`{}` is given twice\nhelp: keep one of the two", argument.key),
                ));
                continue;
            }
            seen.push(argument.key.clone());
            arguments.take(argument, errors);
        }
        arguments
    }

    fn take(&mut self, argument: Argument, errors: &mut Vec<syn::Error>) {
        let Argument { key, tokens, value } = argument;
        match (key.to_string().as_str(), value) {
            ("scopes", Value::Strings(scopes)) => {
                check_scopes(&scopes, errors);
                self.scopes = Some(scopes);
            }
            ("optional", Value::Strings(scopes)) => {
                check_scopes(&scopes, errors);
                self.optional = scopes;
            }
            (known @ ("scopes" | "optional"), _) => {
                // Reported already; do not report it as missing too.
                self.scopes.get_or_insert_default();
                errors.push(syn::Error::new(
                    key.span(),
                    format!("`{known}` needs a list\nhelp: write `{known} = [\"todo:read\"]`"),
                ));
            }
            ("name", Value::String(name)) => {
                self.name = Some(name);
                self.for_rmcp.push(tokens);
            }
            ("name", _) => errors.push(syn::Error::new(
                key.span(),
                "`name` takes a string literal\nhelp: write `name = \"create_todo\"`: the \
                 registry must be readable without running anything",
            )),
            ("annotations", Value::List(annotations)) => {
                self.hints = Hints::read(annotations);
                self.for_rmcp.push(tokens);
            }
            (known, _) if RMCP_ARGUMENTS.contains(&known) => self.for_rmcp.push(tokens),
            (unknown, _) => {
                let nearest = nearest_argument(unknown);
                if nearest == Some("scopes") {
                    // One mistake, one error: the scopes are there, under another name.
                    self.scopes.get_or_insert_default();
                }
                errors.push(unknown_argument(unknown, nearest, key.span()));
            }
        }
    }
}

fn known_arguments() -> impl Iterator<Item = &'static str> {
    ["scopes", "optional"].into_iter().chain(RMCP_ARGUMENTS)
}

fn nearest_argument(unknown: &str) -> Option<&'static str> {
    known_arguments()
        .map(|name| (strsim::damerau_levenshtein(name, unknown), name))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, name)| name)
}

fn unknown_argument(unknown: &str, nearest: Option<&str>, span: Span) -> syn::Error {
    let help = match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known arguments: {}", known_arguments().collect::<Vec<_>>().join(", ")),
    };
    syn::Error::new(span, format!("unknown argument `{unknown}`\nhelp: {help}"))
}

fn check_scopes(scopes: &[LitStr], errors: &mut Vec<syn::Error>) {
    for (index, scope) in scopes.iter().enumerate() {
        let text = scope.value();
        if text.is_empty() {
            errors.push(syn::Error::new(
                scope.span(),
                "a scope cannot be empty\nhelp: for a tool that any authenticated caller may \
                 use, write `scopes = []`",
            ));
        } else if let Some(character) = forbidden_character(&text) {
            errors.push(syn::Error::new(
                scope.span(),
                format!(
                    "{character:?} cannot be part of a scope (RFC 6749, section 3.3)\nhelp: use \
                     printable ASCII without space, `\"` and `\\`; several scopes are several \
                     strings: `[\"todo:read\", \"todo:write\"]`"
                ),
            ));
        }
        if scopes[..index].iter().any(|earlier| earlier.value() == text) {
            errors.push(syn::Error::new(
                scope.span(),
                format!("the scope \"{text}\" is listed twice\nhelp: remove one of the two"),
            ));
        }
    }
}
