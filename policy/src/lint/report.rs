//! Collects the findings of the lints, and applies `[lint]` and `allow` to them.

use std::{collections::HashMap, ops::Range};

use super::{Lint, LintContext};
use crate::{
    Feature, Level,
    diagnostic::{Change, Diagnostic, Fix, Severity, Step},
};

/// The entry of the policy that a finding is about; the `allow` of the entry can silence the finding.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PolicyEntry<'a> {
    /// No single entry, so that only `[lint]` can silence the finding.
    File,
    Scope(&'a str),
    Rule(Feature, &'a str),
}

impl<'a> PolicyEntry<'a> {
    /// The entry's table and name.
    fn path(self) -> Option<(&'static str, &'a str)> {
        match self {
            Self::File => None,
            Self::Scope(name) => Some(("scopes", name)),
            Self::Rule(feature, name) => Some((feature.table(), name)),
        }
    }
}

/// One lint that an `allow` names, and whether it silenced a finding.
pub(super) struct Allowance {
    pub(super) name: String,
    pub(super) path: Vec<Step>,
    pub(super) span: Range<usize>,
    pub(super) is_needed: bool,
}

/// The table and the name of an entry, and the id of the lint that it allows.
type AllowedAt = (&'static str, String, &'static str);

/// The levels of `[lint]` and the exceptions of `allow`.
#[derive(Default)]
pub(super) struct LintLevels {
    /// The level of each lint that `[lint]` names, by the id of the lint.
    pub(super) by_lint: HashMap<&'static str, Level>,
    pub(super) allowances: HashMap<AllowedAt, Allowance>,
    /// The mistakes of the file, including those in `[lint]` and `allow`.
    pub(super) mistakes: Vec<Diagnostic>,
}

/// The most findings of one lint, so that a policy with hundreds of thousands of them does not fill
/// the memory. Each of ten thousand rules can still have one.
const MOST_FINDINGS: usize = 10_000;

/// The findings of the lints that have run.
pub(crate) struct LintReport {
    /// By the id of the lint.
    levels: HashMap<&'static str, Level>,
    allowances: HashMap<AllowedAt, Allowance>,
    found: Vec<Diagnostic>,
    /// The id of the lint that runs now.
    running: &'static str,
    /// How many findings the lint that runs now has.
    found_by_running: usize,
}

impl LintReport {
    pub(super) fn new(levels: LintLevels) -> Self {
        let LintLevels { by_lint, allowances, mistakes } = levels;
        Self { levels: by_lint, allowances, found: mistakes, running: "", found_by_running: 0 }
    }

    /// Runs a lint, unless its level is `"off"`.
    pub(super) fn run(&mut self, lint: &'static Lint, context: &LintContext<'_>) {
        if self.levels.get(lint.kind.id) == Some(&Level::Off) {
            return;
        }
        self.running = lint.kind.id;
        self.found_by_running = 0;
        (lint.check)(context, self);
        let more = self.found_by_running.saturating_sub(MOST_FINDINGS);
        if more > 0 {
            let message = format!("{more} more findings of this kind are left out");
            self.found
                .push(super::finding(lint, 0..0, message).help("correct those that are shown"));
        }
    }

    /// Adds a finding about an entry, unless the entry allows it.
    pub(crate) fn push(&mut self, entry: PolicyEntry<'_>, finding: Diagnostic) {
        let allowance =
            entry.path().filter(|_| !self.allowances.is_empty()).and_then(|(table, name)| {
                self.allowances.get_mut(&(table, name.to_owned(), self.running))
            });
        if let Some(allowance) = allowance {
            allowance.is_needed = true;
            return;
        }
        self.found_by_running += 1;
        if self.found_by_running > MOST_FINDINGS {
            return;
        }
        let finding = finding.in_entry(entry.path());
        self.found.push(match self.levels.get(self.running) {
            Some(Level::Error) => finding.with_severity(Severity::Error),
            Some(Level::Warn) => finding.with_severity(Severity::Warning),
            _ => finding,
        });
    }

    /// Adds a finding for each `allow` whose lint has run and that silenced nothing.
    pub(super) fn stale_allowances(&mut self, lint: &Lint) {
        let is_off = |id| self.levels.get(id) == Some(&Level::Off);
        let mut stale = vec![];
        for ((_, what, id), allowance) in &self.allowances {
            if allowance.is_needed || is_off(id) {
                continue;
            }
            let name = &allowance.name;
            let finding = super::finding(
                lint,
                allowance.span.clone(),
                format!("`{what}` allows `{name}`, and there is nothing to allow"),
            );
            stale.push(finding.fix(Fix::new(
                format!("remove `{name}` from `allow`"),
                allowance.path.clone(),
                Change::Remove,
            )));
        }
        for finding in stale {
            self.push(PolicyEntry::File, finding);
        }
    }

    pub(super) fn finish(self) -> Vec<Diagnostic> {
        self.found
    }
}
