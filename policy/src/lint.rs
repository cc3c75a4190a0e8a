//! The lints: they report where the policy, the declarations and the registered scopes disagree,
//! and what a reviewer should look at in a policy that agrees with them.
//!
//! Each [`Lint`] is one file in `lint/lints/`: its id and name, why a finding matters, an example
//! with a finding, an example without one, and its check. The checks ask the compiled policy, so
//! that no lint has its own idea of who may call a tool.

mod catalogue;
mod context;
mod deployed;
mod explain;
pub mod fix;
#[cfg(test)]
mod help_tests;
mod levels;
mod lints;
mod report;
mod suggest;
#[cfg(test)]
pub(crate) mod tests;
pub mod verify;

pub use catalogue::{changeable, find, kinds};
use context::LintContext;
pub use deployed::Deployed;
#[cfg(test)]
pub(crate) use explain::declaration;
pub use explain::explain;
pub use lints::LINTS;
use report::LintReport;
pub(crate) use suggest::rule_as_declared;

use std::time::SystemTime;

use crate::{
    Snapshot,
    diagnostic::{Diagnostic, Diagnostics, Kind, Severity, Source},
    {Assertions, CompiledPolicy, Declaration, DraftPolicy, Manifest, Registry},
};

/// One check of a policy.
#[derive(Debug)]
pub struct Lint {
    /// The id, the name, and what the lint finds.
    pub kind: Kind,
    /// The severity of a finding, unless `[lint]` sets another.
    pub severity: Severity,
    /// When the lint runs.
    pub stage: Stage,
    /// Why a finding matters, and what to do about it.
    pub why: &'static str,
    pub(crate) bad: Example,
    pub(crate) good: Example,
    pub(crate) check: fn(&LintContext<'_>, &mut LintReport),
}

impl Lint {
    /// Whether the lint is an error of the startup check, which `[lint]` and `allow` cannot change.
    pub fn is_fixed(&self) -> bool {
        self.stage <= Stage::Agreement && self.severity == Severity::Error
    }

    /// Two whole policies: one in which the lint finds something, and one in which it does not.
    pub fn examples(&self) -> [String; 2] {
        [&self.bad, &self.good].map(Example::whole)
    }
}

/// When a lint runs. A later stage includes the earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// As [`Agreement`](Self::Agreement), and also when the file has mistakes, because the lint
    /// needs only names and the rules that could be read.
    Draft,
    /// In `policy lint`, at start and at reload: do the declarations, the policy and the
    /// registered scopes agree?
    Agreement,
    /// In `policy lint` only.
    Advice,
}

/// A policy and the declarations that it is linted with. The text leaves out `version`, and
/// `[server]` unless the lint is about it.
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

    /// The policy with what it leaves out.
    pub(crate) fn whole(&self) -> String {
        let is_there = ["[server]", "[resource]"].iter().any(|table| self.policy.contains(table));
        let server = if is_there { "" } else { "[server]\nurl = \"http://localhost:3002/mcp\"\n" };
        format!("version = 1\n{server}{}\n", self.policy)
    }

    pub(crate) const fn with_snapshot(self, snapshot: &'static str) -> Self {
        Self { snapshot: Some(snapshot), ..self }
    }
}

/// The facts beside the policy that lints compare it with.
///
/// ```
/// use scopeward_policy::{
///     Registry,
///     diagnostic::Source,
///     lint::{self, Examined, Lint, LintInputs, Stage, fix::{FixError, Fixed, fix}},
/// };
///
/// let text = "version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n[scopes]\n\"a:read\" = \"Look\"\n";
/// let source = Source::new("policy.toml", text);
/// let registry = Registry::new(&[]);
/// let inputs = LintInputs { registry: &registry, snapshot: None, now: std::time::SystemTime::now() };
/// let Examined { policy, found, .. } = lint::examine(&source, &inputs, Stage::Advice);
/// assert!(policy.is_some());
/// let finding = found.iter().next().ok_or("a scope that no rule names")?;
/// assert_eq!(finding.kind().name, "unused-scope");
///
/// let unused: &Lint = lint::find("unused-scope").ok_or("no lint")?;
/// let [bad, good] = unused.examples();
/// assert!(!unused.is_fixed() && bad != good);
/// assert!(lint::changeable().any(|kind| kind.name == "unused-scope"));
/// assert!(lint::explain("unused-scope").is_some());
///
/// let fixed: Result<Fixed, FixError> = fix(&source, &inputs);
/// assert!(fixed.is_ok());
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone)]
pub struct LintInputs<'a> {
    /// The declarations.
    pub registry: &'a Registry,
    /// The registered scopes, if another source than the policy has them.
    pub snapshot: Option<&'a Snapshot>,
    /// The current time, for the age of the snapshot.
    pub now: SystemTime,
}

