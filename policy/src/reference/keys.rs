//! The page of the keys of `policy.toml`, from the table that the reader uses.

use std::ptr;

use crate::{
    AuditMode, ListMode, OnDenied, Provider, Snapshot, StartupCheck,
    compile::DEFAULT_SNAPSHOT_DAYS,
    shape::{self, Key, TableShape, ValueKind},
};

const INTRODUCTION: &str = "\
# Every key of `policy.toml`

This page lists every table and key that a policy may have; it is generated from the table that \
the server itself reads policies with.

An unknown key is an error, with the nearest right name. Editors complete and check these keys \
with `policy.schema.json`, which `policy schema` prints.
";

/// One table of the file: every name under which it stands, and its keys.
struct Section {
    names: Vec<String>,
    shape: &'static TableShape,
}

impl Section {
    fn heading(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    }

    /// The part of a key's anchor that names its table: `server` of `server.url`.
    fn anchor(&self) -> String {
        let name = self.names[0].trim_matches(['[', ']']);
        name.replace('"', "").replace(".NAME", "")
    }
}

pub(super) fn page() -> String {
    let file = Section { names: vec!["the whole file".to_owned()], shape: &shape::POLICY };
    let mut sections = vec![];
    collect(file.shape, "", &mut sections);
    let mut page = format!("{INTRODUCTION}\n## The whole file\n\n");
    page += &keys(file.shape, "file", &sections);
    for section in &sections {
        page += &format!("\n## {}\n\n", section.heading());
        page += &keys(section.shape, &section.anchor(), &sections);
    }
    page += "\n## A file of tests\n\n\
             `policy test` also reads tests and invariants from `policy.test.toml` beside the \
             policy, or from the file that `--file` names.\n\n";
    page += &keys(&shape::TEST_FILE, "tests", &sections);
    page += &format!(
        "\n## `{}`\n\nThe scopes that the authorization server has registered, as `resource pull` \
         writes them beside the policy.\n\n",
        Snapshot::FILE
    );
    page + &keys(&shape::SNAPSHOT, "snapshot", &sections)
}

/// Finds the tables inside a table, depth first. `path` is where it stands, with a dot behind it.
fn collect(shape: &'static TableShape, path: &str, sections: &mut Vec<Section>) {
    // A former name has no section of its own, because it means the same as the new name.
    for key in shape.keys.iter().filter(|key| key.replaced_by.is_none()) {
        collect_in(&key.takes, &format!("{path}{}", key.name), sections);
    }
}

fn collect_in(takes: &'static ValueKind, path: &str, sections: &mut Vec<Section>) {
    let (shape, name) = match takes {
        ValueKind::Table(shape) => (shape, format!("[{path}]")),
        ValueKind::Tables(shape) => (shape, format!("[[{path}]]")),
        ValueKind::ByScope(each) => return collect_in(each, &format!("{path}.\"NAME\""), sections),
        ValueKind::ByName(each) => return collect_in(each, &format!("{path}.NAME"), sections),
        ValueKind::Either(several) => {
            return several.iter().for_each(|one| collect_in(one, path, sections));
        }
        _ => return,
    };
    // Tools, resources and prompts have the same keys, so they share a section.
    match sections.iter_mut().find(|section| ptr::eq(section.shape, *shape)) {
        Some(section) => section.names.push(name),
        None => sections.push(Section { names: vec![name], shape }),
    }
    collect(shape, &format!("{path}."), sections);
}

/// A short table of the keys, and below it what each one means.
fn keys(shape: &TableShape, anchor: &str, sections: &[Section]) -> String {
    let mut text = String::from("| key | takes | if absent |\n|---|---|---|\n");
    for key in shape.keys {
        let takes = takes(&key.takes, sections);
        text += &format!("| [`{0}`](#{anchor}.{0}) | {takes} | {1} |\n", key.name, if_absent(key));
    }
    let list = |keys: &[&str]| {
        let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        keys.join(", ")
    };
    if !shape.one_of.is_empty() {
        text += &format!("\nExactly one of these must be there: {}.\n", list(shape.one_of));
    }
    if !shape.some_of.is_empty() {
        text += &format!("\nAt least one of these must be there: {}.\n", list(shape.some_of));
    }
    text += "\n";
    for Key { name, about, replaced_by, .. } in shape.keys {
        let deprecated = replaced_by.map_or_else(String::new, |by| {
            format!(" Deprecated: write [`{by}`](#{anchor}.{by}) instead.")
        });
        text += &format!("- <a id=\"{anchor}.{name}\"></a>**`{name}`**: {about}{deprecated}\n");
    }
    text
}

