//! Tests of a server's tools: calls by made-up callers, without a port and without a sign-in. Needs
//! the feature `testing`.
//!
//! A call goes the way of a real one: a signed token, the gate, the policy's decision, the check in
//! front of the tool, and the tool. So a test that passes says what a client of the running server
//! would see.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use scopeward::{Principal, scoped_tools, testing::Server};
//! use serde_json::json;
//!
//! struct Notes;
//!
//! #[scoped_tools]
//! impl Notes {
//!     /// Says whose notes these are.
//!     #[scoped_tool(scopes = ["note:read"])]
//!     async fn whose(&self, caller: Principal) -> String {
//!         caller.subject().to_owned()
//!     }
//! }
//!
//! let policy = r#"
//!     version = 1
//!     [server]
//!     url = "http://localhost:3002/mcp"
//!     [scopes]
//!     "note:read" = "See your notes"
//!     [tools]
//!     whose = { read = "note" }
//! "#;
//! // Panics with the lint's report if policy and tools disagree: the startup check in one line.
//! let server = Server::new(Notes, policy);
//!
//! let ada = server.caller("ada", ["note:read"]);
//! let whose: String = ada.call("whose", json!({})).await?;
//! assert_eq!(whose, "ada");
//!
//! let denied = server.caller("bob", []).denied("whose", json!({})).await;
//! assert_eq!(denied.missing(), ["note:read"]);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod caller;
mod error;
pub(crate) mod issuer;

use std::{fmt, sync::Arc};

use axum::{Router, body::Body, response::Response};
use http::{Request, header};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{
    identity::token::Validator,
    limits::Limits,
    live::LivePolicy,
    mcp::ScopedTools,
    policy::{
        agreement,
        diagnostic::{Source, nearest},
    },
    serve,
};
use issuer::TestIssuer;

pub use caller::Caller;
pub use error::CallError;

