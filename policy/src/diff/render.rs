//! Shows a difference in a terminal, in a pull request, and to programs.

use serde_json::{Value, json};

use super::{
    Difference, Grants, RuleChange, SettingChange,
    accept::{Accepted, Judgement},
};
use crate::diagnostic::counted;

/// The difference as plain text, for a terminal.
pub fn text(difference: &Difference) -> String {
    if difference.is_empty() {
        return format!("{}\n", nothing(difference));
    }
    let mut text = String::new();
    for change in &difference.rules {
        text.push_str(&format!("{} {}\n", change.title(), change.direction()));
        text.push_str(&format!("  was    {}\n", was(change)));
        text.push_str(&format!("  is     {}\n", is(change)));
        for cause in &change.causes {
            text.push_str(&format!("  because  {cause}\n"));
        }
        if change.widens() {
            let may = if change.is_gain_unsure { "may be enough now" } else { "newly enough" };
            text.push_str(&format!("  {may:16}  {}\n", grants(&change.gained)));
        }
        if change.narrows() {
            let may = if change.is_loss_unsure { "may be too little" } else { "no longer enough" };
            text.push_str(&format!("  {may:16}  {}\n", grants(&change.lost)));
        }
        if !change.optional.is_empty() && change.more_with.is_none() {
            text.push_str(&format!("  answers more with {}\n", change.optional.join(", ")));
        }
        text.push('\n');
    }
    for SettingChange { setting, old, new } in difference.reasons.iter().chain(&difference.settings)
    {
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
                (true, true) if !change.is_told() => "**cannot be told**",
                (true, true) if change.is_gain_unsure => "**narrows, may widen**",
                (true, true) if change.is_loss_unsure => "**widens, may narrow**",
                (true, true) => "**widens, narrows**",
                (true, false) => "**widens**",
                _ => "narrows",
            };
            text.push_str(&format!(
                "| {} | {mark} | {} | {} | {} | {} |\n",
                code(&change.title()),
                cell(&was(change)),
                cell(&with_causes(change)),
                cell(&grants(&change.gained)),
                cell(&grants(&change.lost)),
            ));
        }
    }
    let settings = || difference.reasons.iter().chain(&difference.settings);
    if settings().next().is_some() {
        text.push_str("\n| setting | was | is |\n|---|---|---|\n");
        for SettingChange { setting, old, new } in settings() {
            text.push_str(&format!("| {} | {} | {} |\n", code(setting), cell(old), cell(new)));
        }
    }
    text
}

/// The difference as JSON, for programs.
pub fn json(difference: &Difference) -> String {
    format!("{:#}\n", document(difference))
}

/// The difference as JSON, with the widenings that commits accept.
pub fn json_judged(difference: &Difference, judgement: &Judgement) -> String {
    let mut document = document(difference);
    let accepted = judgement.accepted.iter().map(
        |one| json!({ "rule": one.rule.to_string(), "reason": one.reason, "commit": one.commit }),
    );
    document["accepted"] = accepted.collect();
    document["refused"] = judgement.refused.iter().map(ToString::to_string).collect();
    document["problems"] = judgement.problems.iter().map(String::as_str).collect();
    format!("{document:#}\n")
}

/// The widenings that commits accept, as plain text.
///
/// ```
/// use scopeward_policy::diff::{self, Difference, accept::{Commit, judge}};
///
/// /// The text and the Markdown for a reviewer, and the JSON for a program.
/// fn report(difference: &Difference, commits: &[Commit]) -> [String; 3] {
///     let judgement = judge(difference, commits);
///     let for_people = diff::judged_text(&judgement);
///     [for_people, diff::judged_markdown(&judgement), diff::json_judged(difference, &judgement)]
/// }
/// ```
pub fn judged_text(judgement: &Judgement) -> String {
    let line = |one: &Accepted| {
        format!("accepted by commit {}: {}: {}\n", one.commit, one.rule, one.reason)
    };
    judgement.accepted.iter().map(line).collect()
}

