//! The claims of callers' tokens that a policy lists, with their types.

use std::collections::BTreeMap;

/// The claims that `[claims]` lists. Conditions use no other claims, except those that IANA registers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Claims(BTreeMap<String, ClaimType>);

/// The type of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClaimType {
    String,
    Number,
    Boolean,
    List,
    Object,
    Any,
}

impl ClaimType {
    /// The words for the types.
    pub(crate) const WORDS: &[(&str, Self)] = &[
        ("string", Self::String),
        ("number", Self::Number),
        ("boolean", Self::Boolean),
        ("list", Self::List),
        ("object", Self::Object),
        ("any", Self::Any),
    ];

    /// The claims that every access token may carry (RFC 7519, RFC 9068), which need not be listed.
    pub(crate) const REGISTERED: &[(&str, Self)] = &[
        ("sub", Self::String),
        ("iss", Self::String),
        ("aud", Self::Any),
        ("client_id", Self::String),
        ("azp", Self::String),
        ("jti", Self::String),
        ("scope", Self::Any),
        ("exp", Self::Number),
        ("iat", Self::Number),
        ("nbf", Self::Number),
    ];

    /// The type of a claim that need not be listed.
    pub(crate) fn registered(name: &str) -> Option<Self> {
        Self::REGISTERED.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }
}

impl Claims {
    pub(crate) fn insert(&mut self, name: String, kind: ClaimType) {
        self.0.insert(name, kind);
    }

    pub(crate) fn get(&self, name: &str) -> Option<ClaimType> {
        self.0.get(name).copied()
    }

    /// The names, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.keys().map(String::as_str)
    }
}
