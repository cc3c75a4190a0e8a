//! Explains a scope that `[scopes]` does not define, by how it is written: as a whole scope, or as the
//! part before `:read`, `:write` or `:admin`.

use std::collections::{HashMap, HashSet};

use super::{
    manifest::{Manifest, RuleEntry},
    mistake,
    reader::Located,
    scope::{Scope, too_broad},
};
use crate::diagnostic::{Diagnostic, Fix, Suggestions};

/// The rules that take the part of a scope before their own name.
const SHORT: [&str; 3] = ["read", "write", "admin"];

/// The mistake that `scope` is not defined. `text` is the file that it is read from.
pub(crate) fn explain<'k>(
    scope: &Located<Scope>,
    text: &str,
    known: impl Iterator<Item = &'k str> + Clone,
    suggestions: &Suggestions,
) -> Diagnostic {
    let name = scope.value.as_str();
    let message = format!("`{name}` is not defined in `[scopes]`");
    let error = |message: String| {
        Diagnostic::new(mistake::UNDEFINED_SCOPE, scope.span.clone(), message).about(name)
    };
    let written = name.rsplit_once(':').filter(|_| is_short(text, scope));
    match written {
        Some((prefix, level)) if prefix.contains(':') => {
            whole_in_short_form((scope, text), prefix, level, &known, suggestions, error)
        }
        Some((prefix, level)) => {
            let Some(right) = suggestions.nearest(name, known) else {
                let label = format!("`{level} = \"{prefix}\"` means `{name}`");
                return error(message)
                    .label(label)
                    .help(format!("define it: {}", definition(name)));
            };
            let meant = match right.strip_suffix(level).and_then(|one| one.strip_suffix(':')) {
                Some(one) => format!("did you mean \"{one}\", for `{right}`?"),
                None => format!("did you mean `{right}`?"),
            };
            error(message).label(meant).help(format!("or define it: {}", definition(name)))
        }
        None => whole(name, known, suggestions, error, message),
    }
}

/// The line that defines a scope.
fn definition(name: &str) -> String {
    format!("`\"{name}\" = \"What it allows\"`")
}

/// Whether the scope is written without its last part, in `read`, `write` or `admin`.
fn is_short(text: &str, scope: &Located<Scope>) -> bool {
    let written = text.get(scope.span.clone()).unwrap_or_default();
    let written = written.trim_matches(['"', '\'']);
    let name = scope.value.as_str().rsplit_once(':');
    name.is_some_and(|(prefix, level)| prefix == written && SHORT.contains(&level))
}

/// `write = "note:write"`: a whole scope where only its first part is taken.
fn whole_in_short_form<'k>(
    (scope, text): (&Located<Scope>, &str),
    written: &str,
    level: &str,
    known: &(impl Iterator<Item = &'k str> + Clone),
    suggestions: &Suggestions,
    error: impl Fn(String) -> Diagnostic,
) -> Diagnostic {
    let name = scope.value.as_str();
    let says = format!("`{level} = \"{written}\"` asks for `{name}`");
    let short = written.trim_end_matches([':', '*']);
    if short != written && !short.contains(':') {
        return error(says).fix(Fix::text(
            format!("write `{level} = \"{short}\"`, which means `{short}:{level}`"),
            scope.span.clone(),
            format!("\"{short}\""),
        ));
    }
    let (prefix, verb) = written.rsplit_once(':').unwrap_or((written, ""));
    let error = error(format!("{says}, because `{level}` takes the part before `:{level}`"));
    if verb == level {
        return error.fix(Fix::text(
            format!("write `{level} = \"{prefix}\"`, which means `{written}`"),
            scope.span.clone(),
            format!("\"{prefix}\""),
        ));
    }
    let error = match suggestions.nearest(name, known.clone()) {
        Some(right) => error.label(format!("did you mean `{right}`?")),
        None => error,
    };
    if SHORT.contains(&verb) {
        return error.help(format!(
            "write `{verb} = \"{prefix}\"` for `{written}`, or `{level} = \"{prefix}\"` for `{prefix}:{level}`"
        ));
    }
    let title = format!("write `all_of = [\"{written}\"]` for the scope `{written}`");
    match key_of(text, scope.span.start, level) {
        Some(start)
            if suggestions.spend(known.clone().count())
                && known.clone().any(|one| one == written) =>
        {
            error.fix(Fix::text(title, start..scope.span.end, format!("all_of = [\"{written}\"]")))
        }
        _ => error.help(title).help(format!("or define `{name}`: {}", definition(name))),
    }
}

