//! Opaque tokens: their issuer is asked what they are (RFC 7662), and the answer is kept for a
//! while.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};
use moka::{Expiry, future::Cache};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};

use super::{AccessToken, Clock, IssuerRules, Rejected, TokenError, claims::Claims, issuer_rules};
use crate::{
    remote::{ClientAuthentication, Metadata, Remote, RemoteError},
    secret::Secret,
};

/// An active token is asked about again after this, or when it expires: for so long a revoked one
/// may still be accepted.
const KEPT: Duration = Duration::from_mins(1);
/// A refused token is not asked about again for so long.
const REFUSAL_KEPT: Duration = Duration::from_secs(10);
/// So many answers are kept; the least used make room.
const MOST_KEPT: u64 = 20_000;
/// So many questions may be open at once: a flood of made-up tokens must not become one at the
/// issuer.
const MOST_ASKED: usize = 32;
/// A request waits at most so long for its turn to ask.
const PATIENCE: Duration = Duration::from_secs(3);

const EXPECTED: &str = "token introspection (RFC 7662)";
const TARGET: &str = "scopeward::introspection";

/// How an issuer is asked.
#[derive(Debug, Clone)]
pub(crate) enum Introspection {
    /// RFC 7662, as a client of the issuer.
    Standard { endpoint: EndpointAt, client: IntrospectionClient },
    /// Google's `tokeninfo`, which anyone may ask who has the token.
    TokenInfo { url: String },
}

/// Where the introspection endpoint is.
#[derive(Debug, Clone)]
pub(crate) enum EndpointAt {
    /// Where the issuer's metadata says (RFC 8414, section 2).
    Discovered { issuer: String },
    /// At this address.
    Url(String),
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct IntrospectionClient {
    pub(crate) id: String,
    pub(crate) secret: Secret,
}

/// Asks an issuer about its tokens, each at most once at a time.
#[derive(Debug, Clone)]
pub(crate) struct Introspector(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    how: Introspection,
    remote: Remote,
    endpoint: OnceCell<Endpoint>,
    turns: Semaphore,
    is_silent: AtomicBool,
    /// By the token's digest: a copy of the memory holds no tokens.
    answers: Cache<[u8; 32], CachedAnswer>,
}

#[derive(Debug, Clone)]
struct Endpoint {
    url: String,
    authentication: ClientAuthentication,
}

/// What an issuer said, and for how long that is believed.
#[derive(Debug, Clone)]
struct CachedAnswer {
    outcome: Result<AccessToken, Rejected>,
    lasts: Duration,
}

struct UntilExpiry;

impl Expiry<[u8; 32], CachedAnswer> for UntilExpiry {
    fn expire_after_create(
        &self,
        _: &[u8; 32],
        kept: &CachedAnswer,
        _: Instant,
    ) -> Option<Duration> {
        Some(kept.lasts)
    }
}

impl Introspector {
    pub(crate) fn new(how: Introspection, remote: Remote) -> Self {
        let answers = Cache::builder().max_capacity(MOST_KEPT).expire_after(UntilExpiry).build();
        Self(Arc::new(Inner {
            how,
            remote,
            endpoint: OnceCell::new(),
            turns: Semaphore::new(MOST_ASKED),
            is_silent: AtomicBool::new(false),
            answers,
        }))
    }

    /// The token, if its issuer calls it active and it is for this resource.
    pub(crate) async fn authenticate(
        &self,
        token: &str,
        issuer: &IssuerRules,
        clock: &dyn Clock,
    ) -> Result<AccessToken, Rejected> {
        let mut key = [0; 32];
        key.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let answer = self.look_up(token, issuer, clock);
        // Whoever asks about the same token meanwhile waits for this answer. That there was none
        // is not remembered.
        let kept = self.0.answers.try_get_with(key, answer).await;
        let token = kept.map_err(|error| (*error).clone())?.outcome?;
        if issuer_rules::has_expired(token.expires_at(), clock.now()) {
            return Err(TokenError::Expired.into());
        }
        Ok(token)
    }

    /// Asks about a token that was never issued: whether there is an answer at all.
    pub(crate) async fn probe(&self) -> Result<(), RemoteError> {
        self.ask("a-token-that-was-never-issued").await.map(drop)
    }

