use super::prelude::*;
use crate::UriTemplate;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW028",
        "narrower-resource",
        "A URI of one resource is one of another resource too, and the two rules differ.",
    ),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "The narrower rule decides, whatever the wider one asks for. So a resource that looks \
          guarded by the wider rule may be open, or closed. A URI is compared in its canonical form \
          (RFC 3986, section 6.2.2), so no other spelling of it is decided by the wider rule.",
    bad: Example::new(
        &[ITEM, INBOX],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:inbox\" = \"See your inbox\"\n[resources]\n\"todo://items/{id}\" = { read = \"todo\" }\n\"todo://items/inbox\" = { all_of = [\"todo:read\", \"todo:inbox\"] }",
    ),
    good: Example::new(
        &[ITEM, INBOX],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[resources]\n\"todo://items/{id}\" = { read = \"todo\" }\n\"todo://items/inbox\" = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    let policy = context.policy;
    for (rule, entry) in context.rules().filter(|(_, entry)| entry.feature == Feature::Resource) {
        let name = entry.name.value.as_str();
        let Ok(template) = UriTemplate::parse(name) else { continue };
        let wider = policy.resources().overlapping(&template).into_iter();
        let wider = wider.filter(|other| template.is_within(other));
        // Of several wider ones, the narrowest decides if this rule is taken away.
        let nearest = wider.reduce(|one, other| if other.is_within(one) { other } else { one });
        let Some(other) = nearest else { continue };
        let Some(decided) = policy.rule(Feature::Resource, other.as_str()) else { continue };
        if policy.describe(rule) == policy.describe(decided) {
            continue;
        }
        report.push(
            PolicyEntry::Rule(Feature::Resource, name),
            finding(
                &LINT,
                entry.name.span.clone(),
                format!("`{name}` is also a URI of `{other}`: this rule, the narrower, decides"),
            )
            .label(format!("needs {}", policy.describe(rule)))
            .context(decided.span(), format!("needs {}", policy.describe(decided)))
            .help("give both the same rule, or `allow` this finding if the difference is meant"),
        );
    }
}
