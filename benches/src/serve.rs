//! The servers that are compared, each built as its own documentation shows. Each server runs as a
//! separate process and takes its settings from the environment.

mod bare;
mod bare_todo;
mod guarded;
pub mod many;
#[cfg(feature = "rivals")]
mod rival;

use std::process::ExitCode;

use anyhow::{Context, Result};

/// The environment variable with the name of the server that a process runs.
pub const SERVER: &str = "BENCH_SERVER";

/// Runs the server that [`SERVER`] names, or returns `None` when the variable is not set.
pub fn by_environment() -> Option<ExitCode> {
    let server = std::env::var(SERVER).ok()?;
    let outcome = match server.as_str() {
        "bare" => bare::serve(),
        "bare-todo" => bare_todo::serve(),
        "bare-many" => bare::serve_many(),
        #[cfg(feature = "rivals")]
        "tower-mcp" => rival::serve(),
        // Servers built with Scopeward have a command line, so they return an exit code.
        "scopeward" => return Some(guarded::serve()),
        "scopeward-many" => return Some(many::serve_many()),
        "scopeward-huge" => return Some(many::serve_huge()),
        other => Err(anyhow::anyhow!("no server is called {other}")),
    };
    Some(match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    })
}

fn setting(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set"))
}

fn port() -> Result<u16> {
    Ok(setting("PORT")?.parse()?)
}

fn run(router: impl FnOnce() -> Result<axum::Router>) -> Result<()> {
    run_async(async { router() })
}

fn run_async(router: impl Future<Output = Result<axum::Router>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let router = router.await?;
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port()?)).await?;
        let told_to_stop = async {
            let _ = tokio::signal::ctrl_c().await;
        };
        Ok(axum::serve(listener, router).with_graceful_shutdown(told_to_stop).await?)
    })
}
