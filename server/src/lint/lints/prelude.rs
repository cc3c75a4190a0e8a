//! What most lints need.

pub(super) use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

pub(super) use unicode_security::skeleton;

use crate::registry::Location;
pub(super) use crate::{
    diagnostic::{Change, Diagnostic, Fix, Kind, Severity, Step, nearest},
    lint::{
        Example, Lint, Stage, finding,
        report::{Entry, Report},
        subject::Subject,
        suggest::{key, quoted, rule_for},
        verify,
    },
    policy::{AccessLevel, Located, Requirement, Rule, RuleEntry, Scope, ScopeId},
    registry::DeclaredTool,
};

/// A tool of the examples.
const fn tool(name: &'static str, scopes: &'static [&'static str]) -> DeclaredTool {
    DeclaredTool::new(name, scopes, &[], Location::new("src/tools.rs", 12, 7))
}

pub(super) const READER: DeclaredTool =
    tool("list_todos", &["todo:read"]).with_hints(Some(true), None);
pub(super) const LOOK_ALIKE: DeclaredTool =
    tool("List_todos", &["todo:read"]).with_hints(Some(true), None);
pub(super) const WRITER: DeclaredTool =
    tool("create_todo", &["todo:write"]).with_hints(None, Some(false));
pub(super) const DELETER: DeclaredTool =
    tool("delete_todo", &["todo:write"]).with_hints(None, Some(true));
pub(super) const ARCHIVER: DeclaredTool = tool("archive_todos", &["todo:read"]);
pub(super) const OPEN: DeclaredTool = tool("reset", &[]).with_hints(None, Some(true));
pub(super) const EXPORTER: DeclaredTool = DeclaredTool::new(
    "export_todos",
    &["todo:read"],
    &["admin:access"],
    Location::new("src/tools.rs", 30, 7),
)
.with_hints(Some(true), None);
