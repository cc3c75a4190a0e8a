//! Token introspection (RFC 7662): asks the issuer about an opaque token, and caches the answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use aws_lc_rs::{hmac, rand};
use moka::{Expiry, future::Cache};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{AccessToken, Clock, IssuerRules, Rejected, TokenError, claims::Claims, issuer_rules};
use crate::{
    remote::{ClientAuthentication, Metadata, Remote, RemoteError},
    secret::Secret,
};

/// How long an active token is used without asking again, unless it expires earlier. A revoked
/// token may still be accepted for this long.
const ANSWER_LIFETIME: Duration = Duration::from_mins(1);
/// How long a refusal is cached, so that a bad token that is sent again does not reach the issuer
/// each time.
const REFUSAL_LIFETIME: Duration = Duration::from_secs(10);
/// At most this many answers are cached, so that memory stays bounded. The least used ones make
/// room for new ones.
const MAX_ANSWERS: u64 = 20_000;
/// At most this many questions are open at the issuer at once, so that a flood of made-up tokens
/// does not become a flood at the issuer.
const MAX_QUESTIONS: usize = 32;
/// How long a request waits for its turn to ask. After that the token counts as impossible to
/// check, so that waiting requests do not pile up.
const MAX_WAIT: Duration = Duration::from_secs(3);

const EXPECTED: &str = "token introspection (RFC 7662)";
const TARGET: &str = "scopeward::introspection";

/// How an issuer is asked about a token.
#[derive(Debug, Clone)]
pub(crate) enum Introspection {
    /// By RFC 7662, as a client of the issuer.
    Standard { endpoint: EndpointAt, client: IntrospectionClient },
    /// By Google's `tokeninfo`, which answers everyone who has the token.
    TokenInfo { url: String },
}

/// Where the introspection endpoint is.
#[derive(Debug, Clone)]
pub(crate) enum EndpointAt {
    /// In the issuer's metadata (RFC 8414, section 2).
    Discovered { issuer: String },
    /// At this address.
    Url(String),
}

/// The client that asks the issuer.
#[derive(Debug, Clone)]
pub(crate) struct IntrospectionClient {
    pub(crate) id: String,
    pub(crate) secret: Secret,
}

/// Asks an issuer about its tokens. Requests with the same token share one question.
#[derive(Debug, Clone)]
pub(crate) struct Introspector(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    how: Introspection,
    remote: Remote,
    /// The endpoint as it was found. It is found again after a failure, because an issuer may move it.
    endpoint: ArcSwapOption<Endpoint>,
    /// The key of the digests, which is secret to this process.
    key: hmac::Key,
    turns: Semaphore,
    /// Whether the last question had no answer.
    is_silent: AtomicBool,
    /// The answers by the token's digest, so that a copy of the memory holds no tokens.
    answers: Cache<[u8; 32], CachedAnswer>,
}

#[derive(Debug, Clone)]
struct Endpoint {
    url: String,
    authentication: ClientAuthentication,
}

/// An issuer's answer about a token, and how long it is cached.
#[derive(Debug, Clone)]
struct CachedAnswer {
    outcome: Result<AccessToken, Rejected>,
    lasts: Duration,
}