    async fn look_up(
        &self,
        token: &str,
        issuer: &IssuerRules,
        clock: &dyn Clock,
    ) -> Result<CachedAnswer, TokenError> {
        let turn = tokio::time::timeout(PATIENCE, self.0.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(TokenError::Unavailable) };
        let asked = self.ask(token).await;
        let was_silent = self.0.is_silent.swap(asked.is_err(), Ordering::Relaxed);
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) => {
                // Said once, not for each request.
                if !was_silent {
                    tracing::error!(target: TARGET, "{error}; opaque tokens cannot be checked now");
                }
                return Err(TokenError::Unavailable);
            }
        };
        let now = clock.now();
        let outcome = match answer {
            Some(claims) => read(claims, issuer, now)
                .map_err(Rejected::from)
                .and_then(|claims| issuer.accept(claims, now)),
            None => Err(TokenError::Inactive.into()),
        };
        let lasts = match &outcome {
            Ok(token) => KEPT.min(Duration::from_secs(token.expires_at().saturating_sub(now))),
            Err(_) => REFUSAL_KEPT,
        };
        Ok(CachedAnswer { outcome, lasts })
    }

    /// What the issuer says of a token; `None` if it is not active.
    async fn ask(&self, token: &str) -> Result<Option<Value>, RemoteError> {
        let Inner { how, remote, .. } = &*self.0;
        match how {
            Introspection::Standard { endpoint, client } => {
                let Endpoint { url, authentication } =
                    self.0.endpoint.get_or_try_init(|| find(remote, endpoint)).await?;
                let form = [("token", token), ("token_type_hint", "access_token")];
                let secret = client.secret.read().map_err(|error| RemoteError::Secret {
                    url: url.clone(),
                    reason: error.to_string(),
                })?;
                let client = (&*client.id, secret.expose_secret());
                let answer = remote.post_as(url, client, *authentication, &form, EXPECTED).await?;
                match &answer.json["active"] {
                    Value::Bool(true) => Ok(Some(answer.json)),
                    Value::Bool(false) => Ok(None),
                    _ => Err(RemoteError::Answer {
                        url: url.clone(),
                        expected: EXPECTED,
                        reason: "it does not say whether the token is `active`".to_owned(),
                    }),
                }
            }
            Introspection::TokenInfo { url } => {
                match remote.post_with(url, token, "Google's tokeninfo").await {
                    Ok(answer) => Ok(Some(answer.json)),
                    // "invalid_token": it has no other word for it.
                    Err(RemoteError::Status { status: 400 | 401, .. }) => Ok(None),
                    Err(error) => Err(error),
                }
            }
        }
    }
}

async fn find(remote: &Remote, at: &EndpointAt) -> Result<Endpoint, RemoteError> {
    let basic = ClientAuthentication::Basic;
    match at {
        EndpointAt::Url(url) => Ok(Endpoint { url: url.clone(), authentication: basic }),
        EndpointAt::Discovered { issuer } => {
            let metadata = Metadata::discover(remote, issuer).await?;
            let url = metadata.introspection_endpoint()?.to_owned();
            // Unless written, the default of RFC 8414 for the token endpoint: client_secret_basic.
            let methods =
                metadata.answer.json["introspection_endpoint_auth_methods_supported"].as_array();
            let knows = |name: &str| methods.is_none_or(|all| all.iter().any(|one| one == name));
            let authentication =
                if knows("client_secret_basic") { basic } else { ClientAuthentication::Form };
            Ok(Endpoint { url, authentication })
        }
    }
}

/// The answer as claims. RFC 7662, section 2.2: all but `active` is optional, and what is there
/// means what it means in a JWT.
fn read(mut answer: Value, issuer: &IssuerRules, now: u64) -> Result<Claims<'static>, TokenError> {
    let is_bearer = |kind: &Value| kind.as_str().is_some_and(|k| k.eq_ignore_ascii_case("bearer"));
    // Some issuers answer for their other tokens as well, and say so here.
    if answer.get("token_type").is_some_and(|kind| !is_bearer(kind)) {
        return Err(TokenError::Type);
    }
    let Some(claims) = answer.as_object_mut() else { return Err(TokenError::Malformed) };
    // Nobody but the issuer could have said this.
    claims.entry("iss").or_insert_with(|| (*issuer.name).into());
    // A subject is what the issuer calls the person: `sub`, or where it is not there `username`.
    if let (None, Some(username)) = (claims.get("sub"), claims.get("username").cloned()) {
        claims.insert("sub".to_owned(), username);
    }
    match claims.get("exp") {
        // Google writes its numbers as text.
        Some(Value::String(text)) => {
            let seconds: u64 = text.parse().map_err(|_| TokenError::Claims("exp"))?;
            claims.insert("exp".to_owned(), seconds.into());
        }
        Some(_) => {}
        // It is asked about again before then.
        None => drop(claims.insert("exp".to_owned(), (now + KEPT.as_secs()).into())),
    }
    Claims::deserialize(answer).map_err(|_| TokenError::Claims("sub, aud, exp or another"))
}
