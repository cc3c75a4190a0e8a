use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW005",
        "undeclared-scope",
        "A tool, resource or prompt declares a scope that `[scopes]` does not define.",
    ),
    severity: Severity::Error,
    stage: Stage::Draft,
    why: "Nobody can be asked for a scope that the vocabulary does not know, and `caller.has(…)` \
          never sees it. Define it, or correct the declaration.",
    bad: Example::new(
        &[EXPORTER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nexport_todos = { read = \"todo\" }",
    ),
    good: Example::new(
        &[EXPORTER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"admin:access\" = \"See everyone's todos\"\n[tools]\nexport_todos = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    // What has no rule is reported with the definitions that it needs.
    let unruled: HashSet<(Feature, &str)> = Feature::ALL
        .into_iter()
        .flat_map(|feature| super::tool_without_policy::without_rule(context, feature))
        .map(|one| (one.feature(), one.name()))
        .collect();
    // One finding for each scope, whoever declares it.
    let mut by_scope: Vec<(&'static str, Vec<&'static Declaration>)> = vec![];
    let mut places: HashMap<&str, usize> = HashMap::new();
    for one in context.registry.all() {
        for scope in one.scopes().iter().chain(one.optional()) {
            let is_unruled = unruled.contains(&(one.feature(), one.name()));
            let is_reported = is_unruled && meant(context, scope).is_none();
            let is_known = context.policy.scope_id(scope).is_some();
            if is_known || is_reported || has_mistake(context, scope) {
                continue;
            }
            let place = *places.entry(scope).or_insert(by_scope.len());
            match by_scope.get_mut(place) {
                Some((_, declare)) => declare.push(one),
                None => by_scope.push((scope, vec![one])),
            }
        }
    }
    for (scope, declare) in by_scope {
        let Some(first) = declare.first() else { continue };
        let entry = PolicyEntry::Rule(first.feature(), first.name());
        report.push(entry, undeclared(context, scope, &declare));
    }
}

/// Whether a mistake of the file says already that the scope is not defined: a rule names it as well,
/// or its definition could not be read.
fn has_mistake(context: &LintContext<'_>, scope: &str) -> bool {
    let manifest = context.manifest;
    let invalid = manifest.invalid_scopes.iter().map(String::as_str);
    context.written_scopes().contains(scope)
        || manifest.misspelt_tables.contains(&"scopes")
        || manifest.misplaced.iter().any(|(_, name)| name == scope)
        || context.suggestions.nearest(scope, invalid).is_some()
}

fn undeclared(
    context: &LintContext<'_>,
    scope: &str,
    declare: &[&'static Declaration],
) -> Diagnostic {
    let policy = context.policy;
    let names = in_backticks(declare.iter().map(|one| one.name()));
    let verb = if declare.len() == 1 { "declares" } else { "declare" };
    let message = format!("{names} {verb} the scope `{scope}`, which `[scopes]` does not define");
    let at = declare.first().map_or(0..0, |first| {
        policy
            .rule(first.feature(), first.name())
            .map_or_else(|| policy.table_at(first.feature()), Rule::span)
    });
    let mut error = finding(&LINT, at, message);
    for one in declare {
        error = error.note(format!("`{}` is declared at {}", one.name(), one.location()));
    }
    if let Some(register) = context.registration([scope]) {
        error = error.help(format!("define it as below, and {register}"));
    }
    let ruled: Vec<&str> = declare
        .iter()
        .filter(|one| one.scopes().contains(&scope))
        .filter(|one| {
            let rule = policy.rule(one.feature(), one.name());
            rule.is_some_and(|rule| rule.relax().is_none())
        })
        .map(|one| one.name())
        .collect();
    if !ruled.is_empty() {
        error = error.help(format!(
            "ask for it in the rule of {}, or say there why not: `relax = \"the reason\"`",
            in_backticks(ruled.into_iter())
        ));
    }
    let title = title_for(scope);
    let definition = format!("`{} = \"{title}\"`", toml_key(scope));
    match meant(context, scope) {
        Some(right) => error
            .label(format!("did you mean `{right}`?"))
            .help(format!("correct the declaration to `{right}`, or define it: {definition}")),
        None => error.fix(Fix::new(
            format!("define it in `[scopes]`: {definition}"),
            vec!["scopes".into(), scope.into()],
            Change::Insert(toml_edit::Value::from(title).to_string()),
        )),
    }
}

/// The defined scope that a declared one was most likely meant to be. Names as short as `a:read` and
/// `b:read` are alike by accident.
pub(super) fn meant<'a>(context: &LintContext<'a>, scope: &str) -> Option<&'a str> {
    if context.policy.scope_id(scope).is_some() {
        return None;
    }
    if let Some(known) = context.meant_scopes.borrow().get(scope) {
        return *known;
    }
    let found = find_meant(context, scope);
    context.meant_scopes.borrow_mut().insert(scope.to_owned(), found);
    found
}

fn find_meant<'a>(context: &LintContext<'a>, scope: &str) -> Option<&'a str> {
    let known = context.policy.scopes().iter().map(|scope| scope.name().as_str());
    let right = context.suggestions.nearest(scope, known)?;
    let separators = [':', '.', '/', '_', '-'];
    let (one, other): (Vec<&str>, Vec<&str>) =
        (scope.split(separators).collect(), right.split(separators).collect());
    let is_near = one.len() != other.len()
        || one.iter().zip(&other).all(|(one, other)| {
            let length = one.len().min(other.len());
            one == other || length > 2 && nearest(one, [*other]).is_some() && !is_verb(one)
        });
    is_near.then_some(right)
}

/// Whether a part of a scope is a word of its own, and no misspelt one.
fn is_verb(word: &str) -> bool {
    ["read", "write", "admin", "create", "update", "delete", "list", "view", "edit"].contains(&word)
}

/// Whether a scope of the declaration may be misspelt.
pub(super) fn may_be_misspelt(context: &LintContext<'_>, one: &Declaration) -> bool {
    one.scopes().iter().chain(one.optional()).any(|scope| meant(context, scope).is_some())
}