/// The accepted and the refused widenings, in GitHub's Markdown.
pub fn judged_markdown(judgement: &Judgement) -> String {
    let mut lines = vec![];
    for one in &judgement.accepted {
        let (rule, reason) = (code(&one.rule.to_string()), code(&one.reason));
        lines.push(format!("- accepted: {rule} by commit {}: {reason}", one.commit));
    }
    for rule in &judgement.refused {
        lines.push(format!("- **refused**: {} widens", code(&rule.to_string())));
    }
    for problem in &judgement.problems {
        lines.push(format!("- **refused**: {}", code(problem)));
    }
    if lines.is_empty() { String::new() } else { format!("\n{}\n", lines.join("\n")) }
}

fn document(difference: &Difference) -> Value {
    let list = |grants: &Grants| {
        let each = grants.smallest.iter();
        let scopes = each.map(|grant| grant.scopes().map(crate::Scope::as_str).collect());
        json!({
            "grants": scopes.collect::<Vec<Vec<&str>>>(),
            "more": grants.is_cut,
            "anonymous": grants.anonymous,
        })
    };
    let rule = |change: &RuleChange| -> Value {
        json!({
            (change.feature.word()): change.name,
            "when": change.when,
            "was_when": change.was_when,
            "more_with": change.more_with,
            "widens": change.widens(),
            "narrows": change.narrows(),
            "told": change.is_told(),
            "old": change.old,
            "new": change.new,
            "newly_enough": list(&change.gained),
            "no_longer_enough": list(&change.lost),
            "because": change.causes.iter().map(|cause| cause.replace('`', "")).collect::<Vec<_>>(),
            "optional": change.optional,
        })
    };
    let setting = |change: &SettingChange| json!({ "setting": change.setting, "old": change.old, "new": change.new });
    json!({
        "widens": difference.widens(),
        "narrows": difference.narrows(),
        "compared": difference.compared,
        "rules": difference.rules.iter().map(rule).collect::<Vec<_>>(),
        "settings": difference.settings.iter().map(setting).collect::<Vec<_>>(),
        "reasons": difference.reasons.iter().map(setting).collect::<Vec<_>>(),
    })
}

fn nothing(difference: &Difference) -> String {
    format!("Nobody gains or loses access: {} compared.", counted(difference.compared, "rule"))
}

fn summary(difference: &Difference) -> String {
    let count =
        |is: &dyn Fn(&RuleChange) -> bool| difference.rules.iter().filter(|c| is(c)).count();
    let widened = count(&|change| change.is_told() && change.widens() && !change.is_gain_unsure);
    let narrowed = count(&|change| change.is_told() && change.narrows() && !change.is_loss_unsure);
    let untold = match count(&|change| change.is_gain_unsure || change.is_loss_unsure) {
        0 => String::new(),
        untold => format!(", {untold} changed in a way that cannot be told"),
    };
    let compared = counted(difference.compared, "rule");
    format!("{compared} compared: {widened} widened, {narrowed} narrowed{untold}.")
}

/// What the rule needed; with the condition, if its text changed.
fn was(change: &RuleChange) -> String {
    let needs = needs(change.old.as_deref());
    change.was_when.as_ref().map_or(needs.clone(), |when| format!("{needs} when {when}"))
}

fn is(change: &RuleChange) -> String {
    let needs = needs(change.new.as_deref());
    let when = change.was_when.as_ref().and(change.when.as_ref());
    when.map_or(needs.clone(), |when| format!("{needs} when {when}"))
}

/// What the rule needs, and which change of `[scopes]` changed it, for a cell of a table.
fn with_causes(change: &RuleChange) -> String {
    let mut text = is(change);
    for cause in &change.causes {
        text.push_str(&format!("; because {cause}"));
    }
    if !change.optional.is_empty() && change.more_with.is_none() {
        text.push_str(&format!("; answers more with {}", change.optional.join(", ")));
    }
    text
}

fn needs(described: Option<&str>) -> String {
    described.map_or("no rule: nobody".to_owned(), str::to_owned)
}

fn grants(grants: &Grants) -> String {
    let mut list: Vec<String> = grants.smallest.iter().map(ToString::to_string).collect();
    if grants.is_unknown() {
        return "not known: too many ways to try".to_owned();
    }
    if grants.is_cut {
        list.push("and more".to_owned());
    }
    if grants.anonymous {
        // Who needs no token needs no grant either.
        list.retain(|grant| *grant != super::Grant::default().to_string());
        list.push("no token at all".to_owned());
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
