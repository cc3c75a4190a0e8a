//! `policy.toml` as written: every key known, every scope a scope, every place remembered.
//!
//! Nothing here looks at two entries together; that is [`compile`](super::compile)'s work.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::{
    reader::{Located, Reader, located, string, strings, wrong_type},
    scope::Scope,
    settings::{Check, ListMode, OnDenied, Provider},
};
use crate::diagnostic::{Diagnostic, Source};

#[derive(Debug, Default)]
pub(super) struct Manifest {
    pub(super) resource: Resource,
    pub(super) scopes: Vec<ScopeEntry>,
    pub(super) tools: Vec<ToolEntry>,
    /// Where a missing tool would be added: the `[tools]` header, or the end of the file.
    pub(super) tools_at: Range<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Resource {
    pub(super) url: Option<Located<String>>,
    pub(super) provider: Provider,
    pub(super) list: ListMode,
    pub(super) on_denied: OnDenied,
    pub(super) check: Check,
    pub(super) registered: Option<Located<Vec<Located<Scope>>>>,
}

#[derive(Debug)]
pub(super) struct ScopeEntry {
    pub(super) name: Located<Scope>,
    pub(super) title: String,
    pub(super) implies: Vec<Located<Scope>>,
    pub(super) step_up: bool,
}

#[derive(Debug)]
pub(super) struct ToolEntry {
    pub(super) name: Located<String>,
    pub(super) rule: RuleEntry,
    pub(super) relax: Option<String>,
    pub(super) hidden: bool,
}

/// Which sets of scopes suffice, as written.
#[derive(Debug)]
pub(super) enum RuleEntry {
    Authenticated,
    /// Each alternative is a set of scopes, never empty; there is at least one.
    Alternatives(Vec<Vec<Located<Scope>>>),
}

/// Reads the manifest; every mistake goes to `errors`.
pub(super) fn read(source: &Source, errors: &mut Vec<Diagnostic>) -> Manifest {
    let (document, syntax_errors) = DeTable::parse_recoverable(source.text());
    let end = source.text().len()..source.text().len();
    errors.extend(syntax_errors.iter().map(|error| {
        let message = format!("invalid TOML: {}", error.message());
        Diagnostic::error("invalid-toml", error.span().unwrap_or(end.clone()), message)
            .help("correct this first: nothing else in the file could be checked")
    }));
    if !syntax_errors.is_empty() {
        // What a recovered document seems to lack may only be lost to the syntax error.
        return Manifest::default();
    }

    let mut root = Reader::new(document.get_ref(), "the policy");
    read_version(&mut root, end.clone(), errors);
    let mut manifest = Manifest { tools_at: end, ..Manifest::default() };
    if let Some((table, _)) = table(&mut root, "resource", errors) {
        manifest.resource = read_resource(table, errors);
    }
    if let Some((table, _)) = table(&mut root, "scopes", errors) {
        manifest.scopes = read_scopes(table, errors);
    }
    if let Some((table, header)) = table(&mut root, "tools", errors) {
        manifest.tools_at = header;
        manifest.tools = read_tools(table, errors);
    }
    root.finish(errors);
    manifest
}

fn table<'t, 'i>(
    root: &mut Reader<'t, 'i>,
    key: &'static str,
    errors: &mut Vec<Diagnostic>,
) -> Option<(&'t DeTable<'i>, Range<usize>)> {
    let found = root.get(key)?;
    if let Some(table) = found.value.as_table() {
        return Some((table, root.key_span(key).unwrap_or(found.span)));
    }
    errors.push(wrong_type(&found, &format!("`{key}`"), "a table"));
    None
}

fn read_version(root: &mut Reader<'_, '_>, end: Range<usize>, errors: &mut Vec<Diagnostic>) {
    match root.get("version") {
        None => errors.push(
            Diagnostic::error("missing-version", end, "the policy does not say its version")
                .help("add `version = 1` as the first line"),
        ),
        Some(found) => match found.value.as_integer() {
            Some(version) if version.as_str() == "1" && version.radix() == 10 => {}
            Some(_) => errors.push(
                Diagnostic::error("unknown-version", found.span, "this version is not known here")
                    .help("write `version = 1`, or use a newer release of Scopeward"),
            ),
            None => errors.push(wrong_type(&found, "`version`", "the number 1")),
        },
    }
}

fn read_resource(table: &DeTable<'_>, errors: &mut Vec<Diagnostic>) -> Resource {
    let mut reader = Reader::new(table, "`[resource]`");
    let resource = Resource {
        url: reader.string("url", errors),
        provider: word(&mut reader, "provider", Provider::WORDS, errors),
        list: word(&mut reader, "list", ListMode::WORDS, errors),
        on_denied: word(&mut reader, "on_denied", OnDenied::WORDS, errors),
        check: word(&mut reader, "check", Check::WORDS, errors),
        registered: reader
            .strings("registered", errors)
            .map(|list| Located::new(scopes(&list.value, errors), list.span)),
    };
    reader.finish(errors);
    resource
}

fn word<T: Copy + Default>(
    reader: &mut Reader<'_, '_>,
    key: &'static str,
    words: &[(&'static str, T)],
    errors: &mut Vec<Diagnostic>,
) -> T {
    reader.word(key, words, errors).map(|word| word.value).unwrap_or_default()
}

fn scope(text: &Located<String>, errors: &mut Vec<Diagnostic>) -> Option<Located<Scope>> {
    match Scope::parse(&text.value) {
        Ok(scope) => Some(Located::new(scope, text.span.clone())),
        Err(error) => {
            errors.push(
                Diagnostic::error("invalid-scope", text.span.clone(), error.to_string())
                    .help("use printable ASCII without space, `\"` and `\\`"),
            );
            None
        }
    }
}

/// The scopes of a list; one that stands twice is a mistake.
fn scopes(list: &[Located<String>], errors: &mut Vec<Diagnostic>) -> Vec<Located<Scope>> {
    let mut found: Vec<Located<Scope>> = vec![];
    for text in list {
        let Some(scope) = scope(text, errors) else {
            continue;
        };
        if let Some(earlier) = found.iter().find(|earlier| earlier.value == scope.value) {
            errors.push(
                Diagnostic::error(
                    "duplicate-scope",
                    scope.span,
                    format!("`{}` is listed twice", scope.value),
                )
                .context(earlier.span.clone(), "first listed here")
                .help("remove one of the two"),
            );
        } else {
            found.push(scope);
        }
    }
    found
}

fn read_scopes(table: &DeTable<'_>, errors: &mut Vec<Diagnostic>) -> Vec<ScopeEntry> {
    let mut entries = vec![];
    for (key, value) in table {
        let written = Located::new(key.get_ref().to_string(), key.span());
        let value = located(value);
        let name = scope(&written, errors);
        let Some((title, implies, step_up)) = read_scope(&written, &value, errors) else {
            continue;
        };
        if let Some(name) = name {
            entries.push(ScopeEntry { name, title, implies, step_up });
        }
    }
    entries.sort_by_key(|entry| entry.name.span.start);
    entries
}

fn read_scope(
    name: &Located<String>,
    value: &Located<&DeValue<'_>>,
    errors: &mut Vec<Diagnostic>,
) -> Option<(String, Vec<Located<Scope>>, bool)> {
    let what = format!("the scope `{}`", name.value);
    let (title, implies, step_up) = match value.value {
        DeValue::String(title) => {
            (Located::new(title.to_string(), value.span.clone()), vec![], false)
        }
        DeValue::Table(table) => {
            let mut reader = Reader::new(table, &what);
            let title = reader.string("title", errors);
            let implies = reader.strings("implies", errors);
            let step_up = reader.boolean("step_up", errors).is_some_and(|flag| flag.value);
            let has_title_key = reader.key_span("title").is_some();
            reader.finish(errors);
            let Some(title) = title else {
                if !has_title_key {
                    errors.push(
                        Diagnostic::error(
                            "missing-title",
                            name.span.clone(),
                            format!("{what} has no title"),
                        )
                        .help("add `title = \"…\"`: people read it on the consent page"),
                    );
                }
                return None;
            };
            let implies = implies.map(|list| scopes(&list.value, errors)).unwrap_or_default();
            (title, implies, step_up)
        }
        _ => {
            errors.push(
                wrong_type(value, &what, "a title, or a table")
                    .help(format!("write `\"{}\" = \"What it allows\"`", name.value)),
            );
            return None;
        }
    };
    if title.value.trim().is_empty() {
        errors.push(
            Diagnostic::error("missing-title", title.span, format!("{what} has an empty title"))
                .help("say what it allows: people read it on the consent page"),
        );
        return None;
    }
    Some((title.value, implies, step_up))
}

fn read_tools(table: &DeTable<'_>, errors: &mut Vec<Diagnostic>) -> Vec<ToolEntry> {
    let mut entries = vec![];
    for (key, value) in table {
        let name = Located::new(key.get_ref().to_string(), key.span());
        let value = located(value);
        let what = format!("the tool `{}`", name.value);
        let Some(table) = value.value.as_table() else {
            errors.push(
                wrong_type(&value, &what, "a table")
                    .help(format!("write `{} = {{ read = \"todo\" }}`", name.value)),
            );
            continue;
        };
        let mut reader = Reader::new(table, &what);
        let rule = read_rule(&mut reader, &name, errors);
        let relax = reader.string("relax", errors).and_then(|reason| {
            if reason.value.trim().is_empty() {
                errors.push(
                    Diagnostic::error("empty-reason", reason.span, "`relax` needs a reason")
                        .help("say why this tool may be called with fewer scopes than it declares"),
                );
                return None;
            }
            Some(reason.value)
        });
        let hidden = reader.boolean("hidden", errors).is_some_and(|flag| flag.value);
        reader.finish(errors);
        if let Some(rule) = rule {
            entries.push(ToolEntry { name, rule, relax, hidden });
        }
    }
    entries.sort_by_key(|entry| entry.name.span.start);
    entries
}

/// The one rule of a tool. Two rules, or none, are a mistake: access never depends on a guess.
fn read_rule(
    reader: &mut Reader<'_, '_>,
    tool: &Located<String>,
    errors: &mut Vec<Diagnostic>,
) -> Option<RuleEntry> {
    const RULES: [&str; 6] = ["read", "write", "admin", "all_of", "any_of", "authenticated"];
    let mut written: Vec<(&'static str, Located<&DeValue<'_>>)> =
        RULES.into_iter().filter_map(|key| Some((key, reader.get(key)?))).collect();
    written.sort_by_key(|(_, value)| value.span.start);

    let Some((key, value)) = written.first() else {
        errors.push(
            Diagnostic::error(
                "missing-rule",
                tool.span.clone(),
                format!("nothing says who may call `{}`", tool.value),
            )
            .help(
                "give it one of `read`, `write`, `admin`, `all_of` or `any_of`; a tool open to \
                 any authenticated caller is `{ authenticated = true }`",
            ),
        );
        return None;
    };
    for (second, value) in &written[1..] {
        errors.push(
            Diagnostic::error(
                "two-rules",
                reader.key_span(second).unwrap_or(value.span.clone()),
                format!("`{}` has two rules: `{key}` and `{second}`", tool.value),
            )
            .context(reader.key_span(key).unwrap_or(value.span.clone()), "the first rule")
            .help("keep one; several scopes that are all needed are `all_of = [\"…\", \"…\"]`"),
        );
    }
    if written.len() > 1 {
        return None;
    }
    match *key {
        "all_of" => read_all_of(value, errors).map(|all| RuleEntry::Alternatives(vec![all])),
        "any_of" => read_any_of(value, errors).map(RuleEntry::Alternatives),
        "authenticated" => {
            if value.value.as_bool() == Some(true) {
                return Some(RuleEntry::Authenticated);
            }
            errors.push(
                Diagnostic::error(
                    "wrong-type",
                    value.span.clone(),
                    "`authenticated` can only be `true`",
                )
                .help("there is no tool without authentication; name the scopes it needs instead"),
            );
            None
        }
        level => {
            let name = string(value, &format!("`{level}`"), errors)?;
            let whole = Located::new(format!("{}:{level}", name.value), name.span);
            Some(RuleEntry::Alternatives(vec![vec![scope(&whole, errors)?]]))
        }
    }
}

fn read_all_of(
    value: &Located<&DeValue<'_>>,
    errors: &mut Vec<Diagnostic>,
) -> Option<Vec<Located<Scope>>> {
    let list = strings(value, "`all_of`", errors)?;
    let before = errors.len();
    let all = scopes(&list.value, errors);
    if all.is_empty() {
        if errors.len() == before && value.value.as_array().is_some_and(|list| list.is_empty()) {
            errors.push(
                Diagnostic::error("empty-rule", list.span, "an empty `all_of` allows nobody")
                    .help("name a scope; a tool open to any authenticated caller is `{ authenticated = true }`"),
            );
        }
        return None;
    }
    Some(all)
}

fn read_any_of(
    value: &Located<&DeValue<'_>>,
    errors: &mut Vec<Diagnostic>,
) -> Option<Vec<Vec<Located<Scope>>>> {
    let Some(items) = value.value.as_array() else {
        errors.push(wrong_type(value, "`any_of`", "a list of alternatives"));
        return None;
    };
    if items.is_empty() {
        errors.push(
            Diagnostic::error("empty-rule", value.span.clone(), "an empty `any_of` allows nobody")
                .help("list at least one alternative: `any_of = [\"todo:write\", \"todo:admin\"]`"),
        );
        return None;
    }
    let mut alternatives = vec![];
    for item in items.iter().map(located) {
        let alternative = match item.value {
            DeValue::String(text) => {
                scope(&Located::new(text.to_string(), item.span), errors).map(|scope| vec![scope])
            }
            DeValue::Table(table) => {
                let mut reader = Reader::new(table, "an alternative");
                let all = reader.get("all_of");
                reader.finish(errors);
                if all.is_none() {
                    errors.push(
                        Diagnostic::error(
                            "missing-rule",
                            item.span,
                            "this alternative names no scope",
                        )
                        .help("write `{ all_of = [\"todo:write\", \"admin:access\"] }`"),
                    );
                }
                all.and_then(|all| read_all_of(&all, errors))
            }
            _ => {
                errors.push(wrong_type(&item, "an alternative", "a scope or `{ all_of = […] }`"));
                None
            }
        };
        alternatives.extend(alternative);
    }
    // One alternative short of what was written would silently refuse somebody.
    (alternatives.len() == items.len()).then_some(alternatives)
}
