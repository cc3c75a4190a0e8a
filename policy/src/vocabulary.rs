//! Looks up scopes in `[scopes]`, and reports those that it does not define.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::{
    manifest::RuleEntry,
    reader::Located,
    requirement::{Alternative, Requirement},
    scope::Scope,
    scope_set::ScopeId,
    undefined,
};
use crate::diagnostic::{Diagnostic, Suggestions};

/// The numbers of the scopes that `[scopes]` defines.
#[derive(Clone, Copy)]
pub(crate) struct Vocabulary<'p> {
    ids: &'p HashMap<Scope, ScopeId>,
    /// The text that the scopes are read from.
    text: &'p str,
    suggestions: &'p Suggestions,
}

impl<'p> Vocabulary<'p> {
    pub(super) fn new(
        ids: &'p HashMap<Scope, ScopeId>,
        text: &'p str,
        suggestions: &'p Suggestions,
    ) -> Self {
        Self { ids, text, suggestions }
    }

    /// The same scopes, for another text that uses them.
    pub(super) fn reading(self, text: &'p str) -> Self {
        Self { text, ..self }
    }

    /// The numbers of these scopes. A scope that `[scopes]` does not define is a mistake.
    pub(super) fn ids(
        self,
        scopes: &[Located<Scope>],
        errors: &mut Vec<Diagnostic>,
    ) -> Vec<ScopeId> {
        scopes.iter().filter_map(|scope| self.id(scope, errors)).collect()
    }

    fn id(self, scope: &Located<Scope>, errors: &mut Vec<Diagnostic>) -> Option<ScopeId> {
        if let Some(id) = self.ids.get(&scope.value) {
            return Some(*id);
        }
        let known = self.ids.keys().map(Scope::as_str);
        errors.push(undefined::explain(scope, self.text, known, self.suggestions));
        None
    }

    /// Compiles a rule. `None` if one of its scopes is undefined, because a requirement without that
    /// scope would be weaker than written.
    pub(super) fn requirement(
        self,
        rule: &RuleEntry,
        errors: &mut Vec<Diagnostic>,
    ) -> Option<Requirement> {
        let alternatives = match rule {
            RuleEntry::Anonymous => return Some(Requirement::Anonymous),
            RuleEntry::Authenticated => return Some(Requirement::Authenticated),
            RuleEntry::Alternatives(alternatives) => alternatives,
        };
        let compiled: SmallVec<[Alternative; 1]> =
            alternatives.iter().map(|all| self.ids(all, errors).into()).collect();
        let complete = compiled.iter().zip(alternatives).all(|(ids, all)| ids.len() == all.len());
        complete.then_some(Requirement::AnyOf(compiled))
    }
}
