//! What a policy says of itself: tests (`[[test]]`) and invariants (`[[invariant]]`), held against
//! its decisions.
//!
//! An invariant is proved, not sampled: see [`CompiledPolicy::entails`].

use std::ops::Range;

use super::{
    CompiledPolicy, Requirement, Scope, ScopeId, ScopeInfo,
    manifest::{self, CaseEntry, InvariantEntry, Selection},
    reader::Located,
    vocabulary::Vocabulary,
};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};

/// Tests and invariants whose scopes are all defined.
#[derive(Debug, Default)]
pub(crate) struct Assertions {
    pub(crate) cases: Vec<Case>,
    pub(crate) invariants: Vec<Invariant>,
}

/// A caller with these scopes can and cannot call these tools.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: Option<String>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) scopes_at: Range<usize>,
    /// Each tool, and whether it can be called.
    pub(crate) tools: Vec<(Located<String>, bool)>,
}

/// For every set of scopes.
#[derive(Debug)]
pub(crate) struct Invariant {
    pub(crate) at: Range<usize>,
    pub(crate) name: Option<String>,
    pub(crate) tools: Selection,
    pub(crate) tools_at: Range<usize>,
    /// Nobody can call the tools without this.
    pub(crate) needs: Option<Located<Requirement>>,
    /// Everybody with this can call the tools.
    pub(crate) enough: Option<Located<Requirement>>,
}

impl Assertions {
    /// Reads a file of its own with tests and invariants about `policy`.
    pub(crate) fn read(source: &Source, policy: &CompiledPolicy) -> Result<Self, Diagnostics> {
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
            let can = entry.can.iter().map(|tool| (tool.clone(), true));
            let cannot = entry.cannot.iter().map(|tool| (tool.clone(), false));
            Case {
                name: entry.name.clone(),
                scopes: entry.scopes.value.iter().map(|scope| scope.value.clone()).collect(),
                scopes_at: entry.scopes.span.clone(),
                tools: can.chain(cannot).collect(),
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
                tools: entry.tools.value.clone(),
                tools_at: entry.tools.span.clone(),
                needs: requirement(&entry.needs),
                enough: requirement(&entry.enough),
            }
        });
        let invariants = invariants.collect();
        Self { cases, invariants }
    }
}

impl CompiledPolicy {
    /// Whether every set of granted scopes that meets `rule` also meets `other`; if not, one that
    /// does not: the smallest counterexample there is.
    ///
    /// Exact, over all sets of granted scopes: the sets that meet a rule are just those that give
    /// all scopes of one of its alternatives, so each of them gives what that alternative, granted
    /// by itself, gives. An alternative that meets `other` therefore stands for all sets that
    /// hold it, and one that does not is a counterexample.
    pub(crate) fn entails(
        &self,
        rule: &Requirement,
        other: &Requirement,
    ) -> Result<(), Vec<&ScopeInfo>> {
        let given = |all: &[ScopeId]| {
            let granted = all.iter().map(|id| self.scope(*id).name().as_str());
            self.hold(granted)
        };
        let nothing: &[ScopeId] = &[];
        let alternatives: Vec<&[ScopeId]> = match rule {
            Requirement::Authenticated => vec![nothing],
            Requirement::AnyOf(alternatives) => alternatives.iter().map(|all| &**all).collect(),
        };
        let counterexample = alternatives
            .into_iter()
            .filter(|all| !other.is_met_by(&given(all)))
            .min_by_key(|all| all.len());
        match counterexample {
            None => Ok(()),
            Some(all) => Err(all.iter().map(|id| self.scope(*id)).collect()),
        }
    }
}
