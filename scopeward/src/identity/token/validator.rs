//! Validates a JWT access token: everything it claims, in the order in which it can be trusted.

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
    header::unchecked,
    issuer_rules::check_times,
    jose::JoseHeader,
    keys::Generation,
};

/// Checks access tokens for one resource: those of one issuer, or of several.
///
/// A token of several issuers is checked by the one that it names, and by no other: nothing that
/// it says is believed before that issuer's key, or that issuer itself, has confirmed it.
pub struct Validator {
    signed: Vec<SigningIssuer>,
    /// The issuer of opaque tokens. There is only one: a token is shown to nobody but its issuer.
    opaque: Option<OpaqueIssuer>,
    clock: Box<dyn Clock>,
    cache: TokenCache,
    revocations: Revocations,
}

/// An issuer whose signature is checked.
#[derive(Debug)]
struct SigningIssuer {
    issuer: IssuerRules,
    keys: IssuerKeys,
}

/// An issuer that is asked.
#[derive(Debug)]
struct OpaqueIssuer {
    issuer: IssuerRules,
    introspector: Introspector,
}

/// The issuer's keys: given, or fetched.
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
        let issuer = IssuerRules::new(
            vec![issuer.into()],
            vec![audience.clone()],
            audience,
            types,
            ClaimRules::default(),
        );
        Self::given(issuer, keys)
    }

    /// Accepts what `issuer` signed with one of `keys`.
    pub(crate) fn given(issuer: IssuerRules, keys: VerificationKeys) -> Self {
        let mut validator = Self::none();
        validator.signed.push(SigningIssuer { issuer, keys: IssuerKeys::Given(Arc::new(keys)) });
        validator
    }

    /// Accepts nothing.
    pub(crate) fn none() -> Self {
        let clock = Box::new(SystemClock);
        Self {
            signed: vec![],
            opaque: None,
            clock,
            cache: TokenCache::default(),
            revocations: Revocations::default(),
        }
    }

    /// Accepts as well what this issuer signed with keys that are fetched.
    #[must_use]
    pub(crate) fn or_signed(mut self, issuer: IssuerRules, keys: RemoteKeys) -> Self {
        self.signed.push(SigningIssuer { issuer, keys: IssuerKeys::Remote(keys) });
        self
    }

    /// Accepts as well what this issuer calls active when it is asked.
    #[must_use]
    pub(crate) fn or_asked(mut self, issuer: IssuerRules, introspector: Introspector) -> Self {
        self.opaque = Some(OpaqueIssuer { issuer, introspector });
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
                    (
                        Err(Rejected { error: TokenError::UnknownKey, .. }),
                        IssuerKeys::Remote(keys),
                    ) if Box::pin(keys.refresh()).await => self.verify(token, digest, signed),
                    (result, _) => result,
                }
            }
            (Err(_), Some(OpaqueIssuer { issuer, introspector })) => {
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
        let is_named = |signed: &SigningIssuer| signed.issuer.is_named(&named.iss);
        self.signed.iter().position(is_named).ok_or_else(|| {
            let all = self.signed.iter().flat_map(|signed| signed.issuer.issuers());
            TokenError::Issuer(Expected::one_of("", all))
        })
    }

    /// The claims are read only after the signature was found right.
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
        self.cache
            .insert(digest, CachedToken { token: token.clone(), issuer, keys: keys.generation() });
        self.unless_revoked(token)
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}
