//! Following the help of a finding never makes another finding about the same thing.
//!
//! The fixes of `--fix` are followed, and the helps that a program can follow: "did you mean", "remove
//! it", "define it", "ask for it", "write it beside it". Of policies there are those of the lints'
//! examples, of the mistakes, and combinations of changes of a good policy.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    fix::apply_all,
    tests::{TOOLS, now},
    *,
};
use crate::samples;

/// The lints about the annotations and scopes that an author declared, whatever the policy says.
const ABOUT_AUTHORS: [&str; 3] = ["SW018", "SW019", "SW020"];

/// The lints about scopes that are not registered.
const ABOUT_REGISTRATION: [&str; 2] = ["SW004", "SW010"];

/// A policy, the declarations that it is linted with, and the snapshot of the registered scopes.
#[derive(Clone)]
struct Linted {
    text: String,
    declared: &'static [Declaration],
    snapshot: Option<Snapshot>,
}

impl Linted {
    fn new(text: impl Into<String>, declared: &'static [Declaration]) -> Self {
        Self { text: text.into(), declared, snapshot: None }
    }

    fn found(&self) -> Diagnostics {
        self.examined().found
    }

    fn examined(&self) -> Examined {
        let registry = Registry::new(self.declared);
        let inputs =
            LintInputs { registry: &registry, snapshot: self.snapshot.as_ref(), now: now() };
        examine(&Source::new("policy.toml", self.text.as_str()), &inputs, Stage::Advice)
    }

    /// Follows each help of each finding, and fails if another finding about the same thing appears.
    /// Gives the number of helps that were followed.
    fn follow_all(&self) -> Result<usize, String> {
        let Examined { policy, found: before, .. } = self.examined();
        // In a file with a mistake most lints are silent, so that what they say afterwards is not new.
        // Those about the scope itself must have nothing to say.
        let was_silent = |kind: Kind| {
            let is_late = find(kind.id).is_some_and(|lint| lint.stage != Stage::Draft);
            policy.is_none() && is_late && !["SW011", "SW012", "SW022"].contains(&kind.id)
        };
        let known: BTreeSet<(&str, &str)> =
            before.iter().map(|one| (one.kind().id, gist(one.message()))).collect();
        let mut followed = 0;
        for finding in &before {
            for (what, text) in edits(finding, &self.text) {
                if text.parse::<toml_edit::DocumentMut>().is_err() {
                    continue;
                }
                followed += 1;
                let after = Self { text, ..self.clone() };
                let things = things(finding);
                // The help says as well what to do at the authorization server.
                let asks =
                    finding.helps().iter().any(|help| help.contains("ask for it in the rule"));
                let registers = finding.helps().iter().any(|help| help.contains("register"));
                let is_about_it = |one: &&Diagnostic| {
                    // A rule brings to light what its author declared.
                    let is_of_author = ABOUT_AUTHORS.contains(&one.kind().id);
                    let is_done = registers && ABOUT_REGISTRATION.contains(&one.kind().id)
                        || asks && one.kind().id == "SW003";
                    let is_new = !was_silent(one.kind())
                        && !is_of_author
                        && !is_done
                        && !known.contains(&(one.kind().id, gist(one.message())));
                    is_new && (!things.is_disjoint(&self::things(one)))
                };
                if let Some(new) = after.found().iter().find(is_about_it) {
                    return Err(format!(
                        "{what}\n\nbefore:\n{}\n{}\nafter:\n{}\n{}\n{}: {}",
                        self.text,
                        before.render(false),
                        after.text,
                        after.found().render(false),
                        finding.message(),
                        new.message()
                    ));
                }
            }
        }
        Ok(followed)
    }
}

/// A message without what follows its colon, such as a list of scopes.
fn gist(message: &str) -> &str {
    message.split(": ").next().unwrap_or(message)
}

/// The names that a finding is about: its entry, and what its message has in quotes.
fn things(finding: &Diagnostic) -> BTreeSet<String> {
    let mut things: BTreeSet<String> =
        finding.entry().map(|(_, name)| name.to_owned()).into_iter().collect();
    for quote in ['`', '"'] {
        let parts: Vec<&str> = finding.message().split(quote).collect();
        let quoted = parts.iter().skip(1).step_by(2);
        things.extend(quoted.map(|part| (*part).trim_matches('"').to_owned()));
    }
    // Words of the format are not what a finding is about.
    let words = ["registered", "relax", "implies", "step_up", "allow", "[scopes]", "[tools]"];
    things.retain(|thing| !words.contains(&thing.as_str()) && !thing.contains(' '));
    things
}

