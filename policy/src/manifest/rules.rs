//! Reads `[tools]`, `[resources]` and `[prompts]`: one rule for each tool, resource and prompt.

use std::{fmt, ops::Range};

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::{
    Allow, read_allow,
    scopes::{scope, scopes},
};
use crate::{
    diagnostic::{Diagnostic, nearest},
    mistake,
    toml_key::toml_key,
    {
        Feature,
        reader::{Located, TableReader, is_true, located, strings, wrong_type},
        scope::Scope,
        shape::{self, RULES},
    },
};

/// One entry of `[tools]`, `[resources]` or `[prompts]` as written.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) feature: Feature,
    pub(crate) name: Located<String>,
    /// `None` if the rule has a mistake.
    pub(crate) rule: Option<RuleEntry>,
    /// Whether the rule is written as `any_of`, and not in one of the forms with one alternative.
    pub(crate) is_any_of: bool,
    pub(crate) relax: Option<Located<String>>,
    pub(crate) hidden: bool,
    pub(crate) allow: Vec<Allow>,
    pub(crate) when: Vec<WhenEntry>,
    /// Whether every part of the entry could be read.
    pub(crate) is_whole: bool,
}

/// One `[[tools.….when]]` as written.
#[derive(Debug)]
pub(crate) struct WhenEntry {
    pub(crate) at: Range<usize>,
    /// `None` if the condition is missing or empty.
    pub(crate) condition: Option<Located<String>>,
    pub(crate) rule: Option<RuleEntry>,
}

/// A rule as written: which sets of scopes suffice.
#[derive(Debug)]
pub(crate) enum RuleEntry {
    Anonymous,
    Authenticated,
    /// INVARIANT: there is at least one alternative, and each has at least one scope.
    Alternatives(Vec<Vec<Located<Scope>>>),
}

pub(super) fn read(
    feature: Feature,
    table: &DeTable<'_>,
    errors: &mut Vec<Diagnostic>,
) -> Vec<Entry> {
    let entries: Vec<Entry> =
        table.iter().map(|(key, value)| read_one(feature, key, value, errors)).collect();
    let stray: Vec<(&Located<String>, &str)> = entries
        .iter()
        .filter_map(|entry| Some((&entry.name, meant_by_conditions(entry, &entries)?)))
        .collect();
    for (name, right) in stray {
        let is_its_own = |error: &&mut Diagnostic| {
            error.kind() == mistake::MISSING_RULE && error.span() == name.span
        };
        if let Some(error) = errors.iter_mut().find(is_its_own) {
            let message = format!("`{}` has a condition, and no rule that it adds to", name.value);
            *error = Diagnostic::new(mistake::MISSING_RULE, name.span.clone(), message)
                .label(format!("did you mean `{right}`?"))
                .help(format!(
                    "write `[[{}.{}.when]]`, because a condition stands with the rule that it adds to",
                    feature.table(),
                    toml_key(right)
                ));
        }
    }
    entries
}

/// The entry with a rule that the conditions of an entry without one were most likely meant for.
pub(crate) fn meant_by_conditions<'e>(entry: &Entry, all: &'e [Entry]) -> Option<&'e str> {
    if entry.rule.is_some() || entry.when.is_empty() {
        return None;
    }
    let ruled = all.iter().filter(|one| one.feature == entry.feature && one.rule.is_some());
    nearest(&entry.name.value, ruled.map(|one| one.name.value.as_str()))
}

fn read_one(
    feature: Feature,
    key: &Spanned<DeString<'_>>,
    value: &Spanned<DeValue<'_>>,
    errors: &mut Vec<Diagnostic>,
) -> Entry {
    let name = Located::new(key.get_ref().to_string(), key.span());
    let mut entry = Entry {
        feature,
        name,
        rule: None,
        is_any_of: false,
        relax: None,
        hidden: false,
        allow: vec![],
        when: vec![],
        is_whole: false,
    };
    let name = &entry.name;
    let what = NamedOperation(feature, &name.value);
    let value = located(value);
    let Some(table) = value.value.as_table() else {
        errors.push(
            wrong_type(&value, what, "a table")
                .help(format!("write `{} = {{ read = \"todo\" }}`", name.value)),
        );
        return entry;
    };
    let reader = TableReader::new(table, &shape::OPERATION, &what);
    entry.rule = read_rule(&reader, name, &[feature.table(), &name.value, "all_of"], errors);
    entry.is_any_of = reader.key_span("any_of").is_some();
    // The fast path: most entries have one key, the rule.
    if entry.rule.is_some() && table.len() == 1 {
        entry.is_whole = true;
        return entry;
    }
    let help = format!(
        "say why this {feature} may be {} with fewer scopes than it declares",
        feature.participle()
    );
    entry.relax = reader.text("relax", &help, errors);
    entry.hidden = reader.boolean("hidden", errors).is_some_and(|flag| flag.value);
    entry.allow = read_allow(&reader, errors);
    let before = errors.len();
    let tables = reader.tables("when", errors);
    entry.is_whole = errors.len() == before;
    entry.when = tables.iter().map(|table| read_when(table, errors)).collect();
    reader.finish(errors);
    entry
}

/// A tool, resource or prompt as messages name it: "the tool `create_todo`".
#[derive(Clone, Copy)]
struct NamedOperation<'n>(Feature, &'n str);

impl fmt::Display for NamedOperation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} `{}`", self.0, self.1)
    }
}