/// Where the key `level` before a value begins.
fn key_of(text: &str, value: usize, level: &str) -> Option<usize> {
    let before = text.get(..value)?.trim_end().strip_suffix('=')?.trim_end();
    before.ends_with(level).then(|| before.len() - level.len())
}

/// A whole scope: misspelt, undefined, or only the first part of one.
fn whole<'k>(
    name: &str,
    known: impl Iterator<Item = &'k str> + Clone,
    suggestions: &Suggestions,
    error: impl Fn(String) -> Diagnostic,
    message: String,
) -> Diagnostic {
    let prefix = name.trim_end_matches([':', '*']);
    let begins = |scope: &&str| {
        scope.strip_prefix(prefix).is_some_and(|rest| rest.starts_with([':', '.', '/']))
    };
    let is_affordable = suggestions.spend(known.clone().count());
    let mut longer: Vec<&str> = known.clone().filter(|_| is_affordable).filter(begins).collect();
    longer.sort_unstable();
    let more = longer.len().saturating_sub(MOST_NAMES);
    longer.truncate(MOST_NAMES);
    if !longer.is_empty() {
        let mut list =
            longer.iter().map(|scope| format!("`{scope}`")).collect::<Vec<_>>().join(", ");
        if more > 0 {
            list += &format!(" and {more} more");
        }
        let label = match longer.as_slice() {
            [one] => format!("did you mean `{one}`?"),
            _ => "this is only the first part of a scope".to_owned(),
        };
        let here = "a list takes whole scopes";
        return error(message).label(label).help(format!("{here}: those that begin so are {list}"));
    }
    if let Some(what) = too_broad(name) {
        return error(message)
            .label(format!("it {what}"))
            .help("name a scope of this server in its place, or write `authenticated = true` for any authenticated caller");
    }
    match suggestions.nearest(name, known) {
        Some(right) => error(message)
            .label(format!("did you mean `{right}`?"))
            .help(format!("or define it: {}", definition(name))),
        None => error(message).help(format!("define it: {}", definition(name))),
    }
}

/// At most this many scopes are listed that begin with an undefined one, so that the line can be
/// read.
const MOST_NAMES: usize = 12;

/// At most this many further places of an undefined scope are shown, because a policy may use it in each
/// line.
const MOST_PLACES: usize = 3;

/// Reports each undefined scope once, at its first place, with the others as context. `misplaced` are
/// the scopes that are defined in a wrong table, which is reported there.
pub(crate) fn merge_undefined(
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
                first.fix_also(&error);
            }
        }
    }
    merged.extend(by_scope.into_iter().map(|(first, further)| match further {
        0..=MOST_PLACES => first,
        _ => first.note(format!("and in {} more places", further - MOST_PLACES)),
    }));
    merged
}

