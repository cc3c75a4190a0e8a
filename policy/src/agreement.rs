//! The startup check: do the declared scopes, the policy and the registered scopes agree?
//!
//! The check runs the lints of the stage [`Agreement`](crate::lint::Stage::Agreement), which
//! `policy lint` runs too. A server runs it before it starts and before every reload.

use std::{collections::HashMap, time::SystemTime};

use crate::{
    CompiledPolicy, Declaration, Feature, Registry, ResourceUrl, Snapshot, StartupCheck,
    diagnostic::{Diagnostics, Source},
    lint::{self, Examined, LintInputs, Stage},
};

/// A policy that passed the startup check, and so may be served. Only [`check`] makes one.
///
/// ```
/// use scopeward_policy::{Declaration, Feature, Location, Registry, agreement, diagnostic::Source};
///
/// const LOOK: Declaration =
///     Declaration::new(Feature::Tool, "look", &["a:read"], &[], Location::new(file!(), line!(), 1));
/// let declared = Registry::new(&[LOOK]);
///
/// let text = "version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n\
///             [scopes]\n\"a:read\" = \"Look around\"\n[tools]\nlook = { read = \"a\" }\n";
/// let checked = agreement::check(&Source::new("policy.toml", text), &declared, None)?;
/// assert!(checked.found().is_empty());
///
/// let without_the_rule = text.replace("look = ", "# look = ");
/// let source = Source::new("policy.toml", without_the_rule);
/// let found = agreement::check(&source, &declared, None).unwrap_err();
/// assert!(found.render(false).contains("look"));
/// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
/// ```
#[derive(Debug)]
pub struct CheckedPolicy {
    policy: CompiledPolicy,
    found: Diagnostics,
    registry: Registry,
}

impl CheckedPolicy {
    /// The policy.
    pub fn policy(&self) -> &CompiledPolicy {
        &self.policy
    }

    /// The findings that do not stop the start: warnings, and errors where the policy says
    /// `startup_check = "warn"`.
    pub fn found(&self) -> &Diagnostics {
        &self.found
    }

    /// The declarations that the policy was checked against.
    pub fn registry(&self) -> Registry {
        self.registry
    }

    /// The same policy for a server at another URL, because a policy may be written for one place and
    /// served at another.
    #[must_use]
    pub fn at(self, url: ResourceUrl) -> Self {
        Self { policy: self.policy.at(url), ..self }
    }

    /// The policy alone.
    pub fn into_policy(self) -> CompiledPolicy {
        self.policy
    }

    /// A policy that nothing was checked against, for the benchmarks and property tests of this
    /// workspace.
    #[cfg(feature = "model")]
    pub fn unchecked(policy: CompiledPolicy) -> Self {
        let found = Diagnostics::new(policy.source().clone(), vec![]);
        Self { policy, found, registry: Registry::new(&[]) }
    }
}

/// Compiles a policy and runs the startup check on it. One call reports every mistake of the file
/// and, for the rules that could be read, every disagreement with the declared scopes.
///
/// ```
/// use scopeward_policy::{
///     CompiledPolicy, Registry, ResourceUrl, agreement, diagnostic::Source,
/// };
///
/// let declared = Registry::new(&[]);
/// let text = "version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n";
/// let checked = agreement::check(&Source::new("policy.toml", text), &declared, None)?;
/// // The same policy, served elsewhere.
/// let checked = checked.at(ResourceUrl::parse("https://mcp.example.com/mcp")?);
/// assert_eq!(agreement::first_difference(&checked.registry(), &declared), None);
/// let policy: CompiledPolicy = checked.into_policy();
/// assert_eq!(policy.resource().as_str(), "https://mcp.example.com/mcp");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The findings that stop the start: every mistake of the file, and every disagreement unless the
/// policy says `startup_check = "warn"`.
pub fn check(
    source: &Source,
    registry: &Registry,
    snapshot: Option<&Snapshot>,
) -> Result<CheckedPolicy, Diagnostics> {
    let inputs = LintInputs { registry, snapshot, now: SystemTime::now() };
    match lint::examine(source, &inputs, Stage::Agreement) {
        Examined { policy: Some(policy), found, .. } if !stops(&policy, &found) => {
            Ok(CheckedPolicy { policy, found, registry: *registry })
        }
        Examined { found, .. } => Err(found),
    }
}

/// Whether these findings stop the start. Nothing else decides that.
fn stops(policy: &CompiledPolicy, found: &Diagnostics) -> bool {
    found.has_errors() && policy.startup_check() == StartupCheck::Enforce
}

/// The first declaration that one of two registries has and the other has not; `None` for two
/// registries of the same declarations.
pub fn first_difference(one: &Registry, other: &Registry) -> Option<(Feature, &'static str)> {
    if one.is_same(other) {
        return None;
    }
    lacking(one, other).or_else(|| lacking(other, one))
}

/// The first declaration of one registry that the other does not have.
fn lacking(one: &Registry, other: &Registry) -> Option<(Feature, &'static str)> {
    let known: HashMap<(Feature, &str), &Declaration> =
        other.all().map(|declared| ((declared.feature(), declared.name()), declared)).collect();
    let mut all = one.all();
    let missing = all.find(|declared| {
        known.get(&(declared.feature(), declared.name())).is_none_or(|same| {
            same.scopes() != declared.scopes() || same.optional() != declared.optional()
        })
    })?;
    Some((missing.feature(), missing.name()))
}
