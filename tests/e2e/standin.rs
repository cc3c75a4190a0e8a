//! A stand-in for the authorization servers of providers. It behaves as their documentation says,
//! and can fail in every way in which a provider can.

mod introspection;
mod scalekit;
mod sign_in;
pub(crate) mod tls;

use std::{
    collections::HashMap,
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{Next, from_fn_with_state, map_response},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::keys::keys;

pub(crate) const RESOURCE_ID: &str = "res_123";
pub(crate) const SECRET: &str = "s+/cret";
pub(crate) const ALL: [&str; 3] = ["todo:read", "todo:write", "admin:access"];

/// How the stand-in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Good,
    /// The provider does not accept TCP connections.
    Down,
    /// The key set holds only the ES256 key.
    Rotated,
    NoKeys,
    Status(u16),
    Slow,
    Html,
    Redirect,
    Large,
    Broken,
    /// The metadata has no registration endpoint.
    NoRegistration,
    /// The provider's clock is this many seconds behind.
    Behind(u64),
}

/// A provider on this machine.
#[derive(Clone)]
pub(crate) struct Provider(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) url: String,
    mode: Mutex<Mode>,
    asked: AtomicUsize,
    scopes: Mutex<Vec<&'static str>>,
    /// The address that the metadata names, if it is not `url`.
    domain: Mutex<Option<String>>,
    /// The introspection response for each opaque token.
    pub(crate) opaque: Mutex<HashMap<String, Value>>,
    introspected: AtomicUsize,
    /// Wakes the serving thread when the mode changes.
    changed: tokio::sync::Notify,
    /// The authorization codes that were not exchanged yet.
    codes: Mutex<HashMap<String, sign_in::Granted>>,
}

impl std::ops::Deref for Provider {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// Changes claims: each to a value, or without it if the value is `null`.
pub(crate) fn change(claims: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
}

impl Provider {
    pub(crate) fn start() -> Self {
        Self::serve(None)
    }

    /// Starts a provider over TLS, with a certificate that can be replaced.
    pub(crate) fn over_tls(certificate: tls::Shown) -> Self {
        Self::serve(Some(certificate))
    }

    fn serve(certificate: Option<tls::Shown>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let url = match certificate {
            None => format!("http://{address}"),
            Some(_) => format!("https://localhost:{}", address.port()),
        };
        let provider = Self(Arc::new(Inner {
            url,
            mode: Mutex::new(Mode::Good),
            asked: AtomicUsize::new(0),
            scopes: Mutex::new(ALL.to_vec()),
            domain: Mutex::new(None),
            opaque: Mutex::default(),
            introspected: AtomicUsize::new(0),
            changed: tokio::sync::Notify::new(),
            codes: Mutex::default(),
        }));
        let router = Router::new()
            .route("/keys", get(published))
            .merge(scalekit::router())
            .merge(sign_in::router())
            .merge(introspection::router())
            .layer(from_fn_with_state(provider.clone(), faults))
            // Closes each TCP connection after its response, so that the next request sees the
            // current certificate.
            .layer(map_response(async |mut response: Response| {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
                response
            }))
            .with_state(provider.clone());
        let served = provider.clone();
        thread::spawn(move || {
            let mut listener = Some(listener);
            loop {
                // A new runtime each time, because its end closes all TCP connections.
                let runtime = tokio::runtime::Runtime::new().unwrap();
                let tcp = listener.take().unwrap_or_else(|| TcpListener::bind(address).unwrap());
                tcp.set_nonblocking(true).unwrap();
                let router = router.clone();
                runtime.block_on(async {
                    let tcp = tokio::net::TcpListener::from_std(tcp).unwrap();
                    let serve = async {
                        match certificate.clone() {
                            None => axum::serve(tcp, router).await.unwrap(),
                            Some(shown) => {
                                axum::serve(tls::Listener::new(tcp, shown), router).await.unwrap();
                            }
                        }
                    };
                    tokio::select! { () = serve => {} () = served.until(true) => {} }
                });
                runtime.shutdown_background();
                let waiting = tokio::runtime::Runtime::new().unwrap();
                waiting.block_on(served.until(false));
            }
        });
        provider
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
        self.changed.notify_waiters();
    }

