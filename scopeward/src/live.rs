//! The policy of a running server, which is replaced in one step while requests go on.
//!
//! Each request takes the current policy once, when its caller is authenticated, and keeps it to
//! its end ([`Principal::policy`](crate::Principal::policy)), so that no request is decided by two
//! policies.

mod background;
mod watch;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch::{Receiver, Sender};

pub(crate) use watch::{RefusedPolicy, Watcher};

use crate::heartbeat::Heartbeat;
use crate::policy::{CheckedPolicy, CompiledPolicy, Feature, Registry, agreement};

/// A handle to the policy that a running server serves. Clones are handles to the same policy. The
/// handle takes only policies that passed the startup check
/// ([`agreement::check`]).
///
/// ```
/// use scopeward::{LivePolicy, Registry, policy::{agreement, diagnostic::Source}};
///
/// let declared = Registry::new(&[]);
/// let check = |text: &str| agreement::check(&Source::new("policy.toml", text), &declared, None);
/// let old = check("version = 1\n[server]\nurl = \"http://localhost/mcp\"\n")?;
/// let new = check("version = 1\n[server]\nurl = \"http://localhost/mcp\"\n# reviewed\n")?;
/// let live = LivePolicy::from(old);
///
/// let request = live.current();
/// live.replace(new)?;
/// assert_ne!(request.revision(), live.current().revision(), "a request keeps its policy");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct LivePolicy(Arc<Live>);

#[derive(Debug)]
struct Live {
    current: ArcSwap<CompiledPolicy>,
    /// The declarations that every policy of this handle was checked against.
    registry: Registry,
    status: Mutex<Status>,
    /// Wakes the tasks that wait for another policy. The value is `true` once the server stops.
    changes: Sender<bool>,
    is_closing: AtomicBool,
    /// Beats each time the policy file was looked at.
    heartbeat: Heartbeat,
}

/// The state of the policy file since the start: the policies that were loaded and refused.
///
/// ```
/// use scopeward::LivePolicy;
///
/// fn is_refused(live: &LivePolicy) -> bool {
///     let status = live.status();
///     println!("{} policies were loaded, {} refused", status.loaded, status.refused);
///     status.is_refused
/// }
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Status {
    /// When the current policy was loaded.
    pub loaded_at: SystemTime,
    /// The number of policies that were loaded, the first one included.
    pub loaded: u64,
    /// The number of changed policy files that were refused.
    pub refused: u64,
    /// When the last policy file was refused.
    pub refused_at: Option<SystemTime>,
    /// Whether the file in its present state is refused, so that an older policy keeps serving.
    pub is_refused: bool,
}

/// The reason why a policy cannot replace the policy that is served.
///
/// ```
/// use scopeward::{LivePolicy, Registry, live::ReplaceError};
/// use scopeward::policy::{agreement, diagnostic::Source};
///
/// let declared = Registry::new(&[]);
/// let check = |url: &str| {
///     let text = format!("version = 1\n[server]\nurl = \"{url}\"\n");
///     agreement::check(&Source::new("policy.toml", text), &declared, None)
/// };
/// let live = LivePolicy::from(check("http://localhost/mcp")?);
/// assert_eq!(live.registry().all().len(), 0);
/// let refused = live.replace(check("http://localhost/other")?);
/// assert!(matches!(refused, Err(ReplaceError::FixedSetting { setting: "url", .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplaceError {
    /// The policy has another value of a setting that cannot change while the server runs, because
    /// tokens are issued for it.
    #[error("`{setting}` cannot change while the server runs (it is {old}): restart the server")]
    #[non_exhaustive]
    FixedSetting {
        /// The setting's name in `[server]`.
        setting: &'static str,
        /// The value that is served.
        old: String,
    },
    /// The policy was checked against the declarations of another server.
    #[error("{0}")]
    OtherTools(OtherTools),
}