/// Says of a scope that no rule names that a definition alone would be of no use: nothing would need the
/// scope.
pub(crate) fn advise_unneeded(errors: Vec<Diagnostic>, manifest: &Manifest) -> Vec<Diagnostic> {
    if errors.iter().all(|error| error.kind() != mistake::UNDEFINED_SCOPE) {
        return errors;
    }
    let rules = manifest.rules.iter().flat_map(|entry| {
        let conditional = entry.when.iter().filter_map(|when| when.rule.as_ref());
        entry.rule.iter().chain(conditional)
    });
    let needed: HashSet<&str> = rules
        .filter_map(|rule| match rule {
            RuleEntry::Anonymous | RuleEntry::Authenticated => None,
            RuleEntry::Alternatives(alternatives) => Some(alternatives),
        })
        .flatten()
        .flatten()
        .map(|scope| scope.value.as_str())
        .collect();
    let advised = |error: Diagnostic| {
        let is_unneeded = error.kind() == mistake::UNDEFINED_SCOPE
            && error.subject().is_some_and(|name| !needed.contains(name));
        if !is_unneeded {
            return error;
        }
        error.map_helps(|help| {
            let help = help.replacen("define it: ", "define it and use it in a rule: ", 1);
            match help.strip_prefix("define it and") {
                Some(rest) => format!("take it out here, or define it and{rest}"),
                None => help,
            }
        })
    };
    errors.into_iter().map(advised).collect()
}

/// Moves the finding about a scope to its definition, where that must be what is misspelt: nothing uses
/// the scope that `[scopes]` defines, and several rules ask for the other one, or one that has its last
/// part from the key `read`, `write` or `admin`.
pub(crate) fn blame_definitions(
    errors: Vec<Diagnostic>,
    manifest: &Manifest,
    text: &str,
) -> Vec<Diagnostic> {
    if errors.iter().all(|error| error.kind() != mistake::UNDEFINED_SCOPE) {
        return errors;
    }
    let rules = manifest.rules.iter().flat_map(|entry| {
        let conditional = entry.when.iter().filter_map(|when| when.rule.as_ref());
        entry.rule.iter().chain(conditional)
    });
    let mut uses: HashMap<&str, Vec<&Located<Scope>>> = HashMap::new();
    let named = rules.flat_map(|rule| match rule {
        RuleEntry::Anonymous | RuleEntry::Authenticated => [].iter(),
        RuleEntry::Alternatives(alternatives) => alternatives.iter(),
    });
    for scope in named.flatten().chain(manifest.scopes.iter().flat_map(|entry| &entry.implies)) {
        uses.entry(scope.value.as_str()).or_default().push(scope);
    }
    let is_unused = |name: &Scope| !uses.contains_key(name.as_str());
    let unused: Vec<_> =
        manifest.scopes.iter().filter(|entry| is_unused(&entry.name.value)).collect();
    // One bound for all errors, because each is compared with each scope.
    let suggestions = Suggestions::default();
    let blamed = |error: Diagnostic| {
        let Some(name) = error.subject().filter(|_| error.kind() == mistake::UNDEFINED_SCOPE)
        else {
            return error;
        };
        let defined_names = unused.iter().map(|entry| entry.name.value.as_str());
        let defined = suggestions.nearest(name, defined_names);
        let entry = unused.iter().find(|entry| Some(entry.name.value.as_str()) == defined);
        let (Some(entry), Some(asking)) = (entry, uses.get(name)) else { return error };
        let prefix = |scope: &str| scope.rsplit_once(':').map(|(prefix, _)| prefix.to_owned());
        let is_certain = asking.iter().any(|scope| is_short(text, scope))
            && prefix(name) == prefix(entry.name.value.as_str());
        if asking.len() < 2 && !is_certain {
            return error;
        }
        let message =
            format!("`[scopes]` defines `{}`, and rules ask for `{name}`", entry.name.value);
        let mut moved = Diagnostic::new(mistake::UNDEFINED_SCOPE, entry.name.span.clone(), message)
            .label(format!("did you mean `{name}`?"))
            .about(name);
        if let Some(first) = asking.first() {
            moved.add_context(first.span.clone(), format!("asks for `{name}`"));
        }
        moved
    };
    errors.into_iter().map(blamed).collect()
}

#[cfg(test)]
mod tests {
    use crate::{CompiledPolicy, Registry, diagnostic::Source, lint};

    const HEAD: &str = "version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n[scopes]\n\
         \"note:read\" = \"R\"\n\"note:write\" = \"W\"\n\"note:share\" = \"S\"\n\
         \"mail.send\" = \"M\"\n[tools]\n";

