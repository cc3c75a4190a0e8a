//! The policy of a running server, which is replaced in one step while requests go on.
//!
//! Each request takes the current policy once, when its caller is authenticated, and keeps it to
//! its end ([`Principal::policy`](crate::Principal::policy)), so that no request is decided by two
//! policies.

mod background;
mod watch;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch::{Receiver, Sender};

pub(crate) use watch::{RefusedPolicy, Watcher};

use crate::policy::CompiledPolicy;

/// A handle to the policy that a running server serves. Clones are handles to the same policy.
///
/// ```
/// use std::sync::Arc;
///
/// use scopeward::{live::LivePolicy, policy::{CompiledPolicy, diagnostic::Source}};
///
/// let compile = |text: &str| CompiledPolicy::compile(Source::new("policy.toml", text));
/// let old = compile("version = 1\n[server]\nurl = \"http://localhost/mcp\"\n")?;
/// let new = compile("version = 1\n[server]\nurl = \"http://localhost/mcp\"\n# reviewed\n")?;
/// let live = LivePolicy::from(Arc::new(old));
///
/// let request = live.current();
/// live.replace(new).expect("the same resource");
/// assert_ne!(request.revision(), live.current().revision(), "a request keeps its policy");
/// # Ok::<(), scopeward::policy::diagnostic::Diagnostics>(())
/// ```
#[derive(Debug, Clone)]
pub struct LivePolicy(Arc<Live>);

#[derive(Debug)]
struct Live {
    current: ArcSwap<CompiledPolicy>,
    status: Mutex<Status>,
    /// Wakes the tasks that wait for another policy. The value is `true` once the server stops.
    changes: Sender<bool>,
    is_closing: AtomicBool,
}

/// The state of the policy file since the start: the policies that were loaded and refused.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Status {
    /// When the current policy was loaded.
    pub loaded_at: Timestamp,
    /// The number of policies that were loaded, the first one included.
    pub loaded: u64,
    /// The number of changed policy files that were refused.
    pub refused: u64,
    /// When the last policy file was refused.
    pub refused_at: Option<Timestamp>,
    /// Whether the file in its present state is refused, so that an older policy keeps serving.
    pub is_refused: bool,
}

/// The error of a new policy with another value of a setting that cannot change while the server
/// runs, because tokens are issued for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{setting}` cannot change while the server runs (it is {old}): restart the server")]
pub struct FixedSetting {
    setting: &'static str,
    old: String,
}

impl LivePolicy {
    /// The policy that is served now.
    pub fn current(&self) -> Arc<CompiledPolicy> {
        self.0.current.load_full()
    }

    /// Replaces the current policy in one step. Requests that have begun keep the old policy.
    ///
    /// # Errors
    ///
    /// [`FixedSetting`] if the new policy changes a setting that cannot change while the server
    /// runs.
    pub fn replace(&self, policy: CompiledPolicy) -> Result<(), FixedSetting> {
        let old = self.current();
        for (old, new) in old.settings().into_iter().zip(policy.settings()) {
            if old.is_fixed && old != new {
                return Err(FixedSetting { setting: old.name, old: old.value });
            }
        }
        self.0.current.store(Arc::new(policy));
        {
            let mut status = self.status_mut();
            status.loaded_at = Timestamp::now();
            status.loaded += 1;
            status.is_refused = false;
        }
        self.0.changes.send_modify(|_| {});
        Ok(())
    }

    /// The state of the policy file.
    pub fn status(&self) -> Status {
        *self.status_mut()
    }

    /// Records that the policy file was refused, and that an older policy keeps serving.
    pub(crate) fn refuse(&self) {
        let mut status = self.status_mut();
        status.refused += 1;
        status.refused_at = Some(Timestamp::now());
        status.is_refused = true;
    }

    /// Records that the policy file has the text of the served policy again.
    pub(crate) fn confirm(&self) {
        self.status_mut().is_refused = false;
    }

    /// A receiver that wakes on every change of the policy, and holds `true` once the server stops.
    pub(crate) fn changes(&self) -> Receiver<bool> {
        self.0.changes.subscribe()
    }

    /// Records that the server was told to stop. New requests should go elsewhere, and no stream is
    /// ended yet.
    pub(crate) fn closing(&self) {
        self.0.is_closing.store(true, Ordering::Relaxed);
    }

    /// Whether the server was told to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.0.is_closing.load(Ordering::Relaxed)
    }

    /// Tells the tasks that wait for changes that the server stops.
    pub(crate) fn stop(&self) {
        self.0.changes.send_replace(true);
    }

    fn status_mut(&self) -> MutexGuard<'_, Status> {
        self.0.status.lock()
    }
}

impl From<Arc<CompiledPolicy>> for LivePolicy {
    fn from(policy: Arc<CompiledPolicy>) -> Self {
        Self(Arc::new(Live {
            current: ArcSwap::new(policy),
            status: Mutex::new(Status {
                loaded_at: Timestamp::now(),
                loaded: 1,
                refused: 0,
                refused_at: None,
                is_refused: false,
            }),
            changes: Sender::new(false),
            is_closing: AtomicBool::new(false),
        }))
    }
}

impl From<&Arc<CompiledPolicy>> for LivePolicy {
    fn from(policy: &Arc<CompiledPolicy>) -> Self {
        Self::from(Arc::clone(policy))
    }
}

impl From<&Self> for LivePolicy {
    fn from(policy: &Self) -> Self {
        policy.clone()
    }
}
