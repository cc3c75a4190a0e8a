//! What a policy says of itself: tests (`[[test]]`) and invariants (`[[invariant]]`), held against
//! its decisions.
//!
//! An invariant is proved, not sampled: see [`CompiledPolicy::entails`].

use std::ops::Range;

use super::{
    CompiledPolicy, Feature, Requirement, Scope,
    manifest::{self, CaseEntry, InvariantEntry, Selection},
    reader::Located,
    vocabulary::Vocabulary,
};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};

/// Tests and invariants whose scopes are all defined.
#[derive(Debug, Default)]
pub struct Assertions {
    pub(crate) cases: Vec<Case>,
    pub(crate) invariants: Vec<Invariant>,
}

/// What a caller with these scopes can and cannot use.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: Option<String>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) scopes_at: Range<usize>,
    /// What is tried, and whether it can be done.
    pub(crate) tried: Vec<(Feature, Located<String>, bool)>,
}

/// For every set of scopes.
#[derive(Debug)]
pub(crate) struct Invariant {
    pub(crate) at: Range<usize>,
    pub(crate) name: Option<String>,
    pub(crate) about: Vec<(Feature, Located<Selection>)>,
    /// Nobody can use them without this.
    pub(crate) needs: Option<Located<Requirement>>,
    /// Everybody with this can use them.
    pub(crate) enough: Option<Located<Requirement>>,
}

impl Assertions {
    /// Reads a file of its own with tests and invariants about `policy`.
    pub fn read(source: &Source, policy: &CompiledPolicy) -> Result<Self, Diagnostics> {
        let mut errors = vec![];
        let entries = manifest::read_test_file(source, &mut errors);
        let (cases, invariants) = entries.unwrap_or_default();
        let assertions = Self::compile(&cases, &invariants, policy.vocabulary(), &mut errors);
        if errors.is_empty() {
            Ok(assertions)
        } else {
            Err(Diagnostics::new(source.clone(), errors))
        }
    }

    pub(super) fn compile(
        cases: &[CaseEntry],
        invariants: &[InvariantEntry],
        vocabulary: Vocabulary<'_>,
        errors: &mut Vec<Diagnostic>,
    ) -> Self {
        let cases = cases.iter().map(|entry| {
            // A misspelt scope would make every `cannot` true.
            vocabulary.ids(&entry.scopes.value, errors);
            Case {
                name: entry.name.clone(),
                scopes: entry.scopes.value.iter().map(|scope| scope.value.clone()).collect(),
                scopes_at: entry.scopes.span.clone(),
                tried: entry.tried.clone(),
            }
        });
        let cases = cases.collect();
        let invariants = invariants.iter().map(|entry| {
            let mut requirement = |rule: &Option<Located<manifest::RuleEntry>>| {
                let rule = rule.as_ref()?;
                let requirement = vocabulary.requirement(&rule.value, errors)?;
                Some(Located::new(requirement, rule.span.clone()))
            };
            Invariant {
                at: entry.at.clone(),
                name: entry.name.clone(),
                about: entry.about.clone(),
                needs: requirement(&entry.needs),
                enough: requirement(&entry.enough),
            }
        });
        let invariants = invariants.collect();
        Self { cases, invariants }
    }
}
