//! Reads the arguments of `#[scoped_tool(…)]` and its siblings, each argument on its own.

use proc_macro2::{Span, TokenStream};
use syn::{
    Ident, LitStr, Token, bracketed,
    ext::IdentExt,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
};

use crate::{feature::Feature, scope::forbidden_character, uri};

/// The arguments of one attribute.
pub(crate) struct Arguments {
    /// `scopes = […]`; `None` when it was not written.
    pub(crate) scopes: Option<Vec<LitStr>>,
    /// `optional = […]`; empty when it was not written.
    pub(crate) optional: Vec<LitStr>,
    /// `anonymous = true`, and where it is written.
    pub(crate) anonymous: Option<Span>,
    /// `name = "…"`, also kept in `passed_on`.
    pub(crate) name: Option<LitStr>,
    /// `annotations(…)`.
    pub(crate) hints: Hints,
    pub(crate) has_annotations: bool,
    /// `uri = "…"` of a resource.
    pub(crate) uri: Option<LitStr>,
    /// `complete = method`.
    pub(crate) complete: Option<Ident>,
    /// The arguments for the lists of tools, resources and prompts.
    pub(crate) passed_on: Vec<Passed>,
}

/// An argument that is passed on to the lists of tools, resources and prompts: `key = value`.
pub(crate) struct Passed {
    pub(crate) key: Ident,
    pub(crate) value: syn::Expr,
}

/// The annotations of a tool: its title, and MCP's hints; `None` for what is not written.
#[derive(Default)]
pub(crate) struct Hints {
    pub(crate) title: Option<LitStr>,
    pub(crate) read_only: Option<bool>,
    pub(crate) destructive: Option<bool>,
    pub(crate) idempotent: Option<bool>,
    pub(crate) open_world: Option<bool>,
}

impl Hints {
    /// Reads the forms that rmcp reads: `hint`, `hint = true` and `hint = "true"`.
    fn read(annotations: TokenStream, errors: &mut Vec<syn::Error>) -> Self {
        let mut hints = Self::default();
        let list = Punctuated::<syn::Meta, Token![,]>::parse_terminated;
        let list = match list.parse2(annotations) {
            Ok(list) => list,
            Err(error) => {
                errors.push(error);
                return hints;
            }
        };
        for meta in &list {
            let name = meta.path().get_ident().map(Ident::to_string).unwrap_or_default();
            let hint = match name.as_str() {
                "title" => {
                    hints.title = text_of(meta);
                    if hints.title.is_none() {
                        let message = "`title` takes a text\nhelp: write `title = \"…\"`";
                        errors.push(syn::Error::new_spanned(meta, message));
                    }
                    continue;
                }
                "read_only_hint" => &mut hints.read_only,
                "destructive_hint" => &mut hints.destructive,
                "idempotent_hint" => &mut hints.idempotent,
                "open_world_hint" => &mut hints.open_world,
                unknown => {
                    let nearest = nearest(HINTS.iter().copied(), unknown);
                    let help = match nearest {
                        Some(name) => format!("did you mean `{name}`?"),
                        None => format!("known annotations: {}", HINTS.join(", ")),
                    };
                    let message = format!("unknown annotation `{unknown}`\nhelp: {help}");
                    errors.push(syn::Error::new_spanned(meta.path(), message));
                    continue;
                }
            };
            *hint = flag_of(meta);
            if hint.is_none() {
                let message = format!("`{name}` is true or false\nhelp: write `{name} = true`");
                errors.push(syn::Error::new_spanned(meta, message));
            }
        }
        hints
    }

    /// Whether anything is written.
    pub(crate) fn is_empty(&self) -> bool {
        let hints = [self.read_only, self.destructive, self.idempotent, self.open_world];
        self.title.is_none() && hints.iter().all(Option::is_none)
    }
}

const HINTS: [&str; 5] =
    ["title", "read_only_hint", "destructive_hint", "idempotent_hint", "open_world_hint"];

fn text_of(meta: &syn::Meta) -> Option<LitStr> {
    match meta {
        syn::Meta::NameValue(syn::MetaNameValue {
            value: syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }),
            ..
        }) => Some(text.clone()),
        _ => None,
    }
}

