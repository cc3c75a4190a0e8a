//! The reasons why a token is refused.

use std::{fmt, sync::Arc};

use super::Marker;

/// The expected value, as text that may stand in a header.
///
/// ```
/// use scopeward::identity::token::{TokenError, Validator};
///
/// fn why(validator: &Validator, token: &str) -> Option<String> {
///     match validator.validate(token) {
///         Err(TokenError::Issuer(expected)) => Some(format!("this server takes {expected}")),
///         Err(other) => Some(other.to_string()),
///         Ok(_) => None,
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected(Arc<str>);

impl Expected {
    pub(super) fn one_of<'a>(before: &str, all: impl Iterator<Item = &'a str>) -> Self {
        // The operator writes these values, so characters that cannot stand in a quoted header are
        // left out.
        let fits = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
        let all: Vec<&str> = all.collect();
        let text: String = all.join(" or ").chars().filter(fits).collect();
        Self(format!("{before}{text}").into())
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The reason why a token is refused, with the expected value. The error never contains the
/// token.
///
/// ```
/// use scopeward::identity::token::TokenError;
///
/// assert_eq!(TokenError::Expired.to_string(), "the token has expired");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The token is not a JWT, or its header needs a feature that is not supported.
    #[error("the token is not a readable JWT access token")]
    Malformed,
    /// The token is longer than this number of bytes.
    #[error("the token is longer than {0} bytes, which is the limit MAX_TOKEN of this server")]
    TooLong(usize),
    /// `typ` names another kind of token.
    #[error("the token's typ is not that of an access token")]
    Type,
    /// No key of the issuer has the token's `kid`.
    #[error("the token is signed with a key that its issuer does not publish")]
    UnknownKey,
    /// The issuer does not answer, so its keys were never fetched or it cannot be asked about the
    /// token.
    #[error("tokens cannot be checked now: their issuer does not answer")]
    Unavailable,
    /// The issuer was asked, and does not call the token active.
    #[error("the token is not active: it has expired, was revoked, or was never issued")]
    Inactive,
    /// `alg` is not the algorithm of the key.
    #[error("the token's algorithm does not fit the key of its issuer: it is {0}")]
    Algorithm(&'static str),
    /// `alg` names an algorithm that is not taken here.
    #[error(
        "the token is signed by {0}, which is not taken here: let the issuer sign by RS256, PS256, \
         ES256 or EdDSA"
    )]
    NotTaken(&'static str),
    /// The signature does not verify.
    #[error("the token's signature is wrong")]
    Signature,
    /// A claim is missing or has the wrong form.
    #[error("the token's {0} claim is missing or malformed")]
    Claims(&'static str),
    /// The token is an ID token (OpenID Connect Core, section 2), as this claim shows.
    #[error("this is an ID token, by its {0} claim: send the access token")]
    IdToken(&'static str),
    /// The token lacks the mark of its issuer's access tokens.
    #[error("the token is not an access token: {0}")]
    Marker(Marker),
    /// The token's scopes are in a claim that its issuer does not use.
    #[error("the token's scopes are in the wrong place: its issuer writes them in {0}")]
    ScopeClaim(&'static str),
    /// `iss` names another issuer.
    #[error("the token comes from another issuer; its iss must be {0}")]
    Issuer(Expected),
    /// The token does not name this resource as its audience (RFC 8707).
    #[error("the token was issued for another resource; its {0}")]
    Audience(Expected),
    /// `exp` is in the past.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iat` or `auth_time` is in the future, so that the token could outlive a sign-out.
    #[error("the token's {0} is in the future: the clocks of its issuer and this server differ")]
    FromTheFuture(&'static str),
    /// The token is bound to a key or a certificate of its client (`cnf`), and that is not checked here.
    #[error(
        "the token is bound to a key of its client, which is not checked here: use an unbound one"
    )]
    Bound,
    /// The token, its subject or its client is among the [`Revocations`](super::Revocations).
    #[error("the token was revoked")]
    Revoked,
}

impl TokenError {
    /// The reason in one word, as metrics have it.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLong(_) => "too_long",
            Self::Type => "type",
            Self::UnknownKey => "unknown_key",
            Self::Unavailable => "unavailable",
            Self::Inactive => "inactive",
            Self::Algorithm(_) | Self::NotTaken(_) => "algorithm",
            Self::Signature => "signature",
            Self::Claims(_) => "claims",
            Self::IdToken(_) => "id_token",
            Self::Marker(_) => "marker",
            Self::ScopeClaim(_) => "scope_claim",
            Self::Issuer(_) => "issuer",
            Self::Audience(_) => "audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::FromTheFuture(_) => "from_the_future",
            Self::Bound => "bound",
            Self::Revoked => "revoked",
        }
    }
}

/// A refused token: the reason, and the client if it is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
#[non_exhaustive]
pub struct Rejected {
    pub(crate) error: TokenError,
    pub(crate) client: Option<Arc<str>>,
}

impl Rejected {
    /// The reason why the token is refused.
    ///
    /// ```
    /// use scopeward::identity::token::{Rejected, TokenError};
    ///
    /// let rejected = Rejected::from(TokenError::Expired);
    /// assert_eq!(rejected.reason(), &TokenError::Expired);
    /// assert_eq!(rejected.client(), None);
    /// ```
    pub fn reason(&self) -> &TokenError {
        &self.error
    }

    /// The client that the token was issued to; `None` unless the issuer has confirmed it.
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }
}

impl From<TokenError> for Rejected {
    fn from(error: TokenError) -> Self {
        Self { error, client: None }
    }
}
