//! The embedded issuer: an OAuth 2.1 authorization server for development, so that scopes can be
//! tried without an account at any provider.
//!
//! The issuer has authorization code with PKCE (S256 only), client ID metadata documents, dynamic
//! registration and clients that the policy names, client credentials for machines, rotating
//! refresh tokens, and a consent page where the person ticks which of the requested scopes to
//! grant. Because anyone can sign in under any name, the issuer serves loopback only and refuses a
//! public URL.

mod answer;
mod authorize;
mod client;
mod consent;
mod credentials;
mod directory;
mod documents;
mod keys;
mod pages;
mod parameters;
mod refresh;
mod registration;
mod revocation_endpoint;
mod state;
mod store;
mod token_answer;
mod tokens;

use std::{fmt, path::Path, sync::Arc};

use axum::{Json, Router, routing::get};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{
    file,
    identity::token::{
        ClaimRules, Clock, IssuerRules, Revocations, SignIn, SystemClock, TokenTypes, Validator,
        VerificationKeys,
    },
    live::LivePolicy,
    policy::{CompiledPolicy, ResourceUrl, Scope, ScopeInfo},
};
use documents::Documents;
use keys::SigningKey;
use state::Grant;
use store::Store;

/// The canonical name of the embedded issuer, whatever its URL.
const EMBEDDED: &str = "embedded";
/// What the subject of a machine begins with, so that no person ever has the subject of a machine.
const MACHINE: &str = "machine:";
/// How long an access token is valid: one hour, in seconds.
const ACCESS_TOKEN_LIFETIME: u64 = 60 * 60;

/// Why the embedded issuer does not start.
///
/// ```
/// use scopeward::{issuer::{Issuer, IssuerError}, policy::ResourceUrl};
///
/// let public = ResourceUrl::parse("https://mcp.example.com/mcp")?;
/// assert!(matches!(Issuer::may_serve(&public), Err(IssuerError::NotLoopback(_))));
/// # Ok::<(), scopeward::policy::ResourceUrlError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// The resource is not on loopback, so the issuer would be reachable from other machines.
    #[error(
        "the embedded issuer lets anyone sign in under any name, so it serves loopback only, and \
         {0} is not loopback"
    )]
    NotLoopback(String),
    /// The data folder cannot be used.
    #[error("cannot use {path}: {source}")]
    Io {
        /// The file or folder.
        path: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The signing key is readable by others.
    #[error("{0} can be read by other users of this machine; run `chmod 600 {0}`")]
    OpenKey(String),
    /// A file in the data folder is damaged.
    #[error("{path} is damaged ({reason}); remove it, and clients will sign in anew")]
    Damaged {
        /// The file.
        path: String,
        /// The mistake in the file, and its place if it is known.
        reason: String,
    },
}

/// The embedded issuer.
///
/// ```no_run
/// use std::path::Path;
/// use scopeward::{issuer::Issuer, policy::CheckedPolicy};
///
/// fn open(policy: CheckedPolicy) -> Result<axum::Router, Box<dyn std::error::Error>> {
///     let issuer = Issuer::open(Path::new("data"), policy, "notes")?;
///     // A token for curl, with every scope.
///     let token = issuer.sign("ada", "curl", &issuer.registered())?;
///     assert_eq!(issuer.validator().validate(&token)?.issuer(), issuer.url());
///     Ok(issuer.endpoints().merge(issuer.pages()))
/// }
/// ```
#[derive(Clone)]
pub struct Issuer(Arc<Inner>);

struct Inner {
    /// The issuer identifier (RFC 8414, section 2): the resource's origin.
    url: String,
    resource_name: String,
    resource: ResourceUrl,
    policy: LivePolicy,
    key: SigningKey,
    store: Store,
    /// The lists of revocations that refuse the tokens of sign-ins which have ended.
    revocations: Mutex<Vec<Revocations>>,
    documents: Documents,
    clock: Box<dyn Clock>,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("url", &self.0.url).finish_non_exhaustive()
    }
}

impl Issuer {
    /// Opens the embedded issuer of the policy's resource, whose key and clients are kept in the
    /// folder `data`.
    ///
    /// # Errors
    ///
    /// [`IssuerError::NotLoopback`] for a resource on another machine, and the other variants when
    /// the folder or one of its files cannot be used.
    pub fn open(
        data: &Path,
        policy: impl Into<LivePolicy>,
        resource_name: &str,
    ) -> Result<Self, IssuerError> {
        let policy = policy.into();
        let resource = policy.current().resource().clone();
        Self::may_serve(&resource)?;
        file::make_data_folder(data)
            .map_err(|source| IssuerError::Io { path: data.display().to_string(), source })?;
        Ok(Self(Arc::new(Inner {
            url: resource.origin(),
            resource,
            resource_name: resource_name.to_owned(),
            key: SigningKey::open(&data.join("issuer-key.p8"))?,
            store: Store::open(&data.join("issuer.json"))?,
            revocations: Mutex::default(),
            documents: Documents::new(),
            clock: Box::new(SystemClock),
            policy,
        })))
    }

    /// Checks that the embedded issuer may serve this resource.
    ///
    /// # Errors
    ///
    /// [`IssuerError::NotLoopback`] if the resource is not on loopback, because anyone can sign in.
    pub fn may_serve(resource: &ResourceUrl) -> Result<(), IssuerError> {
        if resource.is_loopback() {
            Ok(())
        } else {
            Err(IssuerError::NotLoopback(resource.to_string()))
        }
    }

