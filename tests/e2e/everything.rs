//! A server behind the gate with every feature that the official conformance suite tests. Our
//! macros annotate each tool, resource and prompt. The suite prescribes the texts.

mod inputs;
mod server;

use std::{net::TcpListener, thread};

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header},
    middleware::{self, Next},
};
use scopeward::{
    Limits, ScopedTools, Server,
    issuer::Issuer,
    live::LivePolicy,
    policy::{CheckedPolicy, Feature, Scope, agreement, diagnostic::Source},
};
use tempfile::TempDir;

pub(crate) use server::Everything;

/// The scopes of the suite's caller.
pub(crate) const SCOPES: [&str; 2] = ["test:use", "test:read"];

/// A policy with a rule for each declaration, which needs the declared scopes. Nobody can reach the
/// tool and the prompt `comes_and_goes…` unless `are_there` is set.
pub(crate) fn policy(url: &str, are_there: bool) -> CheckedPolicy {
    let mut text = format!(
        "version = 1\n[server]\nurl = \"{url}\"\nlist = \"callable\"\non_denied = \"challenge\"\n[scopes]\n\
         \"test:use\" = \"Use the tools\"\n\"test:read\" = \"Read\"\n\"test:never\" = \"Nobody has it\"\n"
    );
    for feature in Feature::ALL {
        text += &format!("[{}]\n", feature.table());
        for declared in Everything::REGISTRY.of(feature) {
            let mut scopes: Vec<&str> = declared.scopes().to_vec();
            if declared.name().starts_with("comes_and_goes") && !are_there {
                scopes.push("test:never");
            }
            text += &format!("{:?} = {{ all_of = {scopes:?} }}\n", declared.name());
        }
    }
    agreement::check(&Source::new("policy.toml", text), &Everything::REGISTRY, None)
        .unwrap_or_else(|e| panic!("{}", e.render(false)))
}

/// The server, which runs until the tests end.
pub(crate) struct Running {
    pub(crate) url: String,
    issuer: Issuer,
    _data: TempDir,
}

impl Running {
    /// Starts the server, with sessions or stateless. With `signed_in`, each request without a
    /// token gets a token of the suite's caller, because the suite sends none.
    pub(crate) fn start(has_sessions: bool, signed_in: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://localhost:{}/mcp", listener.local_addr().unwrap().port());
        let data = tempfile::tempdir().unwrap();
        let live = LivePolicy::from(policy(&url, true));
        let issuer = Issuer::open(data.path(), &live, "everything").unwrap();
        let running = Self { url, issuer, _data: data };
        let tools = Everything::new(live.clone());
        // No rate limit, because one or two callers make all requests of a test.
        let mut limits = Limits::default();
        limits.rate_per_caller = 0;
        let server = Server::new(tools, &live, &running.issuer).unwrap().with_limits(&limits);
        let server = if has_sessions { server.with_sessions() } else { server };
        let mut router = server.router();
        if signed_in {
            router = sign_in(router, &running.token("suite", &SCOPES));
        }
        thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        running
    }

    pub(crate) fn token(&self, subject: &str, scopes: &[&str]) -> String {
        let scopes: Vec<Scope> = scopes.iter().map(|scope| Scope::parse(scope).unwrap()).collect();
        self.issuer.sign(subject, "suite", &scopes).unwrap()
    }
}

fn sign_in(router: Router, token: &str) -> Router {
    let bearer = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    router.layer(middleware::from_fn(move |mut request: Request, next: Next| {
        request.headers_mut().entry(header::AUTHORIZATION).or_insert(bearer.clone());
        next.run(request)
    }))
}