fn read_when(table: &Located<&DeTable<'_>>, errors: &mut Vec<Diagnostic>) -> WhenEntry {
    let reader = TableReader::new(table.value, &shape::WHEN, &"a condition");
    let help = "say when: `if = \"args.done == true\"`";
    let condition = reader.text("if", help, errors);
    // A misspelt `if` is reported as an unknown key.
    if reader.key_span("if").is_none() && !reader.misspelt().any(|meant| meant == "if") {
        let message = "the condition does not say when";
        errors.push(Diagnostic::new(mistake::MISSING_KEY, table.span.clone(), message).help(help));
    }
    let what = Located::new("such a call".to_owned(), table.span.clone());
    let rule = read_rule(&reader, &what, &[], errors);
    reader.finish(errors);
    let at = condition.as_ref().map_or(table.span.clone(), |condition| condition.span.clone());
    WhenEntry { at, condition, rule }
}

/// Reads the rule of `subject`. `all_of_path` is the path of its `all_of` in the document, for the fix
/// of a mistake in that list.
pub(super) fn read_rule(
    reader: &TableReader<'_, '_>,
    subject: &Located<String>,
    all_of_path: &[&str],
    errors: &mut Vec<Diagnostic>,
) -> Option<RuleEntry> {
    let (key, value) = read_only_rule(reader, subject, errors)?;
    match key {
        "all_of" => {
            read_all_of(&value, all_of_path, errors).map(|all| RuleEntry::Alternatives(vec![all]))
        }
        "any_of" => read_any_of(&value, errors).map(RuleEntry::Alternatives),
        "anonymous" | "authenticated" => {
            let help = "without this rule nobody may use it; name the scopes that it needs instead";
            let rule =
                if key == "anonymous" { RuleEntry::Anonymous } else { RuleEntry::Authenticated };
            is_true(key, &value, help, errors).then_some(rule)
        }
        level => {
            let Some(name) = value.value.as_str() else {
                errors.push(wrong_type(&value, format_args!("`{level}`"), "a string"));
                return None;
            };
            let mut whole = String::with_capacity(name.len() + 1 + level.len());
            whole += name;
            whole.push(':');
            whole += level;
            let whole = Located::new(whole, value.span.clone());
            Some(RuleEntry::Alternatives(vec![vec![scope(whole, errors)?]]))
        }
    }
}

/// The key and the value of the only rule of `subject`. Two rules, or none, are a mistake, because
/// access must not depend on a guess.
fn read_only_rule<'t, 'i>(
    reader: &TableReader<'t, 'i>,
    subject: &Located<String>,
    errors: &mut Vec<Diagnostic>,
) -> Option<(&'static str, Located<&'t DeValue<'i>>)> {
    let mut written: Vec<_> = reader.present(&RULES).collect();
    written.sort_by_key(|(_, value)| value.span.start);
    let Some((key, _)) = written.first() else {
        // A misspelt one is reported as an unknown key.
        if reader.misspelt().any(|meant| RULES.contains(&meant)) {
            return None;
        }
        errors.push(
            Diagnostic::new(
                mistake::MISSING_RULE,
                subject.span.clone(),
                format!("nothing says who may use `{}`", subject.value),
            )
            .help(
                "give it one of `read`, `write`, `admin`, `all_of` or `any_of`, or write \
                 `{ authenticated = true }` for any authenticated caller",
            ),
        );
        return None;
    };
    for (second, value) in &written[1..] {
        errors.push(
            Diagnostic::new(
                mistake::TWO_RULES,
                reader.key_span(second).unwrap_or(value.span.clone()),
                format!("`{}` has two rules: `{key}` and `{second}`", subject.value),
            )
            .context(reader.key_span(key).unwrap_or(value.span.clone()), "the first rule")
            .help("keep one; several scopes that are all needed are `all_of = [\"…\", \"…\"]`"),
        );
    }
    (written.len() == 1).then(|| written.swap_remove(0))
}

fn read_all_of(
    value: &Located<&DeValue<'_>>,
    path: &[&str],
    errors: &mut Vec<Diagnostic>,
) -> Option<Vec<Located<Scope>>> {
    let list = strings(value, "`all_of`", errors)?;
    let before = errors.len();
    let all = scopes(&list.value, path, errors);
    if all.is_empty() {
        if errors.len() == before && value.value.as_array().is_some_and(|list| list.is_empty()) {
            errors.push(
                Diagnostic::new(mistake::EMPTY_RULE, list.span, "an empty `all_of` allows nobody")
                    .help("name a scope, or write `{ authenticated = true }` for any authenticated caller"),
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
            Diagnostic::new(
                mistake::EMPTY_RULE,
                value.span.clone(),
                "an empty `any_of` allows nobody",
            )
            .help("list at least one alternative: `any_of = [\"todo:write\", \"todo:admin\"]`"),
        );
        return None;
    }
    let mut alternatives = vec![];
    for item in items.iter().map(located) {
        let alternative = match item.value {
            DeValue::String(text) => {
                scope(Located::new(text.to_string(), item.span), errors).map(|scope| vec![scope])
            }
            DeValue::Table(table) => {
                let reader = TableReader::new(table, &shape::ALTERNATIVE, &"an alternative");
                let all = reader.get("all_of");
                reader.finish(errors);
                if all.is_none() {
                    errors.push(
                        Diagnostic::new(
                            mistake::MISSING_RULE,
                            item.span,
                            "this alternative names no scope",
                        )
                        .help("write `{ all_of = [\"todo:write\", \"admin:access\"] }`"),
                    );
                }
                all.and_then(|all| read_all_of(&all, &[], errors))
            }
            _ => {
                errors.push(wrong_type(&item, "an alternative", "a scope or `{ all_of = […] }`"));
                None
            }
        };
        alternatives.extend(alternative);
    }
    // No rule at all, because a rule without one of its alternatives would refuse some callers.
    (alternatives.len() == items.len()).then_some(alternatives)
}
