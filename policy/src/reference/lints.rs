//! The page of the lints and of the mistakes that a policy can have, from what each says of itself.

use crate::{
    diagnostic::{Diagnostics, Kind, Severity},
    lint::{Example, LINTS, Lint, Stage, declaration, kinds, tests::lint_example},
    tests::example_of_mistake,
};

const INTRODUCTION: &str = "\
# Lints and mistakes

This page lists every finding that `policy lint` can report; it is generated from the lints \
themselves, and a test runs each example.

`[lint]` in `policy.toml` sets the level of a lint to `\"error\"`, `\"warn\"` or `\"off\"`. `allow` at an \
entry silences a lint for that entry, with a reason. Neither can change the errors of the startup \
check, nor the mistakes of the file.

";

/// The command that reports most findings.
const BY_LINT: &str = "`policy lint`, start and reload";

pub(super) fn page() -> String {
    let mut page = format!("{INTRODUCTION}| id | name | level |\n|---|---|---|\n");
    let mut all: Vec<Kind> = kinds().collect();
    all.sort_by_key(|kind| kind.id);
    for kind in &all {
        let level =
            LINTS.iter().find(|lint| lint.kind == *kind).map_or("mistake", |lint| level(lint));
        page += &format!("| {} | [{name}](#{name}) | {level} |\n", kind.id, name = kind.name);
    }
    page += "\n## Lints\n";
    for lint in LINTS {
        page += &lint_section(lint);
    }
    page += "\n## Mistakes of the file\n\n\
             With one of these there is no policy: the server does not start, and a running server \
             keeps the last good policy.\n";
    for kind in all.iter().filter(|kind| LINTS.iter().all(|lint| lint.kind != **kind)) {
        page += &mistake_section(*kind);
    }
    page
}

fn level(lint: &Lint) -> &'static str {
    lint.severity.as_str()
}

fn lint_section(lint: &Lint) -> String {
    let found = lint_example(&lint.bad);
    let has_fix = found.iter().any(|one| one.kind() == lint.kind && one.certain_fix().is_some());
    let stage = match lint.stage {
        Stage::Draft => "`policy lint`, start and reload, even if the file has mistakes",
        Stage::Agreement => BY_LINT,
        Stage::Advice => "`policy lint`",
    };
    let can_change = if lint.is_fixed() { "no: it is part of the startup check" } else { "yes" };
    let fix = if has_fix { "yes: `policy lint --fix`" } else { "no" };
    format!(
        "\n### {name}\n\n\
         | id | level | checked by | `[lint]` can change it | automatic fix |\n\
         |---|---|---|---|---|\n\
         | {id} | {level} | {stage} | {can_change} | {fix} |\n\n\
         {summary}\n\n\
         **Why.** {why}\n\n\
         **Found**{bad}\n\
         **Report**\n\n{report}\n\
         **Not found**{good}",
        name = lint.kind.name,
        id = lint.kind.id,
        level = level(lint),
        summary = lint.kind.summary,
        why = lint.why,
        bad = example(&lint.bad),
        report = report(&found),
        good = example(&lint.good),
    )
}

fn mistake_section(kind: Kind) -> String {
    // The lints themselves find unknown-lint and fixed-lint.
    let (found, checked_by) = match example_of_mistake(kind.name) {
        Some(found) => (found, "every command that reads the policy"),
        None if kind.name == "unknown-lint" => {
            (lint_example(&Example::new(&[], "[lint]\nunused-scop = \"off\"")), BY_LINT)
        }
        None => (lint_example(&Example::new(&[], "[lint]\nweakened = \"off\"")), BY_LINT),
    };
    format!(
        "\n### {name}\n\n\
         | id | level | checked by | `[lint]` can change it | automatic fix |\n\
         |---|---|---|---|---|\n\
         | {id} | {error} | {checked_by} | no | no |\n\n\
         {summary}\n\n\
         **Report**\n\n{report}",
        name = kind.name,
        id = kind.id,
        error = Severity::Error.as_str(),
        summary = kind.summary,
        report = report(&found),
    )
}

fn example(example: &Example) -> String {
    let tools: Vec<String> = example.declared.iter().map(declaration).collect();
    let with = if tools.is_empty() { String::new() } else { format!(" with {}", tools.join(", ")) };
    let snapshot = example.snapshot.map_or_else(String::new, |snapshot| {
        format!("\nand this `registered-scopes.toml`:\n\n{}", block("toml", snapshot))
    });
    format!("{with}:\n\n{}{snapshot}", block("toml", &example.whole()))
}

fn report(found: &Diagnostics) -> String {
    block("text", &found.render(false))
}

fn block(language: &str, text: &str) -> String {
    format!("```{language}\n{}\n```\n", text.trim())
}
