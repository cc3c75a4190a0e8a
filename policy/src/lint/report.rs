//! Collects findings, as `[lint]` and `allow` have them.

use std::{collections::HashMap, ops::Range};

use super::{Lint, LintContext};
use crate::{
    Feature, Level,
    diagnostic::{Change, Diagnostic, Fix, Severity, Step},
};

/// The entry of the file that a finding is about; its `allow` can silence the finding.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entry<'a> {
    /// No entry: nothing silences it but `[lint]`.
    File,
    Scope(&'a str),
    Rule(Feature, &'a str),
}

impl<'a> Entry<'a> {
    /// The entry's table and name.
    fn path(self) -> Option<(&'static str, &'a str)> {
        match self {
            Self::File => None,
            Self::Scope(name) => Some(("scopes", name)),
            Self::Rule(feature, name) => Some((feature.table(), name)),
        }
    }
}

/// One `allow`, and whether it silenced something.
pub(super) struct Allowance {
    pub(super) name: String,
    pub(super) path: Vec<Step>,
    pub(super) span: Range<usize>,
    pub(super) is_needed: bool,
}

/// An entry's table and name, and the id of the lint that it allows.
type AllowedAt = (&'static str, String, &'static str);

/// How severe each lint's findings are, where the policy says so, and what is allowed.
#[derive(Default)]
pub(super) struct Levels {
    pub(super) levels: HashMap<&'static str, Level>,
    pub(super) allowances: HashMap<AllowedAt, Allowance>,
    /// The mistakes of the file, with those of its `[lint]` and `allow`.
    pub(super) mistakes: Vec<Diagnostic>,
}

/// The findings of all lints that were asked.
pub(crate) struct Report {
    levels: HashMap<&'static str, Level>,
    /// By table, name, and the lint's id.
    allowances: HashMap<(&'static str, String, &'static str), Allowance>,
    found: Vec<Diagnostic>,
    asking: &'static str,
}

impl Report {
    pub(super) fn new(levels: Levels) -> Self {
        let Levels { levels, allowances, mistakes } = levels;
        Self { levels, allowances, found: mistakes, asking: "" }
    }

    pub(super) fn ask(&mut self, lint: &'static Lint, context: &LintContext<'_>) {
        if self.levels.get(lint.kind.id) == Some(&Level::Off) {
            return;
        }
        self.asking = lint.kind.id;
        (lint.check)(context, self);
    }

    /// A finding about an entry, unless the entry allows it.
    pub(crate) fn push(&mut self, entry: Entry<'_>, finding: Diagnostic) {
        let allowance =
            entry.path().filter(|_| !self.allowances.is_empty()).and_then(|(table, name)| {
                self.allowances.get_mut(&(table, name.to_owned(), self.asking))
            });
        if let Some(allowance) = allowance {
            allowance.is_needed = true;
            return;
        }
        self.found.push(match self.levels.get(self.asking) {
            Some(Level::Error) => finding.with_severity(Severity::Error),
            Some(Level::Warn) => finding.with_severity(Severity::Warning),
            _ => finding,
        });
    }

    /// Each `allow` that silenced nothing, although its lint was asked.
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
            stale.push(finding.fix(Fix {
                title: format!("remove `{name}` from `allow`"),
                path: allowance.path.clone(),
                change: Change::Remove,
            }));
        }
        for finding in stale {
            self.push(Entry::File, finding);
        }
    }

    pub(super) fn finish(self) -> Vec<Diagnostic> {
        self.found
    }
}
