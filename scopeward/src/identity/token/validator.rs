//! Validates access tokens. The signature is checked before the claims, because claims cannot be
//! trusted without it.

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderMap;
use jsonwebtoken::{crypto, dangerous, errors::ErrorKind};
use serde::Deserialize;

use super::{
    AccessToken, Clock, Expected, Introspector, IssuerRules, Rejected, RemoteKeys, Revocations,
    SystemClock, TokenError, TokenTypes, VerificationKeys,
    cache::{CachedToken, TokenCache, TokenDigest},
    claims::{ClaimRules, Claims},
    header::{is_b64token, unchecked},
    issuer_rules::check_times,
    jose::JoseHeader,
    keys::Generation,
};

/// Checks the access tokens of one or several issuers for one resource.
///
/// A token is checked by the issuer that it names, and by no other. Nothing in it is believed
/// before that issuer's key, or the issuer itself, has confirmed it.
///
/// ```
/// use http::HeaderMap;
/// use scopeward::identity::{
///     revocation::Revocations,
///     token::{AccessToken, KeySetError, SystemClock, TokenTypes, Validator, VerificationKeys, bearer},
/// };
///
/// fn validator(keys: &str) -> Result<Validator, KeySetError> {
///     let keys = VerificationKeys::parse(keys)?;
///     let (issuer, audience) = ("https://login.example.com", "https://mcp.example.com/mcp");
///     let validator = Validator::new(issuer, audience, keys, TokenTypes::AccessToken);
///     Ok(validator.with_clock(SystemClock).with_revocations(Revocations::default()))
/// }
///
/// /// The token of a request: known from before, or validated now.
/// async fn authenticate(validator: &Validator, headers: &HeaderMap) -> Option<AccessToken> {
///     if let Some(known) = validator.recall(headers) {
///         return known.ok();
///     }
///     validator.authenticate(bearer(headers).ok()??).await.ok()
/// }
///
/// /// Without asking the issuer for new keys.
/// fn at_once(validator: &Validator, token: &str) -> Option<AccessToken> {
///     validator.validate(token).ok()
/// }
///
/// let none = validator(r#"{ "keys": [] }"#)?;
/// assert!(none.validate("e30.e30.c2ln").is_err());
/// # Ok::<(), KeySetError>(())
/// ```
pub struct Validator {
    signed: Vec<SigningIssuer>,
    /// The issuer of opaque tokens. There is at most one, because a token is shown to nobody but
    /// its issuer.
    opaque: Option<OpaqueIssuer>,
    clock: Box<dyn Clock>,
    cache: TokenCache,
    revocations: Revocations,
    longest: usize,
}

/// The longest token that is read unless it is set, in bytes: 32 KiB, which is twice the token of a
/// person with hundreds of roles.
pub(crate) const LONGEST_TOKEN: usize = 32 * 1024;

/// An issuer of signed tokens, with its keys.
#[derive(Debug)]
struct SigningIssuer {
    issuer: IssuerRules,
    keys: IssuerKeys,
}

/// An issuer of opaque tokens, which is asked about each of them.
#[derive(Debug)]
struct OpaqueIssuer {
    issuer: IssuerRules,
    introspector: Introspector,
}

/// The keys of an issuer: given, or fetched.
#[derive(Debug)]
enum IssuerKeys {
    Given(Arc<VerificationKeys>),
    Remote(RemoteKeys),
}

impl IssuerKeys {
    fn current(&self) -> Result<Arc<VerificationKeys>, TokenError> {
        match self {
            Self::Given(keys) => Ok(Arc::clone(keys)),
            Self::Remote(keys) => keys.current().ok_or(TokenError::Unavailable),
        }
    }

