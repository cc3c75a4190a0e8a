use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW004",
        "unreachable-tool",
        "No combination of registered scopes meets a rule: nobody could ever use what it guards.",
    ),
    severity: Severity::Error,
    stage: Stage::Agreement,
    why: "The authorization server grants only scopes that are registered for the resource. \
          Register the missing one there, or change the rule.",
    bad: Example::new(
        &[WRITER],
        "[server]\nurl = \"http://localhost:3002/mcp\"\nregistered = [\"todo:read\"]\n[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:write\" = \"Change your todos\"\n[tools]\ncreate_todo = { write = \"todo\" }",
    ),
    good: Example::new(
        &[WRITER],
        "[server]\nurl = \"http://localhost:3002/mcp\"\nregistered = [\"todo:write\"]\n[scopes]\n\"todo:write\" = \"Change your todos\"\n[tools]\ncreate_todo = { write = \"todo\" }",
    ),
    check,
};

/// A rule, or a condition of one, that nobody can meet.
struct Unreachable<'a> {
    feature: Feature,
    name: &'a str,
    requirement: &'a Requirement,
    at: Range<usize>,
    /// The condition, as the end of a sentence.
    when: String,
}

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    // One finding for each set of missing scopes, because that is the cause.
    let mut by_missing: Vec<(Vec<&str>, Vec<Unreachable<'_>>)> = vec![];
    let mut places: HashMap<Vec<&str>, usize> = HashMap::new();
    for (rule, entry) in context.rules() {
        let (feature, name) = (entry.feature, &*entry.name.value);
        let policy = context.policy;
        let own =
            (!policy.is_reachable(rule)).then(|| (&rule.requirement, rule.span(), String::new()));
        let conditional =
            rule.when.iter().filter(|when| !policy.is_reachable_when(when)).map(|when| {
                (&when.requirement, when.span.clone(), format!(" when {}", when.condition.as_str()))
            });
        for (requirement, at, when) in own.into_iter().chain(conditional) {
            let missing: Vec<&str> =
                policy.unregistered_of(requirement).into_iter().map(Scope::as_str).collect();
            let one = Unreachable { feature, name, requirement, at, when };
            let place = *places.entry(missing.clone()).or_insert(by_missing.len());
            match by_missing.get_mut(place) {
                Some((_, all)) => all.push(one),
                None => by_missing.push((missing, vec![one])),
            }
        }
    }
    for (missing, mut all) in by_missing {
        all.sort_by_key(|one| one.at.start);
        if let Some(first) = all.first() {
            let entry = PolicyEntry::Rule(first.feature, first.name);
            report.push(entry, unreachable(context, &missing, first, &all[1..]));
        }
    }
}

fn unreachable(
    context: &LintContext<'_>,
    missing: &[&str],
    first: &Unreachable<'_>,
    others: &[Unreachable<'_>],
) -> Diagnostic {
    let are = if missing.len() == 1 { "is" } else { "are" };
    let Unreachable { feature, name, requirement, at, when } = first;
    let message = format!(
        "nobody could ever {} `{name}`{when}: {} {are} not registered for this resource",
        feature.verb(),
        missing.join(", ")
    );
    let mut error = finding(&LINT, at.clone(), message)
        .label(format!("asks for {}", context.policy.describe_requirement(requirement)));
    if !others.is_empty() {
        let names = others.iter().map(|other| format!("`{}`{}", other.name, other.when));
        let names = names.collect::<Vec<_>>().join(", ");
        error = error.note(format!("the same holds for {names}"));
    }
    let list = in_quotes(missing.iter().copied());
    let error = match (context.policy.registered_at(), context.snapshot) {
        (Some(at), _) => error.context(at, "the registered scopes"),
        (None, Some(snapshot)) => error.note(snapshot.describe()),
        (None, None) => error,
    };
    error.help(if context.snapshot.is_some() {
        format!(
            "register {list} at the authorization server and run `resource pull`, or change the rule"
        )
    } else {
        format!("add {list} to `registered`, or change the rule")
    })
}
