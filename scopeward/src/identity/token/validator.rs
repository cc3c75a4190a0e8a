//! Validates a JWT access token: everything it claims, in the order in which it can be trusted.

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderMap;
use jsonwebtoken::{crypto, dangerous, errors::ErrorKind};
use serde::Deserialize;

use super::{
    AccessToken, Expected, Introspector, RemoteKeys, TrustedIssuer, VerificationKeys,
    cache::{Cache, Digest, Found},
    claims::{ClaimRules, Claims, Marker},
    header::unchecked,
    jose::JoseHeader,
    keys::Generation,
    trusted::check_times,
};
use crate::identity::revocation::Revocations;

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
    /// The issuer's keys were never seen, or it cannot be asked: it does not answer.
    #[error("tokens cannot be checked now: their issuer does not answer")]
    Unavailable,
    /// The issuer was asked, and does not know it (any more).
    #[error("the token is not active: it has expired, was revoked, or was never issued")]
    Inactive,
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
    /// It, its subject or its client is among the [`Revocations`].
    #[error("the token was revoked")]
    Revoked,
}

impl TokenError {
    /// In one word, as metrics have it.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Type => "type",
            Self::UnknownKey => "unknown_key",
            Self::Unavailable => "unavailable",
            Self::Inactive => "inactive",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::Claims(_) => "claims",
            Self::IdToken(_) => "id_token",
            Self::Marker(_) => "marker",
            Self::ScopeClaim(_) => "scope_claim",
            Self::Issuer(_) => "issuer",
            Self::Audience(_) => "audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Revoked => "revoked",
        }
    }
}

/// A token that is refused, and whose it is as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
#[non_exhaustive]
pub struct Rejected {
    /// Why it is refused.
    pub error: TokenError,
    /// The client that it was issued to: only where its issuer has confirmed it.
    pub client: Option<Arc<str>>,
}

impl From<TokenError> for Rejected {
    fn from(error: TokenError) -> Self {
        Self { error, client: None }
    }
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

/// Checks access tokens for one resource: those of one issuer, or of several.
///
/// A token of several issuers is checked by the one that it names, and by no other: nothing that
/// it says is believed before that issuer's key, or that issuer itself, has confirmed it.
pub struct Validator {
    signed: Vec<Signed>,
    /// The issuer of opaque tokens. There is only one: a token is shown to nobody but its issuer.
    opaque: Option<Opaque>,
    clock: Box<dyn Clock>,
    cache: Cache,
    revocations: Revocations,
}

/// An issuer whose signature is checked.
#[derive(Debug)]
struct Signed {
    issuer: TrustedIssuer,
    keys: Keys,
}

/// An issuer that is asked.
#[derive(Debug)]
struct Opaque {
    issuer: TrustedIssuer,
    introspector: Introspector,
}

/// The issuer's keys: given, or fetched.
#[derive(Debug)]
enum Keys {
    Given(Arc<VerificationKeys>),
    Remote(RemoteKeys),
}

impl Keys {
    fn current(&self) -> Result<Arc<VerificationKeys>, TokenError> {
        match self {
            Self::Given(keys) => Ok(Arc::clone(keys)),
            Self::Remote(keys) => keys.current().ok_or(TokenError::Unavailable),
        }
    }

    /// Which keys they are now; `None` while there are none.
    fn generation(&self) -> Option<Generation> {
        match self {
            Self::Given(keys) => Some(keys.generation()),
            Self::Remote(keys) => keys.generation(),
        }
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validator")
            .field("signed", &self.signed)
            .field("opaque", &self.opaque)
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
        let issuer = TrustedIssuer::new(
            vec![issuer.into()],
            vec![audience.clone()],
            audience,
            types,
            ClaimRules::default(),
        );
        Self::given(issuer, keys)
    }

    /// Accepts what `issuer` signed with one of `keys`.
    pub(crate) fn given(issuer: TrustedIssuer, keys: VerificationKeys) -> Self {
        let mut validator = Self::none();
        validator.signed.push(Signed { issuer, keys: Keys::Given(Arc::new(keys)) });
        validator
    }

    /// Accepts nothing.
    pub(crate) fn none() -> Self {
        let clock = Box::new(SystemClock);
        Self {
            signed: vec![],
            opaque: None,
            clock,
            cache: Cache::default(),
            revocations: Revocations::default(),
        }
    }

    /// Accepts as well what this issuer signed with keys that are fetched.
    #[must_use]
    pub(crate) fn or_signed(mut self, issuer: TrustedIssuer, keys: RemoteKeys) -> Self {
        self.signed.push(Signed { issuer, keys: Keys::Remote(keys) });
        self
    }

    /// Accepts as well what this issuer calls active when it is asked.
    #[must_use]
    pub(crate) fn or_asked(mut self, issuer: TrustedIssuer, introspector: Introspector) -> Self {
        self.opaque = Some(Opaque { issuer, introspector });
        self
    }

    /// Asks another clock for the time.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Refuses what is revoked, from the moment on in which it is.
    #[must_use]
    pub fn with_revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = revocations;
        self
    }

