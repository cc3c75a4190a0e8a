//! Looks up scopes in `[scopes]`, and reports those that it does not define.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::{
    manifest::RuleEntry,
    mistake,
    reader::Located,
    requirement::{Alternative, Requirement},
    scope::Scope,
    scope_set::ScopeId,
};
use crate::diagnostic::{Diagnostic, nearest};

/// The numbers of the scopes that `[scopes]` defines.
#[derive(Clone, Copy)]
pub(crate) struct Vocabulary<'p> {
    ids: &'p HashMap<Scope, ScopeId>,
}

impl<'p> Vocabulary<'p> {
    pub(super) fn new(ids: &'p HashMap<Scope, ScopeId>) -> Self {
        Self { ids }
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
        let name = &scope.value;
        let error = Diagnostic::new(
            mistake::UNDEFINED_SCOPE,
            scope.span.clone(),
            format!("`{name}` is not defined in `[scopes]`"),
        );
        errors.push(match nearest(name.as_str(), self.ids.keys().map(Scope::as_str)) {
            Some(right) => error
                .label(format!("did you mean `{right}`?"))
                .help(format!("or define it: `\"{name}\" = \"What it allows\"`")),
            None => error.help(format!("define it: `\"{name}\" = \"What it allows\"`")),
        });
        None
    }

    /// Compiles a rule. `None` if one of its scopes is undefined, because a requirement without that
    /// scope would be weaker than written.
    pub(super) fn requirement(
        self,
        rule: &RuleEntry,
        errors: &mut Vec<Diagnostic>,
    ) -> Option<Requirement> {
        let RuleEntry::Alternatives(alternatives) = rule else {
            return Some(Requirement::Authenticated);
        };
        let compiled: SmallVec<[Alternative; 1]> =
            alternatives.iter().map(|all| self.ids(all, errors).into()).collect();
        let complete = compiled.iter().zip(alternatives).all(|(ids, all)| ids.len() == all.len());
        complete.then_some(Requirement::AnyOf(compiled))
    }
}