    async fn until(&self, is_down: bool) {
        while (*self.mode.lock().unwrap() == Mode::Down) != is_down {
            let _ = tokio::time::timeout(Duration::from_millis(20), self.changed.notified()).await;
        }
    }

    pub(crate) fn register(&self, scopes: &[&'static str]) {
        *self.scopes.lock().unwrap() = scopes.to_vec();
    }

    /// Gives the provider another address, which its metadata and its tokens name, and returns it. It
    /// answers at both (Scalekit, "Launch checklist": custom domains).
    pub(crate) fn at_its_own_domain(&self) -> String {
        let domain = self.url.replace("127.0.0.1", "localhost");
        *self.domain.lock().unwrap() = Some(domain.clone());
        domain
    }

    /// The address that the metadata names.
    fn named(&self) -> String {
        self.domain.lock().unwrap().clone().unwrap_or_else(|| self.url.clone())
    }

    /// How often the keys were requested.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// How often opaque tokens were introspected.
    pub(crate) fn introspected(&self) -> usize {
        self.introspected.load(Ordering::SeqCst)
    }

    pub(crate) fn settings(&self) -> [(&str, &str); 2] {
        [("SCALEKIT_ENVIRONMENT_URL", &self.url), ("SCALEKIT_RESOURCE_ID", RESOURCE_ID)]
    }

    pub(crate) fn of_resource(&self) -> String {
        format!("{}/resources/{RESOURCE_ID}", self.url)
    }

    /// An RS256 token with these claims changed. `null` removes a claim.
    pub(crate) fn token(&self, changes: &Value) -> String {
        self.sign(changes, Algorithm::RS256, "rsa", &keys().rsa)
    }

    pub(crate) fn sign(
        &self,
        changes: &Value,
        algorithm: Algorithm,
        id: &str,
        key: &EncodingKey,
    ) -> String {
        let mut claims = json!({
            "iss": self.of_resource(), "aud": [RESOURCE_ID], "sub": "ada", "client_id": "c",
            "exp": now() + 600, "scope": "todo:read",
        });
        change(&mut claims, changes);
        let mut header = Header::new(algorithm);
        header.kid = Some(id.to_owned());
        encode(&header, &claims, key).unwrap()
    }
}

pub(crate) fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

async fn faults(State(provider): State<Provider>, request: Request, next: Next) -> Response {
    let mode = *provider.mode.lock().unwrap();
    if request.uri().path() == "/keys" {
        provider.asked.fetch_add(1, Ordering::SeqCst);
    }
    let json = |body: String| ([(header::CONTENT_TYPE, "application/json")], body).into_response();
    match mode {
        Mode::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Mode::Html => axum::response::Html("<h1>Sign in</h1>").into_response(),
        Mode::Redirect => Redirect::temporary("http://127.0.0.1:9/keys").into_response(),
        Mode::Large => json(format!("{{\"keys\":[\"{}\"]}}", "x".repeat(10 << 20))),
        Mode::Broken => json("{\"keys\":".to_owned()),
        Mode::Slow => {
            tokio::time::sleep(Duration::from_mins(1)).await;
            next.run(request).await
        }
        Mode::Behind(seconds) => {
            let mut response = next.run(request).await;
            let then = SystemTime::now() - Duration::from_secs(seconds);
            let date = httpdate::fmt_http_date(then);
            response.headers_mut().insert(header::DATE, date.parse().unwrap());
            response
        }
        Mode::Good | Mode::Down | Mode::Rotated | Mode::NoKeys | Mode::NoRegistration => {
            next.run(request).await
        }
    }
}

async fn published(State(provider): State<Provider>) -> Json<Value> {
    let mode = *provider.mode.lock().unwrap();
    let all = serde_json::to_value(&keys().published).unwrap();
    let wanted = |key: &&Value| match mode {
        Mode::Rotated => key["kid"] == "ec",
        Mode::NoKeys => false,
        _ => true,
    };
    let list: Vec<&Value> = all["keys"].as_array().unwrap().iter().filter(wanted).collect();
    Json(json!({ "keys": list }))
}
