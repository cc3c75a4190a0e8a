//! Compares the settings of two policies that give or take no access, but that a reviewer should see.

use super::SettingChange;
use crate::{CompiledPolicy, Rule, Scope, ScopeInfo};

pub(super) fn compare(old: &CompiledPolicy, new: &CompiledPolicy) -> Vec<SettingChange> {
    let mut changes = vec![];
    let mut compare = |setting: String, old: String, new: String| {
        if old != new {
            changes.push(SettingChange { setting, old, new });
        }
    };
    for (old, new) in old.settings().into_iter().zip(new.settings()) {
        let setting = match old.name {
            "also" => "[[server.also]]".to_owned(),
            name => format!("[server] {name}"),
        };
        compare(setting, old.value, new.value);
    }
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

/// The changed reasons for rules that ask for less than declared. A new rule had none before.
pub(super) fn reasons(old: &CompiledPolicy, new: &CompiledPolicy) -> Vec<SettingChange> {
    let mut reasons: Vec<SettingChange> = new
        .rules()
        .filter_map(|(feature, name, rule)| {
            let before = old.rule(feature, name).and_then(Rule::relax);
            let shown = |reason: Option<&str>| {
                reason.map_or("none".to_owned(), |reason| format!("\"{reason}\""))
            };
            (before != rule.relax()).then(|| SettingChange {
                setting: format!("[{}] {name} relax", feature.table()),
                old: shown(before),
                new: shown(rule.relax()),
            })
        })
        .collect();
    reasons.sort_by(|one, other| one.setting.cmp(&other.setting));
    reasons
}

/// The names, sorted, because their order in `[scopes]` does not matter.
fn list<'a>(scopes: impl Iterator<Item = &'a Scope>) -> String {
    let mut names: Vec<&str> = scopes.map(Scope::as_str).collect();
    names.sort_unstable();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
