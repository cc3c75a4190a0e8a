//! An embedded issuer for the fuzz targets. Only its state is on the disk.

use std::sync::OnceLock;

use axum::{Router, body::Body, response::Response};
use http::Request;
use scopeward::{
    Registry,
    issuer::Issuer,
    policy::{agreement, diagnostic::Source},
};
use tokio::runtime::Runtime;
use tower::ServiceExt;

const POLICY: &str = r#"
version = 1
[server]
url = "http://localhost:3002/mcp"
startup_check = "warn"
[scopes]
"a:read" = "Read"
"a:write" = { title = "Write", step_up = true }
[tools]
read = { read = "a" }
write = { write = "a" }
"#;

pub(crate) struct World {
    runtime: Runtime,
    router: Router,
    _data: tempfile::TempDir,
}

pub(crate) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let data = tempfile::tempdir().expect("a folder");
        let source = Source::new("policy.toml", POLICY);
        let policy = agreement::check(&source, &Registry::new(&[]), None).expect("a policy");
        let issuer = Issuer::open(data.path(), policy, "fuzzed").expect("an issuer");
        World {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
            router: issuer.endpoints().merge(issuer.pages()),
            _data: data,
        }
    })
}

impl World {
    pub(crate) fn send(&self, request: Request<Body>) -> Response {
        self.runtime.block_on(self.router.clone().oneshot(request)).expect("infallible")
    }

    pub(crate) fn text(&self, answer: Response) -> String {
        use http_body_util::BodyExt;
        let body =
            self.runtime.block_on(answer.into_body().collect()).expect("in memory").to_bytes();
        String::from_utf8(body.to_vec()).expect("text")
    }
}