    /// The issuer identifier: the origin of the resource's URL.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// A validator of this issuer's tokens for its resource.
    pub fn validator(&self) -> Validator {
        let Inner { url, resource, key, .. } = &*self.0;
        let keys = VerificationKeys::new(&key.public());
        let resource = resource.as_str().to_owned();
        let issuer = IssuerRules::new(
            vec![url.clone()],
            vec![resource.clone()],
            resource,
            TokenTypes::AccessToken,
            ClaimRules::default(),
        );
        // A fixed name, because the issuer's URL changes with the port and its callers stay the
        // same.
        let revocations = Revocations::default();
        self.revoke_by(&revocations);
        Validator::given(issuer.named(EMBEDDED), keys).with_revocations(revocations)
    }

    /// The scopes that this issuer can grant: those that the policy registers.
    pub fn registered(&self) -> Vec<Scope> {
        self.policy().registered_scopes().map(ScopeInfo::name).cloned().collect()
    }

    /// The policy that is served now.
    fn policy(&self) -> Arc<CompiledPolicy> {
        self.0.policy.current()
    }

    /// Signs an access token (RFC 9068) that is valid for one hour. `scopes` must be registered.
    ///
    /// # Errors
    ///
    /// [`SignError`] if the cryptographic library refuses to sign.
    pub fn sign(&self, subject: &str, client: &str, scopes: &[Scope]) -> Result<String, SignError> {
        let (client, subject) = (client.to_owned(), subject.to_owned());
        self.sign_for(&Grant::now(client, subject, vec![], self.now()), scopes)
    }

    /// Signs an access token for a grant. Its age is that of the sign-in (`auth_time`), and its `jti`
    /// begins with the sign-in (`sid`), so that whoever revokes the token ends the sign-in.
    fn sign_for(&self, grant: &Grant, scopes: &[Scope]) -> Result<String, SignError> {
        let Inner { url, resource, key, clock, .. } = &*self.0;
        let now = clock.now();
        key.sign(&json!({
            "iss": url,
            "aud": resource.as_str(),
            "sub": grant.subject,
            "client_id": grant.client_id,
            "scope": join(scopes),
            "iat": now,
            "auth_time": grant.signed_in_at,
            "exp": now + ACCESS_TOKEN_LIFETIME,
            "sid": grant.sign_in,
            "jti": format!("{}.{}", grant.sign_in, credentials::random()),
        }))
    }

    /// The endpoints that clients call: metadata, keys, registration, tokens.
    pub fn endpoints(&self) -> Router {
        let metadata = get(metadata);
        Router::new()
            .route("/.well-known/oauth-authorization-server", metadata.clone())
            .route("/.well-known/openid-configuration", metadata)
            .route("/oauth/jwks", get(jwks))
            .merge(registration::router())
            .merge(tokens::router())
            .merge(revocation_endpoint::router())
            .with_state(self.clone())
    }

    /// The router of the consent page, apart from the endpoints because no other origin may read
    /// it.
    pub fn pages(&self) -> Router {
        authorize::router().with_state(self.clone())
    }

    /// Refuses, by this list, the tokens of sign-ins that have ended; and gives no more tokens to
    /// those whom the list revokes.
    pub(crate) fn revoke_by(&self, revocations: &Revocations) {
        revocations.end(self.0.store.current().ended());
        self.0.revocations.lock().push(revocations.clone());
    }

    /// Changes the state, and tells the lists of revocations which sign-ins have ended.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut state::State) -> T + Send + 'static,
    ) -> std::io::Result<T> {
        let changed = self.0.store.change(change).await?;
        let current = self.0.store.current();
        for revocations in &*self.0.revocations.lock() {
            revocations.end(current.ended());
        }
        Ok(changed)
    }

    /// Whether a list of revocations refuses the tokens that this grant would give.
    fn is_revoked(&self, grant: &Grant) -> bool {
        let sign_in = SignIn {
            issuers: [&self.0.url, EMBEDDED],
            subject: &grant.subject,
            client: &grant.client_id,
            at: grant.signed_in_at,
            id: &grant.sign_in,
        };
        self.0.revocations.lock().iter().any(|revocations| revocations.has_sign_in(&sign_in))
    }

    fn now(&self) -> u64 {
        self.0.clock.now()
    }
}

/// The error of an access token that could not be signed.
///
/// ```
/// use scopeward::issuer::{Issuer, SignError};
///
/// fn token_for_curl(issuer: &Issuer) -> Result<String, SignError> {
///     issuer.sign("ada", "curl", &issuer.registered())
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[error("the access token could not be signed")]
pub struct SignError;

fn join(scopes: &[Scope]) -> String {
    scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")
}

/// The ways in which a client may authenticate (RFC 7591, section 2).
const PROOFS: [&str; 3] = ["none", "client_secret_basic", "client_secret_post"];

/// Authorization server metadata (RFC 8414), which is OpenID Connect discovery as well.
async fn metadata(axum::extract::State(issuer): axum::extract::State<Issuer>) -> Json<Value> {
    let url = issuer.url();
    let scopes = issuer.registered();
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/oauth/authorize"),
        "token_endpoint": format!("{url}/oauth/token"),
        "registration_endpoint": format!("{url}/oauth/register"),
        "revocation_endpoint": format!("{url}/oauth/revoke"),
        "jwks_uri": format!("{url}/oauth/jwks"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "client_id_metadata_document_supported": true,
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": PROOFS,
        "revocation_endpoint_auth_methods_supported": PROOFS,
        "authorization_response_iss_parameter_supported": true,
        // OpenID Connect discovery requires these two; no ID token is ever issued.
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }))
}

async fn jwks(
    axum::extract::State(issuer): axum::extract::State<Issuer>,
) -> Json<jsonwebtoken::jwk::JwkSet> {
    Json(issuer.0.key.public())
}
