//! One annotated method and its declaration, checked on its own.

use proc_macro2::Span;
use syn::{Attribute, Ident, ImplItemFn, LitStr, ext::IdentExt};

use crate::{
    attributes::{Arguments, Hints, Passed},
    feature::Feature,
    signature,
};

/// The declaration of a method, read from its `#[scoped_tool]` or one of the siblings of that
/// attribute.
pub(crate) struct Declaration {
    pub(crate) feature: Feature,
    pub(crate) method: Ident,
    /// The name in the registry (the name that MCP clients see, or a resource's URI), and where it
    /// is written.
    pub(crate) name: (String, Span),
    pub(crate) scopes: Vec<LitStr>,
    pub(crate) optional: Vec<LitStr>,
    /// Whether its author lets in callers without a token, and where that is written.
    pub(crate) anonymous: Option<Span>,
    pub(crate) hints: Hints,
    /// Whether `annotations(…)` was written.
    pub(crate) has_annotations: bool,
    pub(crate) complete: Option<Ident>,
    pub(crate) passed_on: Vec<Passed>,
    /// The position of the attribute, for messages about the declaration.
    pub(crate) declared_at: Span,
}

/// Whether the attribute's path ends in `name`, which is the rule by which rmcp finds its tools.
fn is_named(attribute: &Attribute, name: &str) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == name)
}

impl Declaration {
    /// Takes the attribute off `method` and reads it; `None` for a method that declares nothing.
    pub(crate) fn take(method: &mut ImplItemFn, errors: &mut Vec<syn::Error>) -> Option<Self> {
        for feature in Feature::ALL {
            let Some(bare) = feature.bare_attribute() else { continue };
            for attribute in method.attrs.iter().filter(|a| is_named(a, bare)) {
                errors.push(syn::Error::new_spanned(
                    attribute,
                    format!(
                        "this {} would run without a scope check\nhelp: write `{}`; it takes \
                         everything that `#[{bare}]` takes",
                        feature.word(),
                        feature.example(),
                    ),
                ));
            }
            // A bare `#[tool]` must not reach rmcp, not even in a block with errors, because
            // nothing would check the method.
            method.attrs.retain(|a| !is_named(a, bare));
        }

        let feature_of = |attribute: &Attribute| {
            Feature::ALL.into_iter().find(|feature| is_named(attribute, feature.attribute()))
        };
        let found = method.attrs.iter().enumerate().find_map(|(n, a)| Some((n, feature_of(a)?)));
        let (number, feature) = found?;
        let attribute = method.attrs.remove(number);
        if let Some(second) = method.attrs.iter().find(|a| feature_of(a).is_some()) {
            errors.push(syn::Error::new_spanned(
                second,
                format!(
                    "a method has one `#[{}]`\nhelp: merge the two into one",
                    feature.attribute()
                ),
            ));
            method.attrs.retain(|a| feature_of(a).is_none());
        }
        if let Some(cfg) =
            method.attrs.iter().find(|a| is_named(a, "cfg") || is_named(a, "cfg_attr"))
        {
            errors.push(syn::Error::new_spanned(
                cfg,
                format!(
                    "a scoped {} cannot be compiled conditionally: the registry would disagree \
                     with the policy\nhelp: put the `cfg` on the whole impl block",
                    feature.word()
                ),
            ));
        }
        signature::check(feature, method, errors);
        Some(Self::read(feature, method, &attribute, errors))
    }

    fn read(
        feature: Feature,
        method: &ImplItemFn,
        attribute: &Attribute,
        errors: &mut Vec<syn::Error>,
    ) -> Self {
        let word = feature.word();
        let arguments = Arguments::read(feature, attribute, errors);
        if arguments.scopes.is_none() {
            errors.push(syn::Error::new_spanned(
                attribute.path(),
                format!(
                    "this {word} declares no scopes\nhelp: add `scopes = [\"…\"]`, or `scopes = \
                     []` for a {word} that any authenticated caller may use"
                ),
            ));
        }
        let scopes = arguments.scopes.unwrap_or_default();
        for optional in &arguments.optional {
            if scopes.iter().any(|scope| scope.value() == optional.value()) {
                errors.push(syn::Error::new(
                    optional.span(),
                    format!(
                        "\"{}\" is both required and optional\nhelp: every caller of this {word} \
                         holds it; remove it from `optional`",
                        optional.value()
                    ),
                ));
            }
        }
        if let (Some(at), Some(scope)) = (arguments.anonymous, scopes.first()) {
            errors.push(syn::Error::new(
                at,
                format!(
                    "a caller without a token does not hold \"{}\"\nhelp: write `scopes = [], \
                     anonymous = true` for a {word} that everybody may use, or remove `anonymous`",
                    scope.value()
                ),
            ));
        }
        let ident = method.sig.ident.clone();
        let passed_on = arguments.passed_on;
        let name = match (feature, arguments.uri, arguments.name) {
            (Feature::Resource, Some(uri), _) => (uri.value(), uri.span()),
            (Feature::Resource, None, _) => {
                errors.push(syn::Error::new_spanned(
                    attribute.path(),
                    "this resource has no URI\nhelp: add `uri = \"todo://items\"`, or a template: \
                     `uri = \"todo://items/{id}\"`",
                ));
                (ident.unraw().to_string(), ident.span())
            }
            (_, _, Some(name)) => (name.value(), name.span()),
            (_, _, None) => (ident.unraw().to_string(), ident.span()),
        };
        Self {
            feature,
            method: ident,
            name,
            scopes,
            optional: arguments.optional,
            anonymous: arguments.anonymous,
            hints: arguments.hints,
            has_annotations: arguments.has_annotations,
            complete: arguments.complete,
            passed_on,
            declared_at: attribute
                .path()
                .segments
                .last()
                .map_or(Span::call_site(), |segment| segment.ident.span()),
        }
    }

    /// The value of an argument for the list, if it was written.
    pub(crate) fn passed(&self, key: &str) -> Option<&syn::Expr> {
        self.passed_on.iter().find(|passed| passed.key == key).map(|passed| &passed.value)
    }
}
