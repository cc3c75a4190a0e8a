//! Protected resource metadata (RFC 9728), from which a client learns which issuers it can get a
//! token from and which scopes exist.

use std::{collections::BTreeSet, sync::Arc};

use axum::{Json, Router, routing::get};
use serde_json::json;

use crate::live::LivePolicy;

/// Serves the metadata at the resource's own well-known address, and at the root for clients that
/// look only there.
///
/// `scopes_supported` holds the scopes for the first sign-in: "the minimal set of scopes necessary
/// for basic functionality" (MCP 2026-07-28, "Scope Selection Strategy"). A scope marked `step_up`
/// is left out, because the challenge of a call that needs the scope names it.
///
/// ```
/// use scopeward::{LivePolicy, gate::metadata};
///
/// fn discovery(policy: &LivePolicy) -> axum::Router {
///     metadata::router(policy, "notes", &["https://login.example.com"])
/// }
/// ```
pub fn router(policy: &LivePolicy, resource_name: &str, issuers: &[&str]) -> Router {
    let inner = policy.current().resource().path().to_owned();
    let issuers: Vec<String> = issuers.iter().map(|issuer| (*issuer).to_owned()).collect();
    router_at(policy, &inner, resource_name, move || issuers.clone())
}

/// As [`router`], with issuers that may become known later, and also at the well-known address of
/// `inner`, the path behind a proxy that takes a part of the URL's path away.
pub(crate) fn router_at(
    policy: &LivePolicy,
    inner: &str,
    resource_name: &str,
    issuers: impl Fn() -> Vec<String> + Send + Sync + 'static,
) -> Router {
    let names = Arc::new((resource_name.to_owned(), issuers));
    let live = policy.clone();
    let serve = get(move || {
        let (names, policy) = (Arc::clone(&names), live.current());
        async move {
            let (resource_name, issuers) = &*names;
            let scopes: Vec<_> =
                policy.sign_in_scopes().map(|scope| policy.asked_as(scope)).collect();
            Json(json!({
                "resource": policy.resource().as_str(),
                "resource_name": resource_name,
                "authorization_servers": issuers(),
                "scopes_supported": scopes,
                "bearer_methods_supported": ["header"],
            }))
        }
    });
    let policy = policy.current();
    let root = "/.well-known/oauth-protected-resource";
    let paths = BTreeSet::from(["", policy.resource().path(), inner.trim_end_matches('/')]);
    let served = paths.into_iter().map(|path| format!("{root}{path}"));
    served.fold(Router::new(), |router, path| router.route(&path, serve.clone()))
}
