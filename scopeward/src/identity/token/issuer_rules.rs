//! The rules that the tokens of one issuer must meet.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, OnceLock},
};

use super::{
    AccessToken, AudienceIn, Expected, LearnedIssuer, Rejected, TokenError, TokenTypes, Validated,
    claims::{ClaimRules, Claims, NumericDate},
    interner::Interner,
};
use crate::policy::Scope;

/// How far the clocks of issuer and server may differ, in seconds: a token is accepted this long
/// before `nbf` and after `exp`.
pub(crate) const LEEWAY: u64 = 60;

/// The rules that the tokens of one issuer must meet to be accepted for one resource.
#[derive(Debug)]
pub(crate) struct IssuerRules {
    /// The canonical name of the issuer, whichever of `issuers` a token names. Callers are told
    /// apart by it.
    pub(super) name: Arc<str>,
    /// Each spelling of `iss` that the issuer's tokens may have.
    issuers: Vec<Arc<str>>,
    /// Further spellings, which the provider's metadata names.
    learned: LearnedIssuer,
    audiences: Vec<String>,
    /// The URL of the resource, whichever audience its tokens name.
    resource: String,
    issuer_expected: Expected,
    audience_expected: Expected,
    types: TokenTypes,
    rules: ClaimRules,
    shared: Interner,
    callers: RandomState,
}

impl IssuerRules {
    /// Makes the rules. The first of `issuers` is the canonical name.
    pub(crate) fn new(
        issuers: Vec<String>,
        audiences: Vec<String>,
        resource: String,
        types: TokenTypes,
        rules: ClaimRules,
    ) -> Self {
        let claim_must_be = match rules.audience {
            AudienceIn::Aud => "aud must be ",
            AudienceIn::ClientId => "client_id must be ",
        };
        let issuers: Vec<Arc<str>> = issuers.into_iter().map(Arc::from).collect();
        Self {
            name: issuers.first().cloned().unwrap_or_default(),
            issuer_expected: Expected::one_of("", issuers.iter().map(|issuer| &**issuer)),
            audience_expected: Expected::one_of(
                claim_must_be,
                audiences.iter().map(String::as_str),
            ),
            issuers,
            learned: LearnedIssuer::default(),
            audiences,
            resource,
            types,
            rules,
            shared: Interner::default(),
            callers: RandomState::new(),
        }
    }

    /// Gives the issuer another canonical name than the first of its spellings.
    #[must_use]
    #[cfg(feature = "embedded-issuer")]
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Also accepts the issuer that the provider's metadata names.
    #[must_use]
    pub(crate) fn or_learned(self, learned: LearnedIssuer) -> Self {
        Self { learned, ..self }
    }

    pub(super) fn issuers(&self) -> impl Iterator<Item = &str> {
        self.issuers.iter().chain(self.learned.names()).map(|issuer| &**issuer)
    }

    /// Whether the issuer may have spellings that are not known yet.
    pub(super) fn may_have_others(&self) -> bool {
        self.learned.is_open()
    }

    /// Whether `issuer` is one of the spellings of this issuer.
    pub(super) fn is_named(&self, issuer: &str) -> bool {
        self.spelling(issuer).is_some()
    }

    fn spelling(&self, issuer: &str) -> Option<&Arc<str>> {
        let mut all = self.issuers.iter().chain(self.learned.names());
        all.find(|known| ***known == *issuer)
    }

    /// Checks the `typ` header (RFC 9068, section 4).
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

    /// Makes a token from these claims, if they come from this issuer, name this resource and are
    /// valid at `now`.
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

    /// Checks everything that the claims must say. Returns the stored spelling of the issuer, and
    /// the scopes.
    fn check(&self, claims: &Claims<'_>, now: u64) -> Result<(&Arc<str>, Vec<Scope>), TokenError> {
        let Some(issuer) = self.spelling(&claims.iss) else {
            return Err(match self.learned.names() {
                // Nobody has said yet which the issuer is, so the token could not be checked.
                _ if self.may_have_others() => TokenError::Unavailable,
                [] => TokenError::Issuer(self.issuer_expected.clone()),
                _ => TokenError::Issuer(Expected::one_of("", self.issuers())),
            });
        };
        claims.is_access_token(&self.rules)?;
        if !claims.is_for(&self.audiences, &self.resource, &self.rules)? {
            return Err(TokenError::Audience(self.audience_expected.clone()));
        }
        claims.is_unbound()?;
        check_times(claims.exp.seconds(), claims.nbf.map(NumericDate::seconds), now)?;
        for name in ["iat", "auth_time"] {
            let time = claims.time(name)?;
            if time.is_some_and(|time| time > now.saturating_add(LEEWAY)) {
                return Err(TokenError::FromTheFuture(name));
            }
        }
        if claims.sub.is_empty() {
            return Err(TokenError::Claims("sub"));
        }
        Ok((issuer, claims.granted(&self.rules)?))
    }
}

/// Checks that a token with these times is valid at `now`. All times are in seconds since the Unix
/// epoch.
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

/// Whether a token that expires at `expires_at` has expired at `now`, both in seconds since the
/// Unix epoch.
pub(super) fn has_expired(expires_at: u64, now: u64) -> bool {
    expires_at.saturating_add(LEEWAY) <= now
}