    /// The generation of the current keys; `None` while there are none.
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
    /// Makes a validator that accepts the tokens that `issuer` signed with one of `keys` for
    /// `audience`. Issuer and audience are compared byte by byte.
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        keys: VerificationKeys,
        types: TokenTypes,
    ) -> Self {
        let audience = audience.into();
        let issuer = IssuerRules::new(
            vec![issuer.into()],
            vec![audience.clone()],
            audience,
            types,
            ClaimRules::default(),
        );
        Self::given(issuer, keys)
    }

    /// Makes a validator that accepts the tokens that `issuer` signed with one of `keys`.
    pub(crate) fn given(issuer: IssuerRules, keys: VerificationKeys) -> Self {
        let mut validator = Self::none();
        validator.signed.push(SigningIssuer { issuer, keys: IssuerKeys::Given(Arc::new(keys)) });
        validator
    }

    /// Makes a validator that accepts no token.
    pub(crate) fn none() -> Self {
        let clock = Box::new(SystemClock);
        Self {
            signed: vec![],
            opaque: None,
            clock,
            cache: TokenCache::default(),
            revocations: Revocations::default(),
            longest: LONGEST_TOKEN,
        }
    }

    /// Also accepts the tokens that this issuer signed with keys that are fetched.
    #[must_use]
    pub(crate) fn or_signed(mut self, issuer: IssuerRules, keys: RemoteKeys) -> Self {
        self.signed.push(SigningIssuer { issuer, keys: IssuerKeys::Remote(keys) });
        self
    }

    /// Also accepts the tokens that this issuer calls active when it is asked.
    #[must_use]
    pub(crate) fn or_asked(mut self, issuer: IssuerRules, introspector: Introspector) -> Self {
        self.opaque = Some(OpaqueIssuer { issuer, introspector });
        self
    }

    /// Reads the time from another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Refuses revoked tokens, from the moment on in which `revocations` has them.
    #[must_use]
    pub fn with_revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = revocations;
        self
    }

    /// Refuses tokens that are longer than this, in bytes, before anything of them is read.
    #[must_use]
    pub(crate) fn with_longest(mut self, longest: usize) -> Self {
        self.longest = longest;
        self
    }

    /// The list of revocations that tokens are checked against.
    pub(crate) fn revocations(&self) -> Revocations {
        self.revocations.clone()
    }

    /// Finds the token of a request in the cache; `None` if it is not there. Its times and
    /// revocations are checked again. Its form is not, because only well-formed tokens are cached.
    pub fn recall(&self, headers: &HeaderMap) -> Option<Result<AccessToken, Rejected>> {
        let token = unchecked(headers).ok()??;
        self.known(self.cache.digest(token))
    }

    /// Validates a token, and asks its issuer if necessary: about the token if it is opaque (RFC
    /// 7662), or for new keys if the token names an unknown key. New keys are fetched at most once
    /// in ten seconds, even in a flood of such tokens.
    ///
    /// # Errors
    ///
    /// [`Rejected`] with the reason, and with the client if the issuer has confirmed it.
    pub async fn authenticate(&self, token: &str) -> Result<AccessToken, Rejected> {
        let digest = self.cache.digest(token.as_bytes());
        if let Some(found) = self.known(digest) {
            return found;
        }
        self.check_form(token)?;
        match (self.signer(token), &self.opaque) {
            (Ok(signed), _) => {
                let first = self.verify(token, digest, signed);
                match (first, &self.signed[signed].keys) {
                    (
                        Err(Rejected {
                            error: TokenError::UnknownKey | TokenError::Unavailable,
                            ..
                        }),
                        IssuerKeys::Remote(keys),
                    ) => {
                        let again = || self.verify(token, digest, signed);
                        let key = key_named_by(token);
                        Box::pin(keys.look_for(token, key.as_deref(), again)).await
                    }
                    (result, _) => result,
                }
            }
            // A readable JWT of another issuer is shown to nobody: it could be used by whoever sees it.
            (Err(error @ TokenError::Issuer(_)), Some(OpaqueIssuer { issuer, .. }))
                if !names_issuer(token, issuer) =>
            {
                Err(error.into())
            }
            (Err(_), Some(OpaqueIssuer { issuer, introspector })) => {
                let asked = introspector.authenticate(token, issuer, &*self.clock);
                Box::pin(asked).await.and_then(|token| self.unless_revoked(token))
            }
            (Err(error), None) => Err(error.into()),
        }
    }

    /// Validates a signed token with the current keys, without asking its issuer.
    ///
    /// # Errors
    ///
    /// [`TokenError`] with the reason why the token is refused.
    pub fn validate(&self, token: &str) -> Result<AccessToken, TokenError> {
        let digest = self.cache.digest(token.as_bytes());
        let validated = if let Some(found) = self.known(digest) {
            found
        } else {
            self.check_form(token)?;
            self.verify(token, digest, self.signer(token)?)
        };
        validated.map_err(|rejected| rejected.error)
    }

    /// Checks the length and the characters of a token that is not known yet.
    fn check_form(&self, token: &str) -> Result<(), TokenError> {
        if token.len() > self.longest {
            return Err(TokenError::TooLong(self.longest));
        }
        if is_b64token(token.as_bytes()) { Ok(()) } else { Err(TokenError::Malformed) }
    }

    /// Finds a cached token that was verified with the current keys. Only its times and the
    /// revocations are checked, because nothing else can have changed.
    fn known(&self, digest: TokenDigest) -> Option<Result<AccessToken, Rejected>> {
        let CachedToken { token, issuer, keys } = self.cache.get(digest)?;
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

    /// Refuses a revoked token. Every valid token passes through here, whether it was cached,
    /// verified or asked about.
    fn unless_revoked(&self, token: AccessToken) -> Result<AccessToken, Rejected> {
        if self.revocations.has(&token) {
            return Err(Rejected { error: TokenError::Revoked, client: token.0.client.clone() });
        }
        Ok(token)
    }

    /// Finds the issuer that a signed token names, as an index of `signed`. Only `iss` is read, and
    /// it only selects the issuer whose key must have signed the token, because it is not verified
    /// yet.
    fn signer(&self, token: &str) -> Result<usize, TokenError> {
        if let ([_], None) = (&*self.signed, &self.opaque) {
            return Ok(0);
        }
        let named = issuer_of(token).ok_or(TokenError::Malformed)?;
        let is_named = |signed: &SigningIssuer| signed.issuer.is_named(&named);
        let may_be = |signed: &SigningIssuer| signed.issuer.may_have_others();
        let found = self.signed.iter().position(is_named);
        found.or_else(|| self.signed.iter().position(may_be)).ok_or_else(|| {
            let all = self.signed.iter().flat_map(|signed| signed.issuer.issuers());
            TokenError::Issuer(Expected::one_of("", all))
        })
    }

    /// Verifies a signed token, and caches it. The claims are read only after the signature was
    /// found right.
    fn verify(
        &self,
        token: &str,
        digest: TokenDigest,
        issuer: usize,
    ) -> Result<AccessToken, Rejected> {
        let signed = &self.signed[issuer];
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        let header = decoded(header)?;
        let header: JoseHeader<'_> =
            serde_json::from_slice(&header).map_err(|_| TokenError::Malformed)?;
        signed.issuer.check_type(header.typ.as_ref().map(|typ| &*typ.0))?;
        let keys = signed.keys.current()?;
        let algorithm = header.algorithm()?;
        let id = header.kid.as_ref().map(|kid| &*kid.0);
        let mut wrong = TokenError::UnknownKey;
        // Without `kid` there can be several keys, of which each is tried.
        let is_signed = keys.find(id, algorithm)?.any(|key| {
            match crypto::verify(signature, message.as_bytes(), &key.key, algorithm) {
                Ok(true) => return true,
                Ok(false) => wrong = TokenError::Signature,
                Err(error) => {
                    wrong = match error.kind() {
                        ErrorKind::InvalidSignature => TokenError::Signature,
                        _ => TokenError::Malformed,
                    };
                }
            }
            false
        });
        if !is_signed {
            // A token that names no key may be signed with one that is not fetched yet.
            let is_fetched = matches!(signed.keys, IssuerKeys::Remote(_));
            let may_be_new = is_fetched && id.is_none() && wrong == TokenError::Signature;
            return Err(if may_be_new { TokenError::UnknownKey } else { wrong }.into());
        }
        let payload = decoded(payload)?;
        let claims: Claims<'_> = serde_json::from_slice(&payload)
            .map_err(|_| TokenError::Claims("iss, sub, aud, exp or another"))?;
        let token = signed.issuer.accept(claims, self.clock.now())?;
        self.cache
            .insert(digest, CachedToken { token: token.clone(), issuer, keys: keys.generation() });
        self.unless_revoked(token)
    }
}

/// Returns whether a JWT names this issuer. Nothing in it is believed.
fn names_issuer(token: &str, issuer: &IssuerRules) -> bool {
    issuer_of(token).is_some_and(|named| issuer.is_named(&named))
}

/// The key that the header of a JWT names (`kid`).
fn key_named_by(token: &str) -> Option<String> {
    let header = decoded(token.split_once('.')?.0).ok()?;
    let header: JoseHeader<'_> = serde_json::from_slice(&header).ok()?;
    header.kid.map(|kid| kid.0.into_owned())
}

/// The `iss` of a token that has the form of a JWT.
fn issuer_of(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        iss: String,
    }
    dangerous::insecure_decode_claims::<Named>(token).ok().map(|named| named.iss)
}

fn decoded(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}