fn flag_of(meta: &syn::Meta) -> Option<bool> {
    match meta {
        syn::Meta::Path(_) => Some(true),
        syn::Meta::NameValue(syn::MetaNameValue {
            value: syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Bool(flag), .. }),
            ..
        }) => Some(flag.value),
        other => text_of(other)?.value().parse().ok(),
    }
}

/// One argument as written: `key`, `key = value` or `key(…)`.
struct Argument {
    key: Ident,
    value: Value,
}

enum Value {
    Strings(Vec<LitStr>),
    String(LitStr),
    Expression(syn::Expr),
    List(TokenStream),
    None,
}

impl Parse for Argument {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let key = input.call(Ident::parse_any)?;
        let mut value = Value::None;
        if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            if key == "scopes" || key == "optional" {
                value = Value::Strings(parse_strings(&key, input)?);
            } else {
                let expression: syn::Expr = input.parse()?;
                value = match expression {
                    syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => {
                        Value::String(text)
                    }
                    other => Value::Expression(other),
                };
            }
        } else if input.peek(syn::token::Paren) {
            let group = input.parse::<proc_macro2::Group>()?;
            value = Value::List(group.stream());
        }
        Ok(Self { key, value })
    }
}

/// Parses a list of string literals. Nothing else is accepted, because the registry must be
/// readable without running anything.
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
    /// Reads the arguments. Mistakes go to `errors`, and every argument that could be read is kept.
    pub(crate) fn read(
        feature: Feature,
        attribute: &syn::Attribute,
        errors: &mut Vec<syn::Error>,
    ) -> Self {
        let mut arguments = Self {
            scopes: None,
            optional: vec![],
            anonymous: None,
            name: None,
            hints: Hints::default(),
            has_annotations: false,
            uri: None,
            complete: None,
            passed_on: vec![],
        };
        let list = match &attribute.meta {
            syn::Meta::Path(_) => return arguments,
            syn::Meta::List(list) => {
                list.parse_args_with(Punctuated::<Argument, Token![,]>::parse_terminated)
            }
            syn::Meta::NameValue(value) => Err(syn::Error::new_spanned(
                value,
                format!("expected a list of arguments\nhelp: write `{}`", feature.example()),
            )),
        };
        let list = match list {
            Ok(list) => list,
            Err(error) => {
                errors.push(error);
                // The mistake was just reported, and "no `scopes`" as well would be noise.
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
            arguments.take(feature, argument, errors);
        }
        arguments
    }

    fn take(&mut self, feature: Feature, argument: Argument, errors: &mut Vec<syn::Error>) {
        let Argument { key, value } = argument;
        let word = key.to_string();
        if feature.own_arguments().contains(&&*word) {
            return self.take_own(&key, value, errors);
        }
        match (word.as_str(), &value) {
            ("name", Value::String(name)) => self.name = Some(name.clone()),
            ("name", _) => {
                errors.push(syn::Error::new(
                    key.span(),
                    "`name` takes a string literal\nhelp: write `name = \"create_todo\"`: the \
                     registry must be readable without running anything",
                ));
                return;
            }
            ("annotations", Value::List(annotations)) if feature == Feature::Tool => {
                self.hints = Hints::read(annotations.clone(), errors);
                self.has_annotations = true;
                return;
            }
            ("annotations", _) if feature == Feature::Tool => {
                errors.push(syn::Error::new(
                    key.span(),
                    "`annotations` takes a list\nhelp: write `annotations(read_only_hint = true)`",
                ));
                return;
            }
            ("title", value)
                if feature != Feature::Resource && !matches!(value, Value::String(_)) =>
            {
                let message = "`title` takes a text\nhelp: write `title = \"…\"`";
                errors.push(syn::Error::new(key.span(), message));
                return;
            }
            ("local", _) if feature != Feature::Resource => {
                errors.push(syn::Error::new(
                    key.span(),
                    "`local` has no effect here, because calls run on several threads\nhelp: \
                     remove it",
                ));
                return;
            }
            (known, _) if feature.arguments().contains(&known) => {}
            (unknown, _) => {
                let nearest = nearest_argument(feature, unknown);
                if nearest == Some("scopes") {
                    // The scopes are there under a misspelled name, so they are not reported as
                    // missing too.
                    self.scopes.get_or_insert_default();
                }
                errors.push(unknown_argument(feature, unknown, nearest, key.span()));
                return;
            }
        }
        let value = match value {
            Value::String(text) => Some(syn::parse_quote!(#text)),
            Value::Expression(expression) => Some(expression),
            _ => None,
        };
        if value.is_none() {
            let message = format!("`{word}` needs a value\nhelp: write `{word} = …`");
            errors.push(syn::Error::new(key.span(), message));
        }
        self.passed_on.extend(value.map(|value| Passed { key, value }));
    }

    fn take_own(&mut self, key: &Ident, value: Value, errors: &mut Vec<syn::Error>) {
        match (key.to_string().as_str(), value) {
            ("scopes", Value::Strings(scopes)) => {
                check_scopes(&scopes, errors);
                self.scopes = Some(scopes);
            }
            ("optional", Value::Strings(scopes)) => {
                check_scopes(&scopes, errors);
                self.optional = scopes;
            }
            ("anonymous", value) => {
                self.anonymous = Some(key.span());
                let is_true = matches!(
                    &value,
                    Value::Expression(syn::Expr::Lit(syn::ExprLit {
                        lit: syn::Lit::Bool(flag),
                        ..
                    })) if flag.value
                );
                if !is_true {
                    errors.push(syn::Error::new(
                        key.span(),
                        "`anonymous` can only be `true`\nhelp: write `anonymous = true`, or leave it \
                         out: every caller then needs a token",
                    ));
                }
            }
            ("uri", Value::String(uri)) => {
                if let Some(mistake) = uri::mistake(&uri.value()) {
                    errors.push(syn::Error::new(uri.span(), mistake));
                }
                self.uri = Some(uri);
            }
            ("uri", _) => {
                self.uri = Some(LitStr::new("unknown:", key.span()));
                errors.push(syn::Error::new(
                    key.span(),
                    "`uri` takes a string literal\nhelp: write `uri = \"todo://items/{id}\"`: the \
                     registry must be readable without running anything",
                ));
            }
            ("complete", Value::Expression(syn::Expr::Path(path))) if path.path.get_ident().is_some() => {
                self.complete = path.path.get_ident().cloned();
            }
            ("complete", _) => errors.push(syn::Error::new(
                key.span(),
                "`complete` takes the name of a method\nhelp: write `complete = complete_city`, and \
                 `async fn complete_city(&self, caller: Principal, request: CompleteRequestParams) \
                 -> Vec<String>`",
            )),
            (known, _) => {
                // The mistake is reported here, so the scopes are not reported as missing too.
                self.scopes.get_or_insert_default();
                errors.push(syn::Error::new(
                    key.span(),
                    format!("`{known}` needs a list\nhelp: write `{known} = [\"todo:read\"]`"),
                ));
            }
        }
    }
}

fn known_arguments(feature: Feature) -> impl Iterator<Item = &'static str> {
    feature.own_arguments().iter().chain(feature.arguments()).copied()
}

fn nearest_argument(feature: Feature, unknown: &str) -> Option<&'static str> {
    nearest(known_arguments(feature), unknown)
}

fn nearest(known: impl Iterator<Item = &'static str>, unknown: &str) -> Option<&'static str> {
    known
        .map(|name| (strsim::damerau_levenshtein(name, unknown), name))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, name)| name)
}

fn unknown_argument(
    feature: Feature,
    unknown: &str,
    nearest: Option<&str>,
    span: Span,
) -> syn::Error {
    let known = || known_arguments(feature).collect::<Vec<_>>().join(", ");
    let help = match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known arguments: {}", known()),
    };
    syn::Error::new(span, format!("unknown argument `{unknown}`\nhelp: {help}"))
}

fn check_scopes(scopes: &[LitStr], errors: &mut Vec<syn::Error>) {
    for (index, scope) in scopes.iter().enumerate() {
        let text = scope.value();
        if text.is_empty() {
            errors.push(syn::Error::new(
                scope.span(),
                "a scope cannot be empty\nhelp: for what any authenticated caller may use, write \
                 `scopes = []`",
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