fn if_absent(key: &Key) -> String {
    let default = match (key.name, &key.takes) {
        _ if key.is_required => return "an error".to_owned(),
        _ if key.replaced_by.is_some() => return String::new(),
        (_, ValueKind::Flag) => "false".to_owned(),
        ("provider", ValueKind::Word(_)) => format!("\"{}\"", Provider::default().as_str()),
        ("list", _) => format!("\"{}\"", ListMode::default().as_str()),
        ("on_denied", _) => format!("\"{}\"", OnDenied::default().as_str()),
        ("audit", _) => format!("\"{}\"", AuditMode::default().as_str()),
        ("startup_check", _) => format!("\"{}\"", StartupCheck::default().as_str()),
        ("snapshot_days", _) => DEFAULT_SNAPSHOT_DAYS.to_string(),
        _ => return String::new(),
    };
    format!("`{default}`")
}

fn takes(what: &ValueKind, sections: &[Section]) -> String {
    match what {
        ValueKind::One => "`1`".to_owned(),
        ValueKind::Count => "a whole number, at least 1".to_owned(),
        ValueKind::Text => "a text".to_owned(),
        ValueKind::Url => "a URL".to_owned(),
        ValueKind::ScopePrefix => "the start of a scope".to_owned(),
        ValueKind::Scope => "a scope".to_owned(),
        ValueKind::Scopes => "a list of scopes".to_owned(),
        ValueKind::SomeScopes => "a list of at least one scope".to_owned(),
        ValueKind::Flag => "`true` or `false`".to_owned(),
        ValueKind::True => "`true`".to_owned(),
        ValueKind::Word(words) if words().len() == Provider::words().len() => {
            "[the word for a provider](providers.md)".to_owned()
        }
        ValueKind::Word(words) => {
            let words: Vec<String> = words().iter().map(|word| format!("`\"{word}\"`")).collect();
            words.join(", ")
        }
        ValueKind::Table(shape) => match link(shape, sections) {
            Some(link) => format!("[a table]({link})"),
            None => format!("`{{ {} = … }}`", shape.keys[0].name),
        },
        ValueKind::Tables(shape) => match link(shape, sections) {
            Some(link) => format!("[a list of tables]({link})"),
            None => "a list of tables".to_owned(),
        },
        ValueKind::ByScope(each) => format!("for each scope {}", takes(each, sections)),
        ValueKind::ByName(each) => format!("for each name {}", takes(each, sections)),
        ValueKind::ByLint(each) => format!("for each [lint](lints.md) {}", takes(each, sections)),
        ValueKind::Object => "a table with any keys".to_owned(),
        ValueKind::Texts | ValueKind::List(ValueKind::Text) => "a list of texts".to_owned(),
        ValueKind::List(ValueKind::Either([ValueKind::Text, ValueKind::Table(shape)])) => {
            format!("a list of names and of `{{ {} = …, arguments = … }}`", shape.keys[0].name)
        }
        ValueKind::List(each) => format!("a list of: {}", takes(each, sections)),
        ValueKind::Some(each) => format!("a list of at least one of: {}", takes(each, sections)),
        ValueKind::Either(several) => {
            let several: Vec<String> = several.iter().map(|one| takes(one, sections)).collect();
            several.join(", or ")
        }
    }
}

/// The anchor that mdBook gives to the heading of a table's section.
fn link(shape: &TableShape, sections: &[Section]) -> Option<String> {
    let section = sections.iter().find(|section| ptr::eq(section.shape, shape))?;
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c => (c.is_ascii_alphanumeric() || c == '_' || c == '-').then(|| c.to_ascii_lowercase()),
    };
    Some(format!("#{}", section.heading().chars().filter_map(kept).collect::<String>()))
}