/// The result of [`examine`].
#[derive(Debug)]
pub struct Examined {
    /// The compiled policy; `None` if the file has a mistake.
    pub policy: Option<CompiledPolicy>,
    /// The file's own tests and invariants.
    pub assertions: Assertions,
    /// All findings, in the order of the file.
    pub found: Diagnostics,
}

/// Compiles a policy and lints it in one pass, so that its mistakes and the disagreements with
/// `inputs` are reported together. Lints up to and including `stage` run; in a file with mistakes
/// only those of [`Stage::Draft`] do.
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
/// let now = std::time::SystemTime::now();
/// let inputs = LintInputs { registry: &registry, snapshot: None, now };
/// assert!(lint::examine(&source, &inputs, Stage::Advice).found.is_empty());
/// ```
pub fn examine(source: &Source, inputs: &LintInputs<'_>, stage: Stage) -> Examined {
    examine_for(source, inputs, stage, &Deployed::default())
}

/// As [`examine`], for a deployment of which more is known than the policy says. [`Deployed`] has an
/// example.
pub fn examine_for(
    source: &Source,
    inputs: &LintInputs<'_>,
    stage: Stage,
    deployed: &Deployed<'_>,
) -> Examined {
    let DraftPolicy { policy, manifest, assertions, unreadable, errors, repaired } =
        DraftPolicy::new(source);
    let Some(mut policy) = policy else {
        let found = Diagnostics::new(source.clone(), repaired.restore(errors));
        return Examined { policy: None, assertions, found };
    };
    if let Some(snapshot) = inputs.snapshot {
        policy = policy.with_registered(snapshot.scopes());
    }
    if let Some(url) = deployed.url() {
        policy = policy.at(url.clone());
    }
    let is_whole = errors.is_empty() && repaired.is_whole();
    let errors = errors.into_iter().map(|error| registered_too(error, &manifest, inputs)).collect();
    let context =
        LintContext::new(&policy, &manifest, &assertions, &unreadable, (inputs, deployed));
    let mut report = LintReport::new(levels::read(&manifest, errors));
    let stale_allow = &lints::stale_allow::LINT;
    for lint in LINTS.iter().filter(|lint| lint.kind != stale_allow.kind) {
        // Where a name could not be read, a rule may only seem to be missing or weak.
        if lint.stage <= if is_whole { stage } else { Stage::Draft } && !repaired.is_lost {
            report.run(lint, &context);
        }
    }
    if is_whole && stage == Stage::Advice {
        report.run(stale_allow, &context);
    }
    let found = Diagnostics::new(source.clone(), repaired.restore(report.finish()));
    Examined { policy: is_whole.then_some(policy), assertions, found }
}

/// The mistake with what else is to do if its scope is defined.
fn registered_too(error: Diagnostic, manifest: &Manifest, inputs: &LintInputs<'_>) -> Diagnostic {
    if error.kind() != crate::mistake::UNDEFINED_SCOPE {
        return error;
    }
    let scope = error.subject().map(str::to_owned);
    match context::registration(manifest, inputs.snapshot, scope.as_deref()) {
        Some(register) if error.may_define() => error.help(format!("then {register}")),
        _ => error,
    }
}

/// A finding of a lint, with the severity of the lint.
fn finding(lint: &Lint, span: std::ops::Range<usize>, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(lint.kind, span, message).with_severity(lint.severity)
}
