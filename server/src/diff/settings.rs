//! What else a reviewer should see: settings that are not access to a tool themselves.

use super::SettingChange;
use crate::policy::{CompiledPolicy, Scope, ScopeInfo, Trust};

pub(super) fn compare(old: &CompiledPolicy, new: &CompiledPolicy) -> Vec<SettingChange> {
    let mut changes = vec![];
    let mut compare = |setting: String, old: String, new: String| {
        if old != new {
            changes.push(SettingChange { setting, old, new });
        }
    };
    let of = |name: &str| format!("[resource] {name}");
    compare(of("url"), old.resource().to_string(), new.resource().to_string());
    for ((name, old), (_, new)) in old.trust().settings().into_iter().zip(new.trust().settings()) {
        compare(of(name), old, new);
    }
    let also = |policy: &CompiledPolicy| {
        let all: Vec<_> = policy.also().iter().map(Trust::describe).collect();
        if all.is_empty() { "none".to_owned() } else { all.join("; ") }
    };
    compare("[[resource.also]]".to_owned(), also(old), also(new));
    compare(of("list"), old.list_mode().as_str().into(), new.list_mode().as_str().into());
    compare(of("on_denied"), old.on_denied().as_str().into(), new.on_denied().as_str().into());
    compare(of("audit"), old.audit_mode().as_str().into(), new.audit_mode().as_str().into());
    compare(
        of("startup_check"),
        old.check_mode().as_str().into(),
        new.check_mode().as_str().into(),
    );
    compare(
        "registered scopes".to_owned(),
        list(old.registered_scopes().map(ScopeInfo::name)),
        list(new.registered_scopes().map(ScopeInfo::name)),
    );
    compare(
        "scopes asked for at first sign-in".to_owned(),
        list(old.sign_in_scopes()),
        list(new.sign_in_scopes()),
    );
    for (feature, name, rule) in new.rules() {
        if let Some(before) = old.rule(feature, name) {
            let word = |hidden: bool| if hidden { "hidden" } else { "shown" }.to_owned();
            compare(
                format!("[{}] {name}", feature.table()),
                word(before.is_hidden()),
                word(rule.is_hidden()),
            );
        }
    }
    changes
}

/// In alphabetical order: the order of `[scopes]` gives nobody anything.
fn list<'a>(scopes: impl Iterator<Item = &'a Scope>) -> String {
    let mut names: Vec<&str> = scopes.map(Scope::as_str).collect();
    names.sort_unstable();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
