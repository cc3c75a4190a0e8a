use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW021",
        "look-alike-names",
        "Two names differ only by case or by characters that look alike.",
    ),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "A reviewer cannot tell them apart, so a rule may guard the other one. The comparison is \
          that of Unicode's security mechanisms (UTS 39, section 4, confusable detection).",
    bad: Example::new(
        &[READER, LOOK_ALIKE],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }\nList_todos = { read = \"todo\" }",
    ),
    good: Example::new(
        &[READER, EXPORTER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"admin:access\" = \"See everyone's todos\"\n[tools]\nlist_todos = { read = \"todo\" }\nexport_todos = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for feature in Feature::ALL {
        let entries = context.manifest.rules.iter().filter(|entry| entry.feature == feature);
        compare(
            entries.map(|entry| (entry.name.value.as_str(), &entry.name.span)),
            |name| PolicyEntry::Rule(feature, name),
            report,
        );
    }
    let scopes = context.manifest.scopes.iter();
    compare(
        scopes.map(|scope| (scope.name.value.as_str(), &scope.name.span)),
        PolicyEntry::Scope,
        report,
    );
}

fn compare<'a>(
    names: impl Iterator<Item = (&'a str, &'a Range<usize>)>,
    entry: impl Fn(&'a str) -> PolicyEntry<'a>,
    report: &mut LintReport,
) {
    // In the order of the file, so that the second name of a pair is the finding.
    let mut names: Vec<_> = names.collect();
    names.sort_by_key(|(_, at)| at.start);
    let mut seen: HashMap<String, (&str, &Range<usize>)> = HashMap::new();
    for (name, at) in names {
        let looks: String = skeleton(&name.to_lowercase()).collect();
        if let Some((other, there)) = seen.get(&looks) {
            report.push(
                entry(name),
                finding(&LINT, at.clone(), format!("`{name}` looks like `{other}`"))
                    .context((*there).clone(), "easily mistaken for this one")
                    .help("rename one of the two"),
            );
        } else {
            seen.insert(looks, (name, at));
        }
    }
}
