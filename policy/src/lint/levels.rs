//! Reads the levels of `[lint]` and the exceptions of `allow`, once before the lints run.

use super::{
    Lint, catalogue,
    report::{Allowance, LintLevels},
};
use crate::{
    Allow, Located, Manifest,
    diagnostic::{Diagnostic, Step, nearest},
};

/// Reads `[lint]` and each `allow`. `mistakes` are those of the rest of the file.
pub(super) fn read(manifest: &Manifest, mistakes: Vec<Diagnostic>) -> LintLevels {
    let mut read = LevelReader(LintLevels { mistakes, ..LintLevels::default() });
    for (name, level) in &manifest.levels {
        if let Some(lint) = read.changeable(name) {
            read.0.by_lint.insert(lint.kind.id, *level);
        }
    }
    for scope in &manifest.scopes {
        let name = scope.name.value.as_str();
        read.read_allow("scopes", name, &scope.allow);
    }
    for entry in &manifest.rules {
        let name = entry.name.value.as_str();
        read.read_allow(entry.feature.table(), name, &entry.allow);
    }
    read.0
}

/// The levels and exceptions that were read so far.
struct LevelReader(LintLevels);

impl LevelReader {
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
            self.0.allowances.insert((table, name.to_owned(), lint.kind.id), allowance);
        }
    }

    /// The lint with this name, if the policy may change its level; any other name is a mistake.
    fn changeable(&mut self, name: &Located<String>) -> Option<&'static Lint> {
        let written = &name.value;
        let Some(lint) = catalogue::find(written) else {
            let error = Diagnostic::new(
                catalogue::UNKNOWN_LINT,
                name.span.clone(),
                format!("there is no lint named `{written}`"),
            );
            let known = catalogue::changeable().map(|kind| kind.name);
            self.0.mistakes.push(match nearest(written, known) {
                Some(right) => error.label(format!("did you mean `{right}`?")),
                None => error.help("`policy lint --explain all` lists them"),
            });
            return None;
        };
        if lint.is_fixed() {
            self.0.mistakes.push(
                Diagnostic::new(
                    catalogue::FIXED_LINT,
                    name.span.clone(),
                    format!("`{}` is part of the startup check and stays an error", lint.kind.name),
                )
                .help(
                    "remove this; to start in spite of disagreements write `startup_check = \
                     \"warn\"` in `[server]`",
                ),
            );
            return None;
        }
        Some(lint)
    }
}
