//! Collects findings: levels from `[lint]`, silence from `allow`, and what of that is stale.

use std::{collections::HashMap, ops::Range};

use super::{LINTS, Lint, Subject, catalogue, lints};
use crate::{
    diagnostic::{Change, Diagnostic, Fix, Severity, Step, nearest},
    policy::{Allow, Feature, Level, Located, Manifest},
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
struct Allowance {
    name: String,
    path: Vec<Step>,
    span: Range<usize>,
    is_needed: bool,
}

pub(crate) struct Report {
    levels: HashMap<&'static str, Level>,
    /// By table, name, and the lint's id.
    allowances: HashMap<(&'static str, String, &'static str), Allowance>,
    found: Vec<Diagnostic>,
    asking: &'static str,
}

impl Report {
    pub(super) fn new(manifest: &Manifest, errors: Vec<Diagnostic>) -> Self {
        let mut report =
            Self { levels: HashMap::new(), allowances: HashMap::new(), found: errors, asking: "" };
        for (name, level) in &manifest.levels {
            if let Some(lint) = report.changeable(name) {
                report.levels.insert(lint.kind.id, *level);
            }
        }
        for scope in &manifest.scopes {
            let name = scope.name.value.as_str();
            report.read_allow("scopes", name, &scope.allow);
        }
        for entry in &manifest.rules {
            let name = entry.name.value.as_str();
            report.read_allow(entry.feature.table(), name, &entry.allow);
        }
        report
    }

    fn read_allow(&mut self, table: &'static str, name: &str, allow: &[Allow]) {
        for allow in allow {
            let Some(lint) = self.changeable(&allow.lint) else { continue };
            let path = [table, name, "allow", &allow.lint.value].map(Step::from).to_vec();
            let allowance = Allowance {
                name: allow.lint.value.clone(),
                path,
                span: allow.lint.span.clone(),
                is_needed: false,
            };
            self.allowances.insert((table, name.to_owned(), lint.kind.id), allowance);
        }
    }

    /// The lint of this name, if it may be changed; a name that is none is a mistake.
    fn changeable(&mut self, name: &Located<String>) -> Option<&'static Lint> {
        let written = &name.value;
        let Some(lint) = LINTS.iter().find(|lint| lint.kind.is_called(written)) else {
            let error = Diagnostic::new(
                catalogue::UNKNOWN_LINT,
                name.span.clone(),
                format!("there is no lint named `{written}`"),
            );
            let known = LINTS.iter().filter(|lint| !lint.is_fixed()).map(|lint| lint.kind.name);
            self.found.push(match nearest(written, known) {
                Some(right) => error.label(format!("did you mean `{right}`?")),
                None => error.help("`policy lint --explain all` lists them"),
            });
            return None;
        };
        if lint.is_fixed() {
            self.found.push(
                Diagnostic::new(
                    catalogue::FIXED_LINT,
                    name.span.clone(),
                    format!("`{}` is part of the startup check and stays an error", lint.kind.name),
                )
                .help(
                    "remove this; to start in spite of disagreements write `startup_check = \
                     \"warn\"` in `[resource]`",
                ),
            );
            return None;
        }
        Some(lint)
    }

    pub(super) fn ask(&mut self, lint: &'static Lint, subject: &Subject<'_>) {
        if self.levels.get(lint.kind.id) == Some(&Level::Off) {
            return;
        }
        self.asking = lint.kind.id;
        (lint.check)(subject, self);
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
    pub(super) fn stale_allowances(&mut self) {
        let lint = &lints::STALE_ALLOW;
        let is_off = |id| self.levels.get(id) == Some(&Level::Off);
        if is_off(lint.kind.id) {
            return;
        }
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
        self.asking = lint.kind.id;
        for finding in stale {
            self.push(Entry::File, finding);
        }
    }

    pub(super) fn finish(self) -> Vec<Diagnostic> {
        self.found
    }
}
