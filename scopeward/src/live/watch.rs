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

/// How long a new text may take to be compiled and checked. A policy of ten thousand tools takes less
/// than a second, and all of the work has bounds in steps, so this is for a machine that is too busy.
const LONGEST_LOAD: Duration = Duration::from_secs(30);
/// The most loads at a time. A load that took too long goes on in the background, because a thread
/// cannot be stopped from outside.
const MOST_LOADS: usize = 2;

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

/// The state of the policy file, and of the snapshot of the registered scopes beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Files {
    policy: FileState,
    snapshot: FileState,
}

/// Watches the policy file of a running server, and replaces the policy when the file changes.
pub(crate) struct Watcher<L> {
    pub(crate) path: PathBuf,
    /// The snapshot of the registered scopes, which may be missing. A new one is a reason to check the
    /// policy again.
    pub(crate) snapshot: PathBuf,
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
        let mut settled = Files {
            policy: Ok(self.live.current().source().text().to_owned()),
            snapshot: read(&self.snapshot),
        };
        let mut candidate: Option<Files> = None;
        let loads = Loads::default();
        loop {
            let is_asked = tokio::select! {
                _ = ticks.tick() => false,
                () = next(&mut hangups) => true,
            };
            let (path, snapshot) = (self.path.clone(), self.snapshot.clone());
            let read = move || Files { policy: read(&path), snapshot: read(&snapshot) };
            let Ok(state) = spawn_blocking(read).await else { continue };
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
            let Files { policy, snapshot } = state.clone();
            let has_new_scopes = snapshot != settled.snapshot;
            let over = tokio::time::sleep(LONGEST_LOAD);
            self.apply(policy, has_new_scopes, &loads, over).await;
            settled = state;
        }
    }

    /// Loads a text that is new or was asked for, and serves its policy if it passes the check before
    /// the time is over.
    async fn apply(
        &self,
        state: FileState,
        has_new_scopes: bool,
        loads: &Loads,
        is_over: impl Future<Output = ()>,
    ) {
        let text = match state {
            Ok(text) => text,
            Err(reason) => {
                let reason = format!("cannot read {}: {reason}", self.shown);
                return self.refuse(&RefusedPolicy::Other(reason));
            }
        };
        let old = self.live.current();
        if old.source().text() == text && !has_new_scopes {
            self.live.confirm();
            tracing::info!(target: TARGET, revision = %old.revision(), "{} is what is served", self.shown);
            return;
        }
        let source = Source::new(self.shown.as_str(), text);
        match self.load(source, loads, is_over).await {
            Ok(new) => match self.live.replace(new) {
                Ok(()) => self.describe(old),
                Err(error) => self.refuse(&RefusedPolicy::because(error)),
            },
            Err(refused) => self.refuse(&refused),
        }
    }

    /// Compiles and checks a text in the background, because that must not slow requests down.
    async fn load(
        &self,
        source: Source,
        loads: &Loads,
        is_over: impl Future<Output = ()>,
    ) -> Result<CheckedPolicy, RefusedPolicy> {
        let Some(running) = loads.begin() else {
            return Err(RefusedPolicy::because(
                "earlier edits are still being compiled\n  = help: save the file again when the \
                 machine is less busy",
            ));
        };
        let load = self.load.clone();
        let compiled = in_background(move || {
            let loaded = load(source);
            drop(running);
            loaded
        });
        tokio::select! {
            // In this order, so that the work has begun in any case.
            biased;
            compiled = compiled => compiled.unwrap_or_else(|| {
                Err(RefusedPolicy::because("the policy could not be compiled"))
            }),
            () = is_over => Err(RefusedPolicy::because(format!(
                "it took longer than {} seconds to compile and check\n  = help: make the policy \
                 smaller, or save the file again when the machine is less busy",
                LONGEST_LOAD.as_secs()
            ))),
        }
    }

    /// Logs who gains and who loses access by the policy that is served now. In the background and
    /// after the replacement, because an edit must not wait for its own description.
    fn describe(&self, old: Arc<CompiledPolicy>) {
        let (path, new) = (self.shown.clone(), self.live.current());
        tokio::spawn(async move {
            let retired = Arc::clone(&old);
            let revision = new.revision().to_string();
            let difference = in_background(move || diff::compare(&old, &new)).await;
            announce(&path, &revision, difference.as_ref());
            retire(retired);
        });
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

/// The loads that are running.
#[derive(Debug, Default)]
struct Loads(Arc<()>);

impl Loads {
    /// Counts one more load, for as long as the returned value is kept. `None` if there are too many.
    fn begin(&self) -> Option<Arc<()>> {
        // The first count is that of this value itself.
        (Arc::strong_count(&self.0) <= MOST_LOADS).then(|| Arc::clone(&self.0))
    }
}

/// Logs which tools more callers, and which tools fewer callers, may use under the new policy.
fn announce(path: &str, revision: &str, difference: Option<&diff::Difference>) {
    let Some(difference) = difference else {
        tracing::warn!(target: TARGET, revision, "{path} is loaded, and could not be compared");
        return;
    };
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::{Registry, policy::agreement};

    fn text(name: &str) -> String {
        format!("version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n# {name}\n")
    }

    fn check(source: &Source) -> Result<CheckedPolicy, RefusedPolicy> {
        agreement::check(source, &Registry::new(&[]), None).map_err(RefusedPolicy::Findings)
    }

    /// A load that does not end in time is refused, the last good policy serves on, and a later edit
    /// is loaded.
    #[tokio::test]
    async fn a_load_that_takes_too_long_is_refused_and_later_edits_are_looked_at() {
        // A slow load waits until the sender is dropped.
        let (closed, gate) = mpsc::channel::<()>();
        let gate = Arc::new(parking_lot::Mutex::new(gate));
        let load = move |source: Source| {
            if source.text().contains("slow") {
                let _ = gate.lock().recv();
            }
            check(&source)
        };
        let first = check(&Source::new("policy.toml", text("first"))).unwrap();
        let live = LivePolicy::from(first);
        let (path, shown) = (PathBuf::from("policy.toml"), "policy.toml".to_owned());
        let snapshot = PathBuf::from("registered-scopes.toml");
        let watcher = Watcher { path, snapshot, shown, live: live.clone(), load };
        let loads = Loads::default();
        let served = live.current().revision().clone();
        let over = || std::future::ready(());
        let in_time = std::future::pending;
        // The first one still runs when the second one is loaded.
        watcher.apply(Ok(text("slow 1")), false, &loads, over()).await;
        assert!(live.status().is_refused && *live.current().revision() == served);
        watcher.apply(Ok(text("quick")), false, &loads, in_time()).await;
        assert!(!live.status().is_refused && live.current().source().text().contains("quick"));
        // With two that still run, a third one gets no thread.
        watcher.apply(Ok(text("slow 2")), false, &loads, over()).await;
        assert!(loads.begin().is_none());
        watcher.apply(Ok(text("quick 2")), false, &loads, in_time()).await;
        assert!(live.status().is_refused && live.status().loaded == 2);
        drop(closed);
        while loads.begin().is_none() {
            std::thread::yield_now();
        }
        watcher.apply(Ok(text("quick 2")), false, &loads, in_time()).await;
        assert!(!live.status().is_refused && live.status().loaded == 3);
    }
}
