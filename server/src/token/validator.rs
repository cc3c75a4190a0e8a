//! Validates a JWT access token: everything it claims, in the order in which it can be trusted.

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{decode, decode_header, errors::ErrorKind};

use super::{
    AccessToken, RemoteKeys, VerificationKeys,
    claims::{AudienceIn, ClaimRules, Claims, Marker},
};
use crate::provider::Connection;

/// Clocks may differ by this many seconds.
const LEEWAY: u64 = 60;

/// Tells the time. A parameter, so that tests of expiry need not wait.
pub trait Clock: Send + Sync + 'static {
    /// Seconds since the Unix epoch.
    fn now(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        // A clock before 1970 cannot be trusted: with it, every token has expired.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |elapsed| elapsed.as_secs())
    }
}

impl<F: Fn() -> u64 + Send + Sync + 'static> Clock for F {
    fn now(&self) -> u64 {
        self()
    }
}

/// Which `typ` header an access token may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenTypes {
    /// `at+jwt` only (RFC 9068, section 4).
    AccessToken,
    /// Also `JWT` or none, for issuers older than RFC 9068.
    AccessTokenOrPlain,
}

/// Why a token was refused, and what was expected. Never the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not a JWT, or its header asks for what is not done here.
    #[error("the token is not a readable JWT access token")]
    Malformed,
    /// `typ` is of another kind of token.
    #[error("the token's typ is not that of an access token")]
    Type,
    /// No key of the issuer has the token's `kid`.
    #[error("the token is signed with a key that its issuer does not publish")]
    UnknownKey,
    /// The issuer's keys were never seen: its provider does not answer.
    #[error("tokens cannot be checked now: their issuer does not answer")]
    NoKeys,
    /// `alg` is not the algorithm of the key.
    #[error("the token's algorithm does not fit the key of its issuer")]
    Algorithm,
    /// The signature does not verify.
    #[error("the token's signature is wrong")]
    Signature,
    /// A claim is missing or has the wrong form.
    #[error("the token's {0} claim is missing or malformed")]
    Claims(&'static str),
    /// It says who signed in (OpenID Connect Core, section 2), by this claim.
    #[error("this is an ID token, by its {0} claim: send the access token")]
    IdToken(&'static str),
    /// It is not marked as the issuer's access tokens are.
    #[error("the token is not an access token: {0}")]
    Marker(Marker),
    /// Its scopes are where its issuer does not write them.
    #[error("the token's scopes are in the wrong place: its issuer writes them in {0}")]
    ScopeClaim(&'static str),
    /// `iss` is another issuer.
    #[error("the token comes from another issuer; its iss must be {0}")]
    Issuer(Expected),
    /// It does not name this resource (RFC 8707).
    #[error("the token was issued for another resource; its {0}")]
    Audience(Expected),
    /// `exp` is past.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
}

/// What an access token of the issuer has.
impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("any"),
            Self::Is(name, value) => write!(f, "its {name} must be {value}"),
            Self::HasOne(names) => write!(f, "it must have {}", names.join(" or ")),
        }
    }
}

/// What was expected, in words that fit a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected(Arc<str>);

