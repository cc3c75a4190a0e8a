use super::prelude::*;
use crate::{UriIndex, UriTemplate};

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW027",
        "declared-twice",
        "Two declarations have one name, or one URI could be of two resources.",
    ),
    severity: Severity::Error,
    stage: Stage::Agreement,
    why: "Only one of the two would be called, and it might not be the one whose rule was decided \
          on. Rename one of them.",
    bad: Example::new(
        &[ITEM, ITEM],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[resources]\n\"todo://items/{id}\" = { read = \"todo\" }",
    ),
    good: Example::new(
        &[ITEM],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[resources]\n\"todo://items/{id}\" = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    let mut seen: HashMap<(Feature, &str), &Declaration> = HashMap::new();
    let mut uris = UriIndex::default();
    for declared in context.registry.all() {
        let (feature, name) = (declared.feature(), declared.name());
        let mut earlier = seen.insert((feature, name), declared);
        if earlier.is_none()
            && feature == Feature::Resource
            && let Ok(template) = UriTemplate::parse(name)
            && let Err(overlap) = uris.add(template)
        {
            earlier = seen.get(&(feature, &*overlap.with)).copied();
        }
        let Some(earlier) = earlier else { continue };
        let policy = context.policy;
        let rule = policy.rule(feature, name).or_else(|| policy.rule(feature, earlier.name()));
        let at = rule.map_or_else(|| policy.table_at(feature), Rule::span);
        let message = if earlier.name() == name {
            format!("two {feature}s are declared as `{name}`")
        } else {
            format!("a URI of `{name}` could be one of `{}` as well", earlier.name())
        };
        let error = finding(&LINT, at, message)
            .note(format!(
                "the two are declared at {} and {}",
                earlier.location(),
                declared.location()
            ))
            .help("rename one of the two in the program");
        report.push(PolicyEntry::Rule(feature, name), error);
    }
}
