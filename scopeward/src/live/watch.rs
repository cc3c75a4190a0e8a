//! Watches the policy file, and loads each new text that passes the startup check.
//!
//! The file is read again and again, because file system events cannot be relied on: a rename, a
//! swapped symbolic link (Kubernetes) and a network file system may raise none. Reading is cheap,
//! because a policy is small. A new text is loaded only when two reads in a row gave it, so that a
//! file which is being written is left alone, and of many quick edits only the last one is loaded.

use std::{fmt::Display, path::PathBuf, sync::Arc, time::Duration};

use tokio::task::spawn_blocking;

use super::{LivePolicy, background::in_background};
use crate::{
    file,
    policy::{
        CheckedPolicy, CompiledPolicy,
        diagnostic::{Diagnostics, Source},
        diff,
    },
};

/// How long to wait between two reads of the file, so that an edit is served within a second.
const INTERVAL: Duration = Duration::from_millis(250);
/// At most this many tools whose access changed are named in the log, so that the line stays
/// readable.
const NAMED: usize = 10;
/// How long a replaced policy is kept: long enough for most requests that were decided by it to
/// end.
const RETIRED: Duration = Duration::from_secs(10);

const TARGET: &str = "scopeward::policy";

/// The reason why a policy file is not loaded.
#[derive(Debug)]
pub(crate) enum RefusedPolicy {
    /// The findings of the startup check.
    Findings(Diagnostics),
    /// Another reason: the file cannot be read, or it changes a setting that cannot change.
    Other(String),
}

impl RefusedPolicy {
    pub(crate) fn because(reason: impl Display) -> Self {
        Self::Other(reason.to_string())
    }
}

/// The outcome of one read of the file: its text, or the error.
type FileState = Result<String, String>;

/// Watches the policy file of a running server, and replaces the policy when the file changes.
pub(crate) struct Watcher<L> {
    pub(crate) path: PathBuf,
    /// The path of the policy file as messages show it.
    pub(crate) shown: String,
    pub(crate) live: LivePolicy,
    /// Compiles and checks the text of a policy, for the URL of this deployment.
    pub(crate) load: L,
}

impl<L> Watcher<L>
where
    L: Fn(Source) -> Result<CheckedPolicy, RefusedPolicy> + Clone + Send + Sync + 'static,
{
    /// Watches the file until the returned future is dropped. From this call on, before the future
    /// is polled, SIGHUP no longer ends the process: it loads the file again.
    pub(crate) fn run(self) -> impl Future<Output = ()> {
        let hangups = hangups();
        self.watch(hangups)
    }

    async fn watch(self, mut hangups: Hangups) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut settled: FileState = Ok(self.live.current().source().text().to_owned());
        let mut candidate: Option<FileState> = None;
        loop {
            let is_asked = tokio::select! {
                _ = ticks.tick() => false,
                () = next(&mut hangups) => true,
            };
            let path = self.path.clone();
            let Ok(state) = spawn_blocking(move || read(&path)).await else { continue };
            self.live.heartbeat().beat();
            if is_asked {
                tracing::info!(target: TARGET, "asked by SIGHUP to load {} again", self.shown);
            } else if state == settled {
                candidate = None;
                continue;
            } else if candidate.as_ref() != Some(&state) {
                candidate = Some(state);
                continue;
            }
            candidate = None;
            self.apply(state.clone()).await;
            settled = state;
        }
    }

    /// Loads a text that is new or was asked for, and serves its policy if it passes the check.
    async fn apply(&self, state: FileState) {
        let text = match state {
            Ok(text) => text,
            Err(reason) => {
                let reason = format!("cannot read {}: {reason}", self.shown);
                return self.refuse(&RefusedPolicy::Other(reason));
            }
        };
        let old = self.live.current();
        if old.source().text() == text {
            self.live.confirm();
            tracing::info!(target: TARGET, revision = %old.revision(), "{} is what is served", self.shown);
            return;
        }
        let source = Source::new(self.shown.as_str(), text);
        let load = self.load.clone();
        let retired = Arc::clone(&old);
        // In the background, because compiling a large policy must not slow requests down.
        let compiled = in_background(move || {
            let new = load(source)?;
            let difference = diff::compare(&old, new.policy());
            Ok((new, difference))
        });
        match compiled.await {
            Some(Ok((new, difference))) => {
                let revision = new.policy().revision().clone();
                match self.live.replace(new) {
                    Ok(()) => {
                        retire(retired);
                        announce(&self.shown, &revision.to_string(), &difference);
                    }
                    Err(error) => self.refuse(&RefusedPolicy::because(error)),
                }
            }
            Some(Err(refused)) => self.refuse(&refused),
            None => self.refuse(&RefusedPolicy::because("the policy could not be compiled")),
        }
    }

    fn refuse(&self, refused: &RefusedPolicy) {
        self.live.refuse();
        let served = self.live.current().revision().to_string();
        let reason = match refused {
            RefusedPolicy::Findings(found) => format!("\n{}", found.render(false)),
            RefusedPolicy::Other(reason) => format!(" {reason}"),
        };
        tracing::error!(
            target: TARGET,
            "{} is REFUSED, and revision {served} keeps serving:{reason}",
            self.shown
        );
    }
}

/// Frees a replaced policy in the background, because freeing a large policy takes a while and
/// would otherwise delay the last request that was decided by it.
fn retire(policy: Arc<CompiledPolicy>) {
    tokio::spawn(async move {
        tokio::time::sleep(RETIRED).await;
        in_background(move || drop(policy)).await
    });
}

fn read(path: &std::path::Path) -> FileState {
    file::read(path).map_err(|error| error.to_string())
}

/// Logs which tools more callers, and which tools fewer callers, may use under the new policy.
fn announce(path: &str, revision: &str, difference: &diff::Difference) {
    let names = |is_one: fn(&diff::RuleChange) -> bool| {
        let changed = difference.rules.iter().filter(|change| is_one(change));
        let mut names: Vec<String> = changed.map(diff::RuleChange::title).collect();
        let more = names.len().saturating_sub(NAMED);
        names.truncate(NAMED);
        match (names.join(" "), more) {
            (names, 0) => names,
            (names, more) => format!("{names} and {more} more"),
        }
    };
    tracing::warn!(
        target: TARGET,
        revision,
        widened = names(diff::RuleChange::widens),
        narrowed = names(diff::RuleChange::narrows),
        "{path} is loaded",
    );
}

#[cfg(unix)]
type Hangups = Option<tokio::signal::unix::Signal>;
#[cfg(not(unix))]
type Hangups = ();

#[cfg(unix)]
fn hangups() -> Hangups {
    let hangups = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
    hangups.inspect_err(|error| tracing::warn!(target: TARGET, "no SIGHUP: {error}")).ok()
}

#[cfg(not(unix))]
fn hangups() -> Hangups {}

/// Waits for the next SIGHUP, forever where there is none.
async fn next(hangups: &mut Hangups) {
    #[cfg(unix)]
    if let Some(hangups) = hangups
        && hangups.recv().await.is_some()
    {
        return;
    }
    #[cfg(not(unix))]
    let () = *hangups;
    std::future::pending::<()>().await;
}
