use super::prelude::*;
use crate::ScopeSet;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW015",
        "redundant-implies",
        "`implies` names a scope that another one in the list implies already.",
    ),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "The entry has no effect now. But it still gives the scope when the other one no longer \
          implies it.",
    bad: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:write\" = { title = \"Change your todos\", implies = [\"todo:read\"] }\n\"todo:admin\" = { title = \"Everything\", implies = [\"todo:write\", \"todo:read\"] }\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    good: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:write\" = { title = \"Change your todos\", implies = [\"todo:read\"] }\n\"todo:admin\" = { title = \"Everything\", implies = [\"todo:write\"] }\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for entry in &context.manifest.scopes {
        let name = entry.name.value.as_str();
        for given in implied_in_list(context, &entry.implies) {
            let (scope, by) = (&given.scope.value, &given.by.value);
            let message = format!("`{name}` gives `{scope}` already, because it implies `{by}`");
            let list = vec!["scopes".into(), name.into(), "implies".into()];
            report.push(PolicyEntry::Scope(name), given.finding(&LINT, message, list));
        }
    }
}

/// A scope of a list, and another scope of the same list that implies it.
pub(super) struct ImpliedInList<'l> {
    index: usize,
    pub(super) scope: &'l Located<Scope>,
    pub(super) by: &'l Located<Scope>,
}

impl ImpliedInList<'_> {
    /// The finding that the scope is not needed in the list at this path.
    pub(super) fn finding(&self, lint: &Lint, message: String, path: Vec<Step>) -> Diagnostic {
        let title = format!("remove `{}`", self.scope.value);
        self.finding_without_fix(lint, message).fix(Fix::new(
            title,
            self.path(path),
            Change::Remove,
        ))
    }

    /// The same finding for a scope that nothing else needs.
    pub(super) fn finding_without_fix(&self, lint: &Lint, message: String) -> Diagnostic {
        finding(lint, self.scope.span.clone(), message)
            .context(self.by.span.clone(), format!("implies `{}`", self.scope.value))
    }

    fn path(&self, mut list: Vec<Step>) -> Vec<Step> {
        list.push(self.index.into());
        list
    }
}

/// The scopes of a list that another scope of the same list implies.
pub(super) fn implied_in_list<'l>(
    context: &LintContext<'_>,
    list: &'l [Located<Scope>],
) -> Vec<ImpliedInList<'l>> {
    let mut found = vec![];
    if list.len() < 2 {
        return found;
    }
    let policy = context.policy;
    let id = |scope: &Located<Scope>| policy.scope_id(scope.value.as_str());
    let mut listed = ScopeSet::default();
    list.iter().filter_map(id).for_each(|scope| listed.insert(scope));
    // Of each scope of the list, the first other one that implies it.
    let mut implied_by: HashMap<ScopeId, &Located<Scope>> = HashMap::new();
    for by in list {
        let Some(giver) = id(by) else { continue };
        let mut more = policy.scope(giver).closure.clone();
        more.remove(giver);
        for scope in more.intersection(&listed) {
            implied_by.insert(scope, by);
            listed.remove(scope);
        }
    }
    for (index, scope) in list.iter().enumerate() {
        let by = id(scope).and_then(|scope| implied_by.get(&scope));
        found.extend(by.map(|by| ImpliedInList { index, scope, by }));
    }
    found
}