/// The texts after following each help, with what was done.
fn edits(finding: &Diagnostic, text: &str) -> Vec<(String, String)> {
    let mut edits = vec![];
    if let Some(fix) = finding.certain_fix()
        && let Some(fixed) = apply_all(text, &[fix])
    {
        edits.push((format!("--fix: {}", fix.title), fixed));
    }
    let span = finding.span();
    for help in finding.helps() {
        let mut add = |edited: Option<String>| {
            edits.extend(edited.map(|edited| (format!("{}: {help}", finding.message()), edited)));
        };
        if let Some(meant) = between(help, "did you mean ", "?") {
            add(replaced(text, &span, meant));
        }
        if ["remove it", "remove this line"].iter().any(|remove| help.starts_with(remove)) {
            add(without_line(text, span.start));
        }
        if let Some(definition) =
            help.split_once("define it").and_then(|(_, rest)| rest.split_once(": `"))
            // This is an edit of a rule as well.
            && !help.contains("and use it in a rule")
        {
            add(below(text, "[scopes]", definition.1.trim_end_matches('`')));
        }
        if let Some(rule) = between(help, "ask for it: `", "`,") {
            let name = rule.split('=').next().unwrap_or_default().trim();
            add(with_line(text, name, rule));
        }
        for key in ["audience", "issuer"] {
            if help.contains(&format!("`{key} = \"…\"` beside it")) {
                add(below(text, "[server]", &format!("{key} = \"{}\"", example(key, help))));
            }
        }
        if let Some(prefix) = between(help, "and write `", "`")
            && prefix.starts_with("scope_prefix")
        {
            let without = text.lines().filter(|line| !line.starts_with("scope_prefix"));
            let without = without.collect::<Vec<_>>().join("\n") + "\n";
            add(below(&without, "[server]", prefix));
        }
        if let Some(name) = between(help, "mark `", "` with `step_up = true`") {
            let line = text.lines().find(|line| line.starts_with(&format!("\"{name}\"")));
            add(line.and_then(|line| line.split_once(" = ")).map(|(key, value)| {
                let marked = match value.strip_prefix("{ ") {
                    Some(rest) => format!("{key} = {{ step_up = true, {rest}"),
                    None => format!("{key} = {{ title = {value}, step_up = true }}"),
                };
                text.replace(&format!("{key} = {value}"), &marked)
            }));
        }
    }
    edits
}

/// An issuer of the form that the help names, or the id of a client.
fn example(key: &str, help: &str) -> &'static str {
    match key {
        "audience" => "client-1",
        _ if help.contains("auth0.com/") => "https://a.eu.auth0.com/",
        _ if help.contains("/realms/") => "https://sso.example/realms/a",
        _ if help.contains("login.microsoftonline.com") => {
            "https://login.microsoftonline.com/t/v2.0"
        }
        _ => "https://login.example",
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

/// The text with another word at a place, in quotes if the old one is.
fn replaced(text: &str, span: &std::ops::Range<usize>, meant: &str) -> Option<String> {
    let bare = meant.split(", ").next()?.trim_matches(['`', '"']);
    let old = text.get(span.clone())?;
    let new = if old.starts_with('"') { format!("\"{bare}\"") } else { bare.to_owned() };
    Some(format!("{}{new}{}", text.get(..span.start)?, text.get(span.end..)?))
}

/// The text without the line of a place, if that is one whole setting.
fn without_line(text: &str, at: usize) -> Option<String> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..)?.lines().next()?;
    let starts_there = text.get(start..at)?.trim_matches('"').is_empty();
    let is_setting = line.contains(" = ") && starts_there;
    is_setting.then(|| {
        format!("{}{}", &text[..start], text[start + line.len()..].trim_start_matches('\n'))
    })
}

/// The text with a line more, below a header.
fn below(text: &str, header: &str, line: &str) -> Option<String> {
    let at = text.find(&format!("{header}\n"))? + header.len() + 1;
    Some(format!("{}{line}\n{}", &text[..at], &text[at..]))
}

/// The text with another line for this key.
fn with_line(text: &str, key: &str, line: &str) -> Option<String> {
    let old =
        text.lines().find(|old| old.split('=').next().is_some_and(|name| name.trim() == key))?;
    Some(text.replacen(old, line, 1))
}

/// The servers that a policy can be about.
const SERVERS: &[&str] = &[
    "url = \"http://localhost:3002/mcp\"",
    "url = \"https://todos.example/mcp\"",
    "url = \"http://localhost:3002/mcp\"\nsnapshot_days = 9",
    "url = \"https://todos.example/mcp\"\nprovider = \"auth0\"\nregistered = [\"todo:read\", \"openid\"]",
    "url = \"https://todos.example/mcp\"\nprovider = \"oidc\"\nissuer = \"https://a.example\"\nsnapshot_days = 9",
    "url = \"https://todos.example/mcp\"\nprovider = \"keycloak\"\nissuer = \"https://a.example/\"",
    "url = \"https://todos.example/mcp\"\nprovider = \"entra\"",
    "url = \"https://todos.example/mcp\"\nprovider = \"entra\"\nscope_prefix = \"api://x/\"\nissuer = \"https://login.microsoftonline.com/common/v2.0\"",
    "url = \"https://todos.example/mcp\"\nprovider = \"cognito\"\nregistered = [\"todo:read\", \"todo:write\", \"admin:access\"]",
    "url = \"https://todos.example/mcp\"\nprovider = \"google\"\nopaque = true",
    "url = \"https://todos.example/mcp\"\nprovider = \"scalekit\"\naudience = \"x\"\nissuer = \"https://a.example\"",
    "url = \"https://todos.example/mcp\"\nissuer = \"https://a.example\"\naudience = \"x\"",
];