    /// What is refused because it is revoked.
    pub(crate) fn revocations(&self) -> Revocations {
        self.revocations.clone()
    }

    /// The token of a request, if it was found right before. Whether its times are right is looked at
    /// again; its form was, when it was found right.
    pub fn recall(&self, headers: &HeaderMap) -> Option<Result<AccessToken, Rejected>> {
        let token = unchecked(headers).ok()??;
        self.known(self.cache.digest(token))
    }

    /// Validates a token, and asks for what is missing: its issuer if it is opaque (RFC 7662), or
    /// new keys if it names one that is not there, at most once in ten seconds, whatever the flood.
    pub async fn authenticate(&self, token: &str) -> Result<AccessToken, Rejected> {
        let digest = self.cache.digest(token.as_bytes());
        if let Some(found) = self.known(digest) {
            return found;
        }
        match (self.signer(token), &self.opaque) {
            (Ok(signed), _) => {
                match (self.verify(token, digest, signed), &self.signed[signed].keys) {
                    (Err(Rejected { error: TokenError::UnknownKey, .. }), Keys::Remote(keys))
                        if Box::pin(keys.refresh()).await =>
                    {
                        self.verify(token, digest, signed)
                    }
                    (result, _) => result,
                }
            }
            (Err(_), Some(Opaque { issuer, introspector })) => {
                let asked = introspector.authenticate(token, issuer, &*self.clock);
                Box::pin(asked).await.and_then(|token| self.unless_revoked(token))
            }
            (Err(error), None) => Err(error.into()),
        }
    }

    /// Validates a token that is signed, with the keys that are there.
    pub fn validate(&self, token: &str) -> Result<AccessToken, TokenError> {
        let digest = self.cache.digest(token.as_bytes());
        let validated = match self.known(digest) {
            Some(found) => found,
            None => self.verify(token, digest, self.signer(token)?),
        };
        validated.map_err(|rejected| rejected.error)
    }

    /// A token whose signature was found right with the very keys that are there now. Only its times
    /// can make a difference since.
    fn known(&self, digest: Digest) -> Option<Result<AccessToken, Rejected>> {
        let Found { token, issuer, keys } = self.cache.get(digest)?;
        let current = self.signed.get(issuer)?.keys.generation()?;
        if current != keys {
            return None;
        }
        let times = check_times(token.expires_at(), token.not_before(), self.clock.now());
        Some(match times {
            Ok(()) => self.unless_revoked(token),
            Err(error) => Err(Rejected { error, client: token.0.client.clone() }),
        })
    }

    /// Where every token comes by, however it was found to be right.
    fn unless_revoked(&self, token: AccessToken) -> Result<AccessToken, Rejected> {
        if self.revocations.has(&token) {
            return Err(Rejected { error: TokenError::Revoked, client: token.0.client.clone() });
        }
        Ok(token)
    }

    /// The issuer that a signed token names, by its place in `signed`. Nothing else is read of it
    /// here, and nothing follows from it but whose key must have signed the token.
    fn signer(&self, token: &str) -> Result<usize, TokenError> {
        #[derive(Deserialize)]
        struct Named {
            iss: String,
        }
        if let ([_], None) = (&*self.signed, &self.opaque) {
            return Ok(0);
        }
        let named: Named =
            dangerous::insecure_decode_claims(token).map_err(|_| TokenError::Malformed)?;
        let is_named = |signed: &Signed| signed.issuer.is_named(&named.iss);
        self.signed.iter().position(is_named).ok_or_else(|| {
            let all = self.signed.iter().flat_map(|signed| signed.issuer.issuers());
            TokenError::Issuer(Expected::one_of("", all))
        })
    }

    /// The claims are read only after the signature was found right.
    fn verify(&self, token: &str, digest: Digest, issuer: usize) -> Result<AccessToken, Rejected> {
        let signed = &self.signed[issuer];
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        let header = decoded(header)?;
        let header: JoseHeader<'_> =
            serde_json::from_slice(&header).map_err(|_| TokenError::Malformed)?;
        signed.issuer.check_type(header.typ.as_ref().map(|typ| &*typ.0))?;
        let keys = signed.keys.current()?;
        let key = keys.find(header.kid.as_ref().map(|kid| &*kid.0), header.alg)?;
        match crypto::verify(signature, message.as_bytes(), &key.key, key.algorithm) {
            Ok(true) => {}
            Ok(false) => return Err(TokenError::Signature.into()),
            Err(error) => {
                return Err(match error.kind() {
                    ErrorKind::InvalidSignature => TokenError::Signature,
                    ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
                    _ => TokenError::Malformed,
                }
                .into());
            }
        }
        let payload = decoded(payload)?;
        let claims: Claims<'_> = serde_json::from_slice(&payload)
            .map_err(|_| TokenError::Claims("iss, sub, aud, exp or another"))?;
        let token = signed.issuer.accept(claims, self.clock.now())?;
        self.cache.insert(digest, Found { token: token.clone(), issuer, keys: keys.generation() });
        self.unless_revoked(token)
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}