/// The error of a policy that was checked against other tools, resources or prompts than those that
/// it is to serve.
///
/// ```
/// use scopeward::{live::{OtherTools, ReplaceError}, policy::CheckedPolicy};
///
/// fn replace(live: &scopeward::LivePolicy, policy: CheckedPolicy) -> Result<(), OtherTools> {
///     match live.replace(policy) {
///         Err(ReplaceError::OtherTools(other)) => Err(other),
///         Err(other) => {
///             println!("{other}");
///             Ok(())
///         }
///         Ok(()) => Ok(()),
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the policy was checked against another set of tools: the {feature} `{name}` is declared in one \
     of the two only, or differently\n  = help: check the policy against `T::REGISTRY` of the type T \
     that is served"
)]
pub struct OtherTools {
    feature: Feature,
    name: &'static str,
}

impl OtherTools {
    /// Checks that a policy was checked against these declarations.
    pub(crate) fn check(checked: &Registry, served: &Registry) -> Result<(), Self> {
        match agreement::first_difference(checked, served) {
            Some((feature, name)) => Err(Self { feature, name }),
            None => Ok(()),
        }
    }
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
    /// [`ReplaceError::FixedSetting`] if the new policy changes a setting that cannot change while the
    /// server runs, and [`ReplaceError::OtherTools`] if it was checked against other declarations.
    pub fn replace(&self, policy: CheckedPolicy) -> Result<(), ReplaceError> {
        OtherTools::check(&policy.registry(), &self.0.registry)
            .map_err(ReplaceError::OtherTools)?;
        let policy = policy.into_policy();
        let old = self.current();
        for (old, new) in old.settings().into_iter().zip(policy.settings()) {
            if old.is_fixed && old != new {
                let value = if old.value.is_empty() { "not set".to_owned() } else { old.value };
                return Err(ReplaceError::FixedSetting { setting: old.name, old: value });
            }
        }
        self.0.current.store(Arc::new(policy));
        {
            let mut status = self.status_mut();
            status.loaded_at = SystemTime::now();
            status.loaded += 1;
            status.is_refused = false;
        }
        self.0.changes.send_modify(|_| {});
        Ok(())
    }

    /// The declarations that the policy was checked against.
    pub fn registry(&self) -> Registry {
        self.0.registry
    }

    /// A handle for a command or a test that serves nothing to others, and so needs no check.
    pub(crate) fn unserved(policy: Arc<CompiledPolicy>) -> Self {
        Self::of(policy, Registry::new(&[]))
    }

    fn of(policy: Arc<CompiledPolicy>, registry: Registry) -> Self {
        Self(Arc::new(Live {
            current: ArcSwap::new(policy),
            registry,
            status: Mutex::new(Status {
                loaded_at: SystemTime::now(),
                loaded: 1,
                refused: 0,
                refused_at: None,
                is_refused: false,
            }),
            changes: Sender::new(false),
            is_closing: AtomicBool::new(false),
            heartbeat: Heartbeat::default(),
        }))
    }

    /// The state of the policy file.
    pub fn status(&self) -> Status {
        *self.status_mut()
    }

    /// Records that the policy file was refused, and that an older policy keeps serving.
    pub(crate) fn refuse(&self) {
        let mut status = self.status_mut();
        status.refused += 1;
        status.refused_at = Some(SystemTime::now());
        status.is_refused = true;
    }

    /// Records that the policy file has the text of the served policy again.
    pub(crate) fn confirm(&self) {
        self.status_mut().is_refused = false;
    }

    /// The heartbeat of the task that watches the policy file.
    pub(crate) fn heartbeat(&self) -> &Heartbeat {
        &self.0.heartbeat
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

impl From<CheckedPolicy> for LivePolicy {
    fn from(checked: CheckedPolicy) -> Self {
        let registry = checked.registry();
        Self::of(Arc::new(checked.into_policy()), registry)
    }
}

impl From<&Self> for LivePolicy {
    fn from(policy: &Self) -> Self {
        policy.clone()
    }
}
