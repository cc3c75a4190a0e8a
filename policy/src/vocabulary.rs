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

/// At most this many further places of an undefined scope are shown, because a policy may use it in each
/// line.
const MOST_PLACES: usize = 3;

/// Reports each undefined scope once, at its first place, with the others as context. `misplaced` are
/// the scopes that are defined in a wrong table, which is reported there.
pub(super) fn merge_undefined(
    errors: Vec<Diagnostic>,
    misplaced: impl Fn(&str) -> bool,
) -> Vec<Diagnostic> {
    let (mut undefined, mut merged): (Vec<_>, Vec<_>) =
        errors.into_iter().partition(|error| error.kind() == mistake::UNDEFINED_SCOPE);
    undefined.retain(|error| !error.subject().is_some_and(&misplaced));
    undefined.sort_by_key(|error| error.span().start);
    let mut by_scope: Vec<(Diagnostic, usize)> = vec![];
    let mut places: HashMap<String, usize> = HashMap::new();
    for error in undefined {
        match places.get(error.message()).and_then(|index| by_scope.get_mut(*index)) {
            None => {
                places.insert(error.message().to_owned(), by_scope.len());
                by_scope.push((error, 0));
            }
            Some((first, further)) => {
                *further += 1;
                if *further <= MOST_PLACES {
                    first.add_context(error.span(), "and here");
                }
            }
        }
    }
    merged.extend(by_scope.into_iter().map(|(first, further)| match further {
        0..=MOST_PLACES => first,
        _ => first.note(format!("and in {} more places", further - MOST_PLACES)),
    }));
    merged
}

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
        )
        .about(name.as_str());
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