    /// Each rule that names a scope in the wrong form, and what `--fix` makes of it.
    const RULES: &[(&str, Option<&str>)] = &[
        ("{ write = \"note:write\" }", Some("{ write = \"note\" }")),
        ("{ read = 'note:read' }", Some("{ read = \"note\" }")),
        ("{ admin = \"note:admin\" }", None),
        ("{ write = \"note:read\" }", None),
        ("{ read = \"note:admin\" }", None),
        ("{ write = \"note:share\" }", Some("{ all_of = [\"note:share\"] }")),
        ("{ write = \"note:print\" }", None),
        ("{ read = \"note:\" }", Some("{ read = \"note\" }")),
        ("{ read = \"note:*\" }", Some("{ read = \"note\" }")),
        ("{ all_of = [\"note\"] }", None),
        ("{ any_of = [\"note:\"] }", None),
        ("{ any_of = [\"note:read\", { all_of = [\"mail\"] }] }", None),
        (
            "{ read = \"note\", when = [{ if = \"args.x\", write = \"note:write\" }] }",
            Some("{ read = \"note\", when = [{ if = \"args.x\", write = \"note\" }] }"),
        ),
        ("{ write = \"notes\" }", None),
        ("{ write = \"memo\" }", None),
        ("{ all_of = [\"memo:write\"] }", None),
    ];

    #[test]
    fn a_scope_in_the_wrong_form_is_explained() {
        let registry = Registry::new(&[]);
        let now = std::time::UNIX_EPOCH;
        let inputs = lint::LintInputs { registry: &registry, snapshot: None, now };
        let mut said = String::new();
        for (rule, right) in RULES {
            let source = Source::new("policy.toml", format!("{HEAD}x = {rule}\n"));
            let found = CompiledPolicy::compile(source.clone()).unwrap_err();
            assert_eq!(found.iter().count(), 1, "{rule}\n{found}");
            let text = found.render(false);
            assert!(!text.contains("define it: `\"note:write:write"), "{text}");
            said += &text;
            let fixed = lint::fix::fix(&source, &inputs).unwrap();
            match right {
                Some(right) => {
                    // `note:admin` is not defined, so only the form is right afterwards.
                    assert_eq!(fixed.source.text(), format!("{HEAD}x = {right}\n"), "{rule}");
                }
                None if fixed.done.is_empty() => {}
                None => assert!(rule.contains("admin"), "{rule}"),
            }
        }
        insta::assert_snapshot!("undefined_scopes", said);
    }

    /// What is underlined, on which line, for a typo in the definition and one in a rule.
    #[test]
    fn a_typo_in_a_definition_is_underlined_there() {
        let found = |scopes: &str, rules: &str| {
            let text = format!(
                "version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n[scopes]\n{scopes}[tools]\n{rules}"
            );
            let found =
                CompiledPolicy::compile(Source::new("policy.toml", text.clone())).unwrap_err();
            let list: Vec<_> = found.iter().collect();
            assert_eq!(list.len(), 1, "{found}");
            text[list[0].span()].to_owned()
        };
        let good = "\"note:write\" = \"W\"\n";
        let typo = format!("\"note:raed\" = \"R\"\n{good}");
        assert_eq!(found(&typo, "a = { read = \"note\" }\n"), "\"note:raed\"");
        let two = "a = { all_of = [\"note:read\"] }\nb = { any_of = [\"note:read\"] }\n";
        assert_eq!(found(&typo, two), "\"note:raed\"");
        // Either may be misspelt, or the definition is right because another rule uses it.
        assert_eq!(found(good, "a = { all_of = [\"note:wirte\"] }\n"), "\"note:wirte\"");
        let other = "a = { write = \"note\" }\nb = { write = \"nota\" }\n";
        assert_eq!(found(good, other), "\"nota\"");
        assert_eq!(found(good, "b = { write = \"nota\" }\n"), "\"nota\"");
    }
}