/// Removes each answer after its own lifetime.
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
        let mut secret = [0; 32];
        // Without random bytes every digest has the same key, which is no more than a plain digest.
        let _ = rand::fill(&mut secret);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let answers = Cache::builder().max_capacity(MAX_ANSWERS).expire_after(UntilExpiry).build();
        Self(Arc::new(Inner {
            how,
            remote,
            endpoint: ArcSwapOption::empty(),
            key,
            turns: Semaphore::new(MAX_QUESTIONS),
            is_silent: AtomicBool::new(false),
            answers,
        }))
    }

    /// Returns the token, if its issuer calls it active and it is for this resource.
    pub(crate) async fn authenticate(
        &self,
        token: &str,
        issuer: &IssuerRules,
        clock: &dyn Clock,
    ) -> Result<AccessToken, Rejected> {
        let mut key = [0; 32];
        key.copy_from_slice(hmac::sign(&self.0.key, token.as_bytes()).as_ref());
        let answer = self.look_up(token, issuer, clock);
        // Other requests with the same token wait for this answer. A failure to get an answer is
        // not cached.
        let kept = self.0.answers.try_get_with(key, answer).await;
        let token = kept.map_err(|error| (*error).clone())?.outcome?;
        if issuer_rules::has_expired(token.expires_at(), clock.now()) {
            return Err(TokenError::Expired.into());
        }
        Ok(token)
    }

    /// Asks about a token that was never issued, to find out whether the issuer answers.
    pub(crate) async fn probe(&self) -> Result<(), RemoteError> {
        self.ask("a-token-that-was-never-issued").await.map(drop)
    }

    async fn look_up(
        &self,
        token: &str,
        issuer: &IssuerRules,
        clock: &dyn Clock,
    ) -> Result<CachedAnswer, TokenError> {
        let turn = tokio::time::timeout(MAX_WAIT, self.0.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(TokenError::Unavailable) };
        let asked = self.ask(token).await;
        let was_silent = self.0.is_silent.swap(asked.is_err(), Ordering::Relaxed);
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) => {
                // Logged once, and not for each request.
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
            Ok(token) => {
                ANSWER_LIFETIME.min(Duration::from_secs(token.expires_at().saturating_sub(now)))
            }
            Err(_) => REFUSAL_LIFETIME,
        };
        Ok(CachedAnswer { outcome, lasts })
    }

    /// Asks the issuer about a token; `None` if the token is not active.
    async fn ask(&self, token: &str) -> Result<Option<Value>, RemoteError> {
        let Inner { how, remote, .. } = &*self.0;
        match how {
            Introspection::Standard { endpoint, client } => {
                let found = if let Some(found) = self.0.endpoint.load_full() {
                    found
                } else {
                    let found = Arc::new(find(remote, endpoint).await?);
                    self.0.endpoint.store(Some(Arc::clone(&found)));
                    found
                };
                let Endpoint { url, authentication } = &*found;
                let form = [("token", token), ("token_type_hint", "access_token")];
                let secret = client.secret.read().map_err(|error| RemoteError::Secret {
                    url: url.clone(),
                    reason: error.to_string(),
                })?;
                let client = (&*client.id, secret.expose_secret());
                let answer = remote.post_as(url, client, *authentication, &form, EXPECTED).await;
                let answer = answer.inspect_err(|_| self.0.endpoint.store(None))?;
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
                    // The endpoint says `invalid_token` for every token that is not active.
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
            // Without this member, the issuer takes `client_secret_basic`, which RFC 8414 has as
            // the default for the token endpoint.
            let methods =
                metadata.answer.json["introspection_endpoint_auth_methods_supported"].as_array();
            let knows = |name: &str| methods.is_none_or(|all| all.iter().any(|one| one == name));
            let authentication =
                if knows("client_secret_basic") { basic } else { ClientAuthentication::Form };
            Ok(Endpoint { url, authentication })
        }
    }
}

fn is_dpop(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("dpop")
}

/// Reads an answer as claims. Every member but `active` is optional, and means the same as in a JWT
/// (RFC 7662, section 2.2).
fn read(mut answer: Value, issuer: &IssuerRules, now: u64) -> Result<Claims<'static>, TokenError> {
    let is_bearer = |kind: &Value| kind.as_str().is_some_and(|k| k.eq_ignore_ascii_case("bearer"));
    if answer.get("token_type").is_some_and(|kind| kind.as_str().is_some_and(is_dpop)) {
        return Err(TokenError::Bound);
    }
    // Some issuers also answer about other kinds of token, and name the kind here.
    if answer.get("token_type").is_some_and(|kind| !is_bearer(kind)) {
        return Err(TokenError::Type);
    }
    let Some(claims) = answer.as_object_mut() else { return Err(TokenError::Malformed) };
    // An answer without `iss` is from the issuer that was asked, because nobody else could have
    // given it.
    claims.entry("iss").or_insert_with(|| (*issuer.name).into());
    // The issuer's name for the person is in `sub`, or in `username` if there is no `sub`. A username
    // has a namespace of its own, because it may be another account's `sub`.
    if let (None, Some(username)) = (claims.get("sub"), claims.get("username")) {
        let username = username.as_str().filter(|name| !name.is_empty());
        let subject = username.ok_or(TokenError::Claims("username"))?;
        let subject = format!("username:{subject}");
        claims.insert("sub".to_owned(), subject.into());
    }
    match claims.get("exp") {
        // Google writes its numbers as text.
        Some(Value::String(text)) => {
            let seconds: u64 = text.parse().map_err(|_| TokenError::Claims("exp"))?;
            claims.insert("exp".to_owned(), seconds.into());
        }
        Some(_) => {}
        // A token without `exp` is used for as long as its answer is cached, and then asked about
        // again.
        None => drop(claims.insert("exp".to_owned(), (now + ANSWER_LIFETIME.as_secs()).into())),
    }
    Claims::deserialize(answer).map_err(|_| TokenError::Claims("sub, aud, exp or another"))
}