/// A server for tests, with an issuer of its own whose tokens say what a test wants.
///
/// It has no audit file, no rate limits and no sessions, and asks no other server anything, whatever
/// the policy's provider is.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    router: Router,
    live: LivePolicy,
    issuer: TestIssuer,
    validator: Validator,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("policy", &self.0.live.current().revision())
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Makes a server of tools and the text of a policy.
    ///
    /// # Panics
    ///
    /// If the policy has mistakes, or does not agree with the tools, as at the start of the real
    /// server. The message is the lint's report. Scopes that only the provider knows
    /// (`registered-scopes.toml`) are not part of this check.
    #[track_caller]
    #[expect(clippy::panic, reason = "the failure of a test")]
    pub fn new<S: ScopedTools>(tools: S, policy: &str) -> Self {
        let source = Source::new("policy.toml", policy);
        let checked = match agreement::check(&source, &S::REGISTRY, None) {
            Ok(checked) => checked,
            Err(found) => panic!("the policy and the tools disagree:\n{}", found.render(false)),
        };
        let resource = checked.policy().resource().as_str().to_owned();
        let live = LivePolicy::from(checked);
        let Some(issuer) = TestIssuer::new(resource) else { panic!("no key could be generated") };
        let limits = Limits {
            rate_per_caller: 0,
            rate_anonymous: 0,
            share_per_caller: 100,
            ..Limits::default()
        };
        let router = serve::Server::with_validator(tools, live.clone(), issuer.validator())
            .with_limits(&limits)
            .router();
        let validator = issuer.validator();
        Self(Arc::new(Inner { router, live, issuer, validator }))
    }

    /// A caller whose token carries these scopes.
    ///
    /// # Panics
    ///
    /// If `[scopes]` does not define a scope, because a misspelt one would be refused everywhere. For a
    /// token with a scope of another server, set the claim: `.claim("scope", "…")`.
    ///
    /// ```
    /// # fn example(server: &scopeward::testing::Server) {
    /// let ada = server.caller("ada", ["note:write"]).claim("email", "ada@example.com");
    /// # }
    /// ```
    #[track_caller]
    #[expect(clippy::panic, reason = "the failure of a test")]
    pub fn caller<'a>(&self, subject: &str, scopes: impl IntoIterator<Item = &'a str>) -> Caller {
        let scopes: Vec<&str> = scopes.into_iter().collect();
        let policy = self.0.live.current();
        if let Some(unknown) = scopes.iter().find(|scope| policy.scope_named(scope).is_none()) {
            let known = policy.scopes().iter().map(|scope| scope.name().as_str());
            let hint = match nearest(unknown, known) {
                Some(right) => format!("did you mean `{right}`?"),
                None => "for a scope of another server write `.claim(\"scope\", \"…\")`".to_owned(),
            };
            panic!("the policy has no scope `{unknown}`: {hint}");
        }
        Caller::new(self.clone(), subject, &scopes)
    }

    /// A caller without a token, whom only a rule with `anonymous = true` lets in.
    ///
    /// ```
    /// # async fn example(server: &scopeward::testing::Server) {
    /// let nobody = server.anonymous();
    /// assert_eq!(nobody.list_tools().await.unwrap_or_default(), ["opening_hours"]);
    /// assert!(nobody.denied("create_note", serde_json::json!({})).await.is_denied());
    /// # }
    /// ```
    pub fn anonymous(&self) -> Caller {
        Caller::anonymous(self.clone())
    }

    /// The policy that is served. [`LivePolicy::replace`] changes it while the test goes on.
    pub fn policy(&self) -> &LivePolicy {
        &self.0.live
    }

    /// Sends one JSON-RPC request to the MCP endpoint.
    async fn send(&self, token: Option<&str>, method: &str, params: &Value) -> Response {
        let policy = self.0.live.current();
        let resource = policy.resource();
        let path = if resource.path().is_empty() { "/" } else { resource.path() };
        let origin = resource.origin();
        let host = origin.split_once("://").map_or(&*origin, |(_, host)| host);
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut request = Request::post(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream")
            .body(Body::from(body.to_string()))
            .unwrap_or_default();
        match self.0.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use serde_json::json;

    use super::*;
    use crate::{Json, Parameters, data, scoped_tools};

    struct Notes;

    #[data]
    struct Note {
        title: String,
    }

    #[scoped_tools]
    impl Notes {
        #[scoped_tool(scopes = ["note:write"])]
        async fn create_note(&self, Parameters(note): Parameters<Note>) -> Json<Note> {
            Json(note)
        }
    }

    fn server() -> Server {
        let policy = r#"
            version = 1
            [server]
            url = "http://localhost:3002/mcp"
            [scopes]
            "note:read" = "See your notes"
            "note:write" = "Write notes"
            [tools]
            create_note = { write = "note" }
        "#;
        Server::new(Notes, policy)
    }

    /// The words of a test that fails.
    fn failure(test: impl FnOnce()) -> String {
        let failed = catch_unwind(AssertUnwindSafe(test)).unwrap_err();
        failed.downcast_ref::<String>().cloned().unwrap_or_default()
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(future)
    }

    #[test]
    fn a_failed_denial_says_where_and_for_whom() {
        let ada = server().caller("ada", ["note:read", "note:write"]);
        let line = line!() + 1;
        let denied = ada.denied("create_note", json!({ "title": "x" }));
        let said = failure(|| drop(run(denied)));
        assert!(said.starts_with(&format!("{}:{line}:", file!())), "{said}");
        let end = "the policy let `create_note` through for a caller with the scopes note:read note:write";
        assert!(said.ends_with(end), "{said}");

        let said = failure(|| drop(run(ada.denied("creat_note", json!({})))));
        assert!(
            said.ends_with("there is no tool `creat_note`: did you mean `create_note`?"),
            "{said}"
        );
        let said = failure(|| drop(run(ada.denied("zebra", json!({})))));
        assert!(said.ends_with("there is no tool `zebra`"), "{said}");
        let said = failure(|| drop(run(ada.denied("create_note", json!({ "titel": "x" })))));
        assert!(said.contains("and then: ") && said.contains("`title`"), "{said}");
        let denied = run(server().caller("bob", []).denied("create_note", json!({})));
        assert_eq!(denied.missing(), ["note:write"]);
    }

    #[test]
    fn a_caller_has_only_scopes_that_the_policy_defines() {
        let said = failure(|| drop(server().caller("a", ["note:wirte"])));
        assert_eq!(said, "the policy has no scope `note:wirte`: did you mean `note:write`?");
        let said = failure(|| drop(server().caller("a", ["mail.send"])));
        assert!(said.contains(".claim(\"scope\""), "{said}");
        let other = server().caller("a", []).claim("scope", "mail.send");
        assert_eq!(run(other.denied("create_note", json!({}))).missing(), ["note:write"]);
    }

    #[test]
    fn an_unknown_argument_is_named_with_the_one_that_was_meant() {
        let ada = server().caller("ada", ["note:write"]);
        let failed = run(ada.call::<Value>("create_note", json!({ "titel": "x" }))).unwrap_err();
        let said = failed.to_string();
        let end =
            "missing field `title`; create_note takes no argument `titel`: did you mean `title`?";
        assert!(said.ends_with(end), "{said}");
    }
}
