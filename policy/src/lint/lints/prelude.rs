//! The imports that most lints need, and the tools of their examples.

pub(super) use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

pub(super) use unicode_security::skeleton;

use crate::Location;
pub(super) use crate::{
    diagnostic::{Change, Diagnostic, Fix, Kind, Severity, Step, counted, nearest},
    lint::{
        Example, Lint, Stage,
        context::LintContext,
        finding,
        report::{LintReport, PolicyEntry},
        suggest::{in_backticks, in_quotes, rule_as_declared, rule_for},
        verify,
    },
    title_for,
    toml_key::toml_key,
    {AccessLevel, Declaration, Feature, Located, Requirement, Rule, RuleEntry, Scope, ScopeId},
};

/// A declaration for the examples.
const fn tool(name: &'static str, scopes: &'static [&'static str]) -> Declaration {
    Declaration::new(Feature::Tool, name, scopes, &[], Location::new("src/tools.rs", 12, 7))
}

pub(super) const READER: Declaration =
    tool("list_todos", &["todo:read"]).with_hints(Some(true), None);
pub(super) const LOOK_ALIKE: Declaration =
    tool("List_todos", &["todo:read"]).with_hints(Some(true), None);
pub(super) const WRITER: Declaration =
    tool("create_todo", &["todo:write"]).with_hints(None, Some(false));
pub(super) const DELETER: Declaration =
    tool("delete_todo", &["todo:write"]).with_hints(None, Some(true));
pub(super) const ARCHIVER: Declaration = tool("archive_todos", &["todo:read"]);
/// Open to everybody, by its author.
pub(super) const HOURS: Declaration =
    tool("opening_hours", &[]).with_hints(Some(true), None).open_to_anonymous();
pub(super) const WHOAMI: Declaration = tool("whoami", &[]).with_hints(Some(true), None);
pub(super) const OPEN_CHANGER: Declaration =
    tool("vote", &[]).with_hints(None, Some(false)).open_to_anonymous();
pub(super) const OPEN: Declaration = tool("reset", &[]).with_hints(None, Some(true));
pub(super) const EXPORTER: Declaration = Declaration::new(
    Feature::Tool,
    "export_todos",
    &["todo:read"],
    &["admin:access"],
    Location::new("src/tools.rs", 30, 7),
)
.with_hints(Some(true), None);
/// A tool whose arguments have a JSON Schema, for the lints about conditions.
pub(super) const UPDATER: Declaration =
    tool("update_todo", &["todo:write"]).with_hints(None, Some(false)).with_arguments(|| {
        let schema = serde_json::json!({
            "type": "object",
            "properties": { "id": { "type": "string" }, "done": { "type": "boolean" } },
            "required": ["id"],
        });
        std::sync::Arc::new(schema.as_object().cloned().unwrap_or_default())
    });

/// A resource whose variables are read into a struct with the field `id`.
const fn item(name: &'static str, line: u32) -> Declaration {
    let location = Location::new("src/tools.rs", line, 7);
    Declaration::new(Feature::Resource, name, &["todo:read"], &[], location).with_fields(Some(
        || {
            let schema = serde_json::json!({
                "type": "object",
                "properties": { "id": { "type": "integer" } },
                "required": ["id"],
            });
            std::sync::Arc::new(schema.as_object().cloned().unwrap_or_default())
        },
    ))
}

pub(super) const UNREAD_ITEM: Declaration = item("todo://{owner}/{id}", 60);
pub(super) const ITEM: Declaration = item("todo://items/{id}", 40);
pub(super) const INBOX: Declaration = Declaration::new(
    Feature::Resource,
    "todo://items/inbox",
    &["todo:read"],
    &[],
    Location::new("src/tools.rs", 60, 7),
);
pub(super) const MISNAMED_ITEM: Declaration = item("todo://items/{item}", 50);
