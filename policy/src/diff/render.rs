//! Shows a difference in a terminal, in a pull request, and to programs.

use serde_json::{Value, json};

use super::{Difference, Grants, RuleChange, SettingChange};
use crate::diagnostic::counted;

/// The difference as plain text, for a terminal.
pub fn text(difference: &Difference) -> String {
    if difference.is_empty() {
        return format!("{}\n", nothing(difference));
    }
    let mut text = String::new();
    for change in &difference.rules {
        text.push_str(&format!("{} {}\n", change.title(), change.direction()));
        text.push_str(&format!("  was    {}\n", needs(change.old.as_deref())));
        text.push_str(&format!("  is     {}\n", needs(change.new.as_deref())));
        if change.widens() {
            text.push_str(&format!("  newly enough      {}\n", grants(&change.gained)));
        }
        if change.narrows() {
            text.push_str(&format!("  no longer enough  {}\n", grants(&change.lost)));
        }
        text.push('\n');
    }
    for SettingChange { setting, old, new } in &difference.settings {
        text.push_str(&format!("{setting}\n  was    {old}\n  is     {new}\n\n"));
    }
    text.push_str(&format!("{}\n", summary(difference)));
    text.replace('`', "")
}

/// The difference in GitHub's Markdown, for a comment on a pull request.
pub fn markdown(difference: &Difference) -> String {
    let mut text = "### Who may call what\n\n".to_owned();
    if difference.is_empty() {
        return format!("{text}{}\n", nothing(difference));
    }
    text.push_str(&format!("{}\n", summary(difference)));
    if !difference.rules.is_empty() {
        text.push_str("\n| | | was | is | newly enough | no longer enough |\n");
        text.push_str("|---|---|---|---|---|---|\n");
        for change in &difference.rules {
            let mark = match (change.widens(), change.narrows()) {
                (true, true) => "**widens, narrows**",
                (true, false) => "**widens**",
                _ => "narrows",
            };
            text.push_str(&format!(
                "| {} | {mark} | {} | {} | {} | {} |\n",
                code(&change.title()),
                cell(&needs(change.old.as_deref())),
                cell(&needs(change.new.as_deref())),
                cell(&grants(&change.gained)),
                cell(&grants(&change.lost)),
            ));
        }
    }
    if !difference.settings.is_empty() {
        text.push_str("\n| setting | was | is |\n|---|---|---|\n");
        for SettingChange { setting, old, new } in &difference.settings {
            text.push_str(&format!("| {} | {} | {} |\n", code(setting), cell(old), cell(new)));
        }
    }
    text
}

/// The difference as JSON, for programs.
pub fn json(difference: &Difference) -> String {
    let list = |grants: &Grants| {
        let each = grants.smallest.iter();
        let scopes = each.map(|grant| grant.scopes().map(crate::Scope::as_str).collect());
        json!({ "grants": scopes.collect::<Vec<Vec<&str>>>(), "more": grants.is_cut })
    };
    let rule = |change: &RuleChange| -> Value {
        json!({
            (change.feature.word()): change.name,
            "when": change.when,
            "widens": change.widens(),
            "narrows": change.narrows(),
            "old": change.old,
            "new": change.new,
            "newly_enough": list(&change.gained),
            "no_longer_enough": list(&change.lost),
        })
    };
    let setting = |change: &SettingChange| json!({ "setting": change.setting, "old": change.old, "new": change.new });
    let document = json!({
        "widens": difference.widens(),
        "narrows": difference.narrows(),
        "compared": difference.compared,
        "rules": difference.rules.iter().map(rule).collect::<Vec<_>>(),
        "settings": difference.settings.iter().map(setting).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn nothing(difference: &Difference) -> String {
    format!("Nobody gains or loses access: {} compared.", counted(difference.compared, "rule"))
}

fn summary(difference: &Difference) -> String {
    let widened = difference.rules.iter().filter(|change| change.widens()).count();
    let narrowed = difference.rules.iter().filter(|change| change.narrows()).count();
    let compared = counted(difference.compared, "rule");
    format!("{compared} compared: {widened} widened, {narrowed} narrowed.")
}

fn needs(described: Option<&str>) -> String {
    described.map_or("no rule: nobody".to_owned(), str::to_owned)
}

fn grants(grants: &Grants) -> String {
    let mut list: Vec<String> = grants.smallest.iter().map(ToString::to_string).collect();
    if grants.is_cut {
        list.push("and more".to_owned());
    }
    list.join("; ")
}

/// A name as code in the cell of a table; a backtick in it would end the code, so it is replaced.
fn code(name: &str) -> String {
    format!("`{}`", cell(&name.replace('`', "'")))
}

/// A text in the cell of a table: `|` and the end of a line would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
