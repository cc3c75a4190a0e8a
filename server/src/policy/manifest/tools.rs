//! `[tools]`: each tool's one rule, as written.

use toml::de::{DeTable, DeValue};

use super::scopes::{scope, scopes};
use crate::{
    diagnostic::Diagnostic,
    policy::{
        reader::{Located, Reader, located, string, strings, wrong_type},
        scope::Scope,
    },
};

#[derive(Debug)]
pub(in crate::policy) struct ToolEntry {
    pub(in crate::policy) name: Located<String>,
    /// `None` when the rule is a mistake.
    pub(in crate::policy) rule: Option<RuleEntry>,
    pub(in crate::policy) relax: Option<String>,
    pub(in crate::policy) hidden: bool,
}

/// Which sets of scopes suffice, as written.
#[derive(Debug)]
pub(in crate::policy) enum RuleEntry {
    Authenticated,
    /// Each alternative is a set of scopes, never empty; there is at least one.
    Alternatives(Vec<Vec<Located<Scope>>>),
}

pub(super) fn read_tools(table: &DeTable<'_>, errors: &mut Vec<Diagnostic>) -> Vec<ToolEntry> {
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
            entries.push(ToolEntry { name, rule: None, relax: None, hidden: false });
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
        entries.push(ToolEntry { name, rule, relax, hidden });
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
