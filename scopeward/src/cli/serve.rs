//! The command `serve`: opens the server with all of its parts, greets, and serves.

mod greeting;
mod logging;

use std::time::Duration;

use axum::Router;

use greeting::greeting;

use super::{Deployment, Failure, Verdict, report_start};
use crate::{
    mcp::{ScopedTools, ServerDetails},
    serve::{Mount, Opened, options::Options},
};

/// How long the threads have to end after the last call: longer than the audit file is tried.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// What the author of a program adds to its server.
#[derive(Debug, Default)]
pub(super) struct Additions {
    pub(super) details: ServerDetails,
    /// Routes beside the server's own, with a fallback if they have one.
    pub(super) routes: Option<Router>,
}

/// Checks the policy, opens the tools and serves. Returns when the server was stopped.
pub(super) fn serve<Marker, T: Opened<Marker>>(
    deployment: &Deployment,
    options: &Options,
    tools: T,
    additions: Additions,
) -> Result<Verdict, Failure> {
    logging::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    let mount = Mount::of(deployment.clone(), options.clone()).with_everything();
    let served = runtime.block_on(async {
        let (guarded, report) = mount.details(additions.details).open_checked(tools).await?;
        report_start(&report);
        let app = match additions.routes {
            Some(routes) => routes.merge(guarded.router()),
            None => guarded.whole(),
        };
        guarded
            .serve_and(app, |guarded, health| {
                let registry = &<T::Tools as ScopedTools>::REGISTRY;
                let server = <T::Tools as ScopedTools>::SERVER;
                out_raw!("{}", greeting(server, registry, guarded, health));
            })
            .await?;
        Ok(Verdict::Good)
    });
    // What is left ends here: its records are written. A thread that hangs in a file or a database is
    // not waited for any longer, because the calls had their time.
    runtime.shutdown_timeout(LAST_WAIT);
    served
}