impl Expected {
    fn one_of(before: &str, all: &[String]) -> Self {
        // Written by the operator: whatever could not stand in a quoted header is left out.
        let fits = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
        let text: String = all.join(" or ").chars().filter(fits).collect();
        Self(format!("{before}{text}").into())
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks access tokens of one issuer for one resource.
pub struct Validator {
    issuers: Vec<String>,
    audiences: Vec<String>,
    /// The resource itself, whatever its tokens call it.
    resource: String,
    issuer_expected: Expected,
    audience_expected: Expected,
    keys: Keys,
    types: TokenTypes,
    rules: ClaimRules,
    clock: Box<dyn Clock>,
}

/// The issuer's keys: given, or fetched.
enum Keys {
    Given(Arc<VerificationKeys>),
    Remote(RemoteKeys),
}

impl Keys {
    fn current(&self) -> Result<Arc<VerificationKeys>, TokenError> {
        match self {
            Self::Given(keys) => Ok(Arc::clone(keys)),
            Self::Remote(keys) => keys.current().ok_or(TokenError::NoKeys),
        }
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validator")
            .field("issuers", &self.issuers)
            .field("audiences", &self.audiences)
            .field("types", &self.types)
            .finish_non_exhaustive()
    }
}

impl Validator {
    /// Accepts what `issuer` signed with one of `keys` for `audience`. Both are compared byte by
    /// byte.
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        keys: VerificationKeys,
        types: TokenTypes,
    ) -> Self {
        let audience = audience.into();
        Self::with(
            vec![issuer.into()],
            (vec![audience.clone()], audience),
            Keys::Given(Arc::new(keys)),
            types,
            ClaimRules::default(),
        )
    }

    /// Accepts what a provider signed for this deployment.
    pub(crate) fn of(connection: &Connection, keys: RemoteKeys) -> Self {
        Self::with(
            connection.issuers.clone(),
            (connection.audiences.clone(), connection.resource.clone()),
            Keys::Remote(keys),
            connection.preset.types,
            connection.rules(),
        )
    }

    fn with(
        issuers: Vec<String>,
        (audiences, resource): (Vec<String>, String),
        keys: Keys,
        types: TokenTypes,
        rules: ClaimRules,
    ) -> Self {
        let names_it = match rules.audience {
            AudienceIn::Aud => "aud must be ",
            AudienceIn::ClientId => "client_id must be ",
        };
        Self {
            issuer_expected: Expected::one_of("", &issuers),
            audience_expected: Expected::one_of(names_it, &audiences),
            issuers,
            audiences,
            resource,
            keys,
            types,
            rules,
            clock: Box::new(SystemClock),
        }
    }

    /// Asks another clock for the time.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// As [`validate`](Self::validate), and looks for new keys if the token names one that is not
    /// there: at most once in ten seconds, whatever the flood.
    pub async fn authenticate(&self, token: &str) -> Result<AccessToken, TokenError> {
        match (self.validate(token), &self.keys) {
            (Err(TokenError::UnknownKey), Keys::Remote(keys)) if keys.refresh().await => {
                self.validate(token)
            }
            (result, _) => result,
        }
    }

    /// Validates a token. The claims are read only after the signature was found right.
    pub fn validate(&self, token: &str) -> Result<AccessToken, TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Malformed)?;
        // RFC 7515, section 4.1.11: what must be understood and is not, must be refused.
        if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
            return Err(TokenError::Malformed);
        }
        self.check_type(header.typ.as_deref())?;
        let keys = self.keys.current()?;
        let key = keys.find(header.kid.as_deref(), header.alg)?;
        let claims: Claims = decode(token, &key.key, &key.signature_only)
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidSignature => TokenError::Signature,
                ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
                ErrorKind::Json(_) => TokenError::Claims("iss, sub, aud, exp or another"),
                _ => TokenError::Malformed,
            })?
            .claims;
        self.accept(claims)
    }

    fn check_type(&self, typ: Option<&str>) -> Result<(), TokenError> {
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

    fn accept(&self, claims: Claims) -> Result<AccessToken, TokenError> {
        if !self.issuers.contains(&claims.iss) {
            return Err(TokenError::Issuer(self.issuer_expected.clone()));
        }
        claims.is_access_token(&self.rules)?;
        if !claims.is_for(&self.audiences, &self.resource, &self.rules)? {
            return Err(TokenError::Audience(self.audience_expected.clone()));
        }
        let now = self.clock.now();
        let expires_at = claims.exp.seconds();
        if expires_at.saturating_add(LEEWAY) <= now {
            return Err(TokenError::Expired);
        }
        if claims.nbf.is_some_and(|nbf| nbf.seconds() > now.saturating_add(LEEWAY)) {
            return Err(TokenError::NotYetValid);
        }
        if claims.sub.is_empty() {
            return Err(TokenError::Claims("sub"));
        }
        Ok(AccessToken {
            scopes: claims.granted(&self.rules)?,
            client: claims.client(),
            issuer: claims.iss.clone(),
            subject: claims.sub.clone(),
            expires_at,
            other: claims.other,
        })
    }
}
