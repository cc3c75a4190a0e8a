//! An issuer whose tokens are accepted, and everything that they must say.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, OnceLock},
};

use super::{
    AccessToken, Expected, Rejected, TokenError, TokenTypes, Validated,
    claims::{AudienceIn, ClaimRules, Claims, NumericDate},
    interner::Interner,
};
use crate::policy::Scope;

/// Clocks may differ by this many seconds.
pub(crate) const LEEWAY: u64 = 60;

/// An issuer whose tokens are accepted for one resource.
#[derive(Debug)]
pub(crate) struct IssuerRules {
    /// What stands for it where callers are told apart, whichever of `issuers` a token names.
    pub(super) name: Arc<str>,
    /// Each spelling of `iss` that its tokens have.
    issuers: Vec<Arc<str>>,
    audiences: Vec<String>,
    /// The resource itself, whatever its tokens call it.
    resource: String,
    issuer_expected: Expected,
    audience_expected: Expected,
    types: TokenTypes,
    rules: ClaimRules,
    shared: Interner,
    callers: RandomState,
}

impl IssuerRules {
    /// The first of `issuers` stands for all of them.
    pub(crate) fn new(
        issuers: Vec<String>,
        audiences: Vec<String>,
        resource: String,
        types: TokenTypes,
        rules: ClaimRules,
    ) -> Self {
        let names_it = match rules.audience {
            AudienceIn::Aud => "aud must be ",
            AudienceIn::ClientId => "client_id must be ",
        };
        let issuers: Vec<Arc<str>> = issuers.into_iter().map(Arc::from).collect();
        Self {
            name: issuers.first().cloned().unwrap_or_default(),
            issuer_expected: Expected::one_of("", issuers.iter().map(|issuer| &**issuer)),
            audience_expected: Expected::one_of(names_it, audiences.iter().map(String::as_str)),
            issuers,
            audiences,
            resource,
            types,
            rules,
            shared: Interner::default(),
            callers: RandomState::new(),
        }
    }

    /// Under another name than that of its first spelling.
    #[must_use]
    #[cfg(feature = "embedded-issuer")]
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    pub(super) fn issuers(&self) -> impl Iterator<Item = &str> {
        self.issuers.iter().map(|issuer| &**issuer)
    }

    /// Whether a token that names this issuer is one of its.
    pub(super) fn is_named(&self, issuer: &str) -> bool {
        self.spelling(issuer).is_some()
    }

    fn spelling(&self, issuer: &str) -> Option<&Arc<str>> {
        self.issuers.iter().find(|known| ***known == *issuer)
    }

    /// RFC 9068, section 4: the `typ` header.
    pub(super) fn check_type(&self, typ: Option<&str>) -> Result<(), TokenError> {
        let is = |name: &str| typ.is_some_and(|typ| typ.eq_ignore_ascii_case(name));
        let plain = typ.is_none() || is("JWT");
        if is("at+jwt")
            || is("application/at+jwt")
            || (plain && self.types == TokenTypes::AccessTokenOrPlain)
        {
            Ok(())
        } else {
            Err(TokenError::Type)
        }
    }

    /// The token that these claims make, if they are this issuer's, for this resource, and of now.
    pub(super) fn accept(&self, claims: Claims<'_>, now: u64) -> Result<AccessToken, Rejected> {
        let (issuer, scopes) = self.check(&claims, now).map_err(|error| Rejected {
            error,
            client: claims.client().map(|client| self.shared.text(client)),
        })?;
        let caller = self.callers.hash_one((&*self.name, &*claims.sub));
        Ok(AccessToken(Arc::new(Validated {
            scopes: self.shared.scopes(scopes),
            client: claims.client().map(|client| self.shared.text(client)),
            canonical_issuer: Arc::clone(&self.name),
            issuer: Arc::clone(issuer),
            subject: claims.sub.as_ref().into(),
            caller,
            expires_at: claims.exp.seconds(),
            not_before: claims.nbf.map(NumericDate::seconds),
            other: claims
                .other
                .into_iter()
                .map(|(name, value)| (self.shared.text(&name), value))
                .collect(),
            claims: OnceLock::new(),
        })))
    }

    /// Everything that the claims must say; gives the issuer as it is kept, and the scopes.
    fn check(&self, claims: &Claims<'_>, now: u64) -> Result<(&Arc<str>, Vec<Scope>), TokenError> {
        let Some(issuer) = self.spelling(&claims.iss) else {
            return Err(TokenError::Issuer(self.issuer_expected.clone()));
        };
        claims.is_access_token(&self.rules)?;
        if !claims.is_for(&self.audiences, &self.resource, &self.rules)? {
            return Err(TokenError::Audience(self.audience_expected.clone()));
        }
        check_times(claims.exp.seconds(), claims.nbf.map(NumericDate::seconds), now)?;
        if claims.sub.is_empty() {
            return Err(TokenError::Claims("sub"));
        }
        Ok((issuer, claims.granted(&self.rules)?))
    }
}

/// Whether a token of these times is valid now.
pub(super) fn check_times(
    expires_at: u64,
    not_before: Option<u64>,
    now: u64,
) -> Result<(), TokenError> {
    if has_expired(expires_at, now) {
        return Err(TokenError::Expired);
    }
    if not_before.is_some_and(|not_before| not_before > now.saturating_add(LEEWAY)) {
        return Err(TokenError::NotYetValid);
    }
    Ok(())
}

/// Whether a token that expires then has expired now.
pub(super) fn has_expired(expires_at: u64, now: u64) -> bool {
    expires_at.saturating_add(LEEWAY) <= now
}
