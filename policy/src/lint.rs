//! The lint: what disagrees between the policy, the annotated tools and the registered scopes, and
//! what in a policy that agrees deserves a look.
//!
//! Each [`Lint`] is one file in `lint/lints/`: its id and name, why it matters, an example on
//! which it speaks, one on which it is silent, and its check. The checks ask the compiled policy;
//! none of them has a rule of its own about who may call what.

mod catalogue;
mod context;
mod explain;
pub mod fix;
mod levels;
mod lints;
mod report;
mod suggest;
#[cfg(test)]
pub(crate) mod tests;
pub mod verify;

use jiff::Timestamp;

pub use catalogue::{changeable, find, kinds};
use context::LintContext;
#[cfg(test)]
pub(crate) use explain::declaration;
pub use explain::explain;
pub use lints::LINTS;
use report::Report;

use crate::{
    Snapshot,
    diagnostic::{Diagnostic, Diagnostics, Kind, Severity, Source},
    {Assertions, CompiledPolicy, Declaration, Draft, Registry},
};

/// One check of a policy.
#[derive(Debug)]
pub struct Lint {
    /// Its id, its name, and what it finds.
    pub kind: Kind,
    /// How bad a finding is, unless `[lint]` says otherwise.
    pub severity: Severity,
    /// When it is asked.
    pub stage: Stage,
    /// Why a finding matters, and what to do about it.
    pub why: &'static str,
    pub(crate) bad: Example,
    pub(crate) good: Example,
    pub(crate) check: fn(&LintContext<'_>, &mut Report),
}

impl Lint {
    /// Whether `[lint]` and `allow` cannot change it: an error of the startup check.
    pub fn is_fixed(&self) -> bool {
        self.stage <= Stage::Agreement && self.severity == Severity::Error
    }
}

/// When a lint is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// As [`Agreement`](Self::Agreement), and of a file with mistakes too: the lint looks only at
    /// names and at rules that could be read.
    Draft,
    /// By `policy lint`, at start and at reload: do the tools, the policy and the registered
    /// scopes agree?
    Agreement,
    /// By `policy lint` only.
    Advice,
}

/// A policy and the declarations that it is about. `version` and, unless it is the point, `[server]`
/// are left out.
#[derive(Debug)]
pub(crate) struct Example {
    pub(crate) declared: &'static [Declaration],
    pub(crate) policy: &'static str,
    pub(crate) snapshot: Option<&'static str>,
}

impl Example {
    pub(crate) const fn new(declared: &'static [Declaration], policy: &'static str) -> Self {
        Self { declared, policy, snapshot: None }
    }

    pub(crate) const fn with_snapshot(self, snapshot: &'static str) -> Self {
        Self { snapshot: Some(snapshot), ..self }
    }
}

/// What is known beside the file itself.
#[derive(Debug, Clone)]
pub struct LintInputs<'a> {
    /// What is annotated.
    pub registry: &'a Registry,
    /// The registered scopes, if they are known from elsewhere than the policy.
    pub snapshot: Option<&'a Snapshot>,
    /// The time, for the age of the snapshot.
    pub now: Timestamp,
}

/// What was found out about a policy file.
#[derive(Debug)]
pub struct Examined {
    /// The policy; `None` if the file has a mistake.
    pub policy: Option<CompiledPolicy>,
    /// The file's own tests and invariants.
    pub assertions: Assertions,
    /// Everything that was found, in the order of the file.
    pub found: Diagnostics,
}

/// Compiles a policy and checks it in one go: everything that is wrong with the file and, as far
/// as it can be read, everything in which it disagrees with its inputs. Lints up to and
/// including `stage` are asked.
///
/// ```
/// use scopeward_policy::{
///     Registry,
///     diagnostic::Source,
///     lint::{self, Stage, LintInputs},
/// };
///
/// let source = Source::new("policy.toml", "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n");
/// let registry = Registry::new(&[]);
/// let now = jiff::Timestamp::now();
/// let inputs = LintInputs { registry: &registry, snapshot: None, now };
/// assert!(lint::examine(&source, &inputs, Stage::Advice).found.is_empty());
/// ```
pub fn examine(source: &Source, inputs: &LintInputs<'_>, stage: Stage) -> Examined {
    let Draft { policy, manifest, assertions, unreadable, errors } = Draft::new(source);
    let Some(mut policy) = policy else {
        let found = Diagnostics::new(source.clone(), errors);
        return Examined { policy: None, assertions, found };
    };
    if let Some(snapshot) = inputs.snapshot {
        policy = policy.with_registered(snapshot.scopes());
    }
    let is_whole = errors.is_empty();
    let context = LintContext::new(&policy, &manifest, &assertions, &unreadable, inputs);
    let mut report = Report::new(levels::read(&manifest, errors));
    let stale_allow = &lints::stale_allow::LINT;
    for lint in LINTS.iter().filter(|lint| lint.kind != stale_allow.kind) {
        // Of a file with mistakes only the names and the rules that could be read are looked at.
        if lint.stage <= if is_whole { stage } else { Stage::Draft } {
            report.ask(lint, &context);
        }
    }
    if is_whole && stage == Stage::Advice {
        report.ask(stale_allow, &context);
    }
    let found = Diagnostics::new(source.clone(), report.finish());
    Examined { policy: is_whole.then_some(policy), assertions, found }
}

/// A finding of a lint, as bad as the lint says.
fn finding(lint: &Lint, span: std::ops::Range<usize>, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(lint.kind, span, message).with_severity(lint.severity)
}
