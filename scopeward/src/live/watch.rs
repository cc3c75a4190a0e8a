//! Watches the policy file and loads what is good.
//!
//! The file is looked at, not waited for: whoever replaces it by renaming, by swapping a symbolic
//! link (Kubernetes) or over a network file system raises no event that can be relied on, and a
//! policy is small. Of a storm of edits the last one is loaded. A text is acted on only when it
//! was read twice the same, so that a file which is being written is left alone.

use std::{fmt::Display, path::PathBuf, sync::Arc, time::Duration};

use tokio::task::spawn_blocking;

use super::{LivePolicy, background::in_background};
use crate::{
    file,
    policy::{
        CompiledPolicy,
        diagnostic::{Diagnostics, Source},
        diff,
    },
};

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(250);
/// Of the tools whose access changed so many are named in the log.
const NAMED: usize = 10;
/// Requests that were decided by a policy are over when it is out of service for so long.
const RETIRED: Duration = Duration::from_secs(10);

const TARGET: &str = "scopeward::policy";

/// Why a file is not loaded.
#[derive(Debug)]
pub(crate) enum RefusedPolicy {
    /// What is wrong with it, or disagrees with the tools.
    Findings(Diagnostics),
    /// It cannot be read, or would change what cannot change.
    Other(String),
}

impl RefusedPolicy {
    pub(crate) fn because(reason: impl Display) -> Self {
        Self::Other(reason.to_string())
    }
}

/// What a look at the file gave: its text, or why there is none.
type FileState = Result<String, String>;

/// Loads the policy file again and again.
pub(crate) struct Watcher<L> {
    pub(crate) path: PathBuf,
    /// The path as messages show it.
    pub(crate) shown: String,
    pub(crate) live: LivePolicy,
    /// Compiles and checks a text, for the address that this server has.
    pub(crate) load: L,
}

impl<L> Watcher<L>
where
    L: Fn(Source) -> Result<CompiledPolicy, RefusedPolicy> + Clone + Send + Sync + 'static,
{
    /// Runs as long as the server does.
    /// From this call on SIGHUP no longer ends the process.
    pub(crate) fn run(self) -> impl Future<Output = ()> {
        let hangups = hangups();
        self.watch(hangups)
    }

    async fn watch(self, mut hangups: Hangups) {
        let mut looks = tokio::time::interval(INTERVAL);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut settled: FileState = Ok(self.live.current().source().text().to_owned());
        let mut candidate: Option<FileState> = None;
        loop {
            let is_asked = tokio::select! {
                _ = looks.tick() => false,
                () = next(&mut hangups) => true,
            };
            let path = self.path.clone();
            let Ok(look) = spawn_blocking(move || look(&path)).await else { continue };
            if is_asked {
                tracing::info!(target: TARGET, "asked by SIGHUP to load {} again", self.shown);
            } else if look == settled {
                candidate = None;
                continue;
            } else if candidate.as_ref() != Some(&look) {
                candidate = Some(look);
                continue;
            }
            candidate = None;
            self.act(look.clone()).await;
            settled = look;
        }
    }

    async fn act(&self, look: FileState) {
        let text = match look {
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
        // Compiling a large policy must not hold up a request.
        let compiled = in_background(move || {
            let new = load(source)?;
            let difference = diff::compare(&old, &new);
            Ok((new, difference))
        });
        match compiled.await {
            Some(Ok((new, difference))) => {
                let revision = new.revision().clone();
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

/// Gives up a policy that is no longer served. To free a large one takes a while: not on the time of
/// the last request that was decided by it.
fn retire(policy: Arc<CompiledPolicy>) {
    tokio::spawn(async move {
        tokio::time::sleep(RETIRED).await;
        in_background(move || drop(policy)).await
    });
}

fn look(path: &std::path::Path) -> FileState {
    file::read(path).map_err(|error| error.to_string())
}

/// Says who gains and who loses access.
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