/// Entries of `[scopes]`, of which some are there.
const SCOPES: &[&str] = &[
    "\"todo:read\" = \"See your todos\"",
    "\"todo:write\" = { title = \"Change your todos\", implies = [\"todo:read\"] }",
    "\"todo:share\" = { title = \"Share your todos\", implies = [\"todo:read\", \"todo:write\"] }",
    "\"admin:access\" = { title = \"See everyone's todos\", step_up = true }",
    "\"todo:all\" = { title = \"Do everything\", implies = [\"admin:access\", \"todo:share\"] }",
    "\"openid\" = \"Know who you are\"",
    "\"offline_access\" = \"Stay signed in\"",
    "\"*\" = \"Everything\"",
    "\"todo:raed\" = \"See your todos\"",
];

/// Entries of `[tools]`, of which some are there.
const RULES: &[&str] = &[
    "list_todos = { read = \"todo\" }",
    "list_todo = { read = \"todo\" }",
    "create_todo = { write = \"todo\" }",
    "create_todo = { read = \"todo\" }",
    "create_todo = { all_of = [\"todo:read\", \"todo:write\"] }",
    "purge_todos = { any_of = [\"todo:write\", \"admin:access\"] }",
    "purge_todos = { all_of = [\"todo:write\", \"admin:access\"], relax = \"old\" }",
    "share_todo = { any_of = [\"todo:share\", { all_of = [\"todo:share\", \"admin:access\"] }] }",
    "share_todo = { all_of = [\"todo:shere\"] }",
    "whoami = { authenticated = true }",
    "whoami = { all_of = [\"openid\"] }",
    "whoami = { read = \"profile\", allow = { idle-scope = \"x\" } }",
];

fn some_of(all: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(all, 0..=all.len())
}

/// A policy of some entries, for some of the tools.
fn linted() -> impl Strategy<Value = Linted> {
    let snapshot = proptest::option::of(some_of(&[
        "todo:read",
        "todo:write",
        "todo:share",
        "admin:access",
        "openid",
        "email",
        "other:thing",
    ]));
    let tools = proptest::sample::subsequence(TOOLS, 0..=TOOLS.len());
    (proptest::sample::select(SERVERS), some_of(SCOPES), some_of(RULES), tools, snapshot).prop_map(
        |(server, scopes, rules, tools, snapshot)| {
            // One rule for each tool, because two are a mistake of the syntax.
            let mut names = BTreeSet::new();
            let rules: Vec<&str> = rules
                .into_iter()
                .filter(|rule| names.insert(rule.split(' ').next().unwrap_or_default()))
                .collect();
            let text = format!(
                "version = 1\n[server]\n{server}\n[scopes]\n{}\n[tools]\n{}\n",
                scopes.join("\n"),
                rules.join("\n")
            );
            let snapshot = snapshot.map(|scopes| {
                let text = format!(
                    "version = 1\nresource = \"https://todos.example/mcp\"\nissuer = \"https://a.example\"\n\
                     pulled_at = \"2026-11-20T00:00:00Z\"\nscopes = {scopes:?}\n"
                );
                Snapshot::parse(&Source::new(Snapshot::FILE, text)).expect("a snapshot")
            });
            Linted { text, declared: tools.leak(), snapshot }
        },
    )
}

#[test]
fn in_the_examples_of_the_lints() {
    let mut followed = 0;
    for lint in LINTS {
        for example in [&lint.bad, &lint.good] {
            let snapshot = example.snapshot.map(|text| {
                Snapshot::parse(&Source::new(Snapshot::FILE, text)).expect("a snapshot")
            });
            let linted = Linted { snapshot, ..Linted::new(example.whole(), example.declared) };
            followed +=
                linted.follow_all().unwrap_or_else(|why| panic!("{}: {why}", lint.kind.name));
        }
    }
    assert!(followed > 12, "only {followed} helps were followed");
}

#[test]
fn in_the_mistakes() {
    let mut followed = 0;
    for (from, to, name, _) in samples::MISTAKES {
        let linted = Linted::new(samples::GOOD.replacen(from, to, 1), &[]);
        followed += linted.follow_all().unwrap_or_else(|why| panic!("{name}: {why}"));
    }
    assert!(followed > 10, "only {followed} helps were followed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn in_generated_policies(linted in linted()) {
        linted.follow_all().map_err(TestCaseError::fail)?;
    }
}

impl std::fmt::Debug for Linted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linted").finish_non_exhaustive()
    }
}
