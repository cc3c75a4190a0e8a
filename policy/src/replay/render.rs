//! Writes what a replay has found: as text, as Markdown for a pull request, and as JSON.

use serde_json::{Value, json};

use super::{Found, Group, Replayed};
use crate::{Feature, diagnostic::counted};

/// The groups that the texts show of each kind; JSON has all.
const MOST_SHOWN: usize = 50;

/// The findings as plain text.
pub fn text(replayed: &Replayed) -> String {
    let mut text = format!("{}\n", summary(replayed));
    for (title, found) in kinds(replayed) {
        if found.calls == 0 {
            continue;
        }
        text.push_str(&format!("\n{title}\n"));
        for ((feature, name, missing), group) in found.groups.iter().take(MOST_SHOWN) {
            let (name, calls) = (shown(*feature, name), counted(group.calls, "call"));
            text.push_str(&format!("  {name}: {calls}, {}\n", between(group)));
            if !missing.is_empty() {
                text.push_str(&format!("    missing  {}\n", missing.join(", ")));
            }
            text.push_str(&format!("    by       {}\n", who(group)));
        }
        text.push_str(&further(found, ""));
    }
    text
}

/// The findings in GitHub's Markdown.
pub fn markdown(replayed: &Replayed) -> String {
    let mut text = format!("### Whom the change would have hit\n\n{}\n", summary(replayed));
    for (title, found) in kinds(replayed) {
        if found.calls == 0 {
            continue;
        }
        text.push_str(&format!("\n**{title}**\n\n| | calls | missing | by | first | last |\n"));
        text.push_str("|---|---|---|---|---|---|\n");
        for ((feature, name, missing), group) in found.groups.iter().take(MOST_SHOWN) {
            text.push_str(&format!(
                "| {} | {} | {} | {} | {} | {} |\n",
                cell(&shown(*feature, name)),
                group.calls,
                cell(&missing.join(", ")),
                cell(&who(group)),
                cell(&group.first),
                cell(&group.last),
            ));
        }
        text.push_str(&further(found, "\n"));
    }
    text
}

/// The findings as JSON.
pub fn json(replayed: &Replayed) -> String {
    let groups = |found: &Found| -> Value {
        let each = found.groups.iter().map(|((feature, name, missing), group)| {
            json!({
                (feature.word()): name,
                "missing": missing,
                "calls": group.calls,
                "first": group.first,
                "last": group.last,
                "subjects": group.subjects,
                "clients": group.clients,
                "more": group.has_more,
            })
        });
        json!({
            "calls": found.calls,
            "groups": each.collect::<Vec<_>>(),
            "ungrouped": found.ungrouped,
        })
    };
    let document = json!({
        "calls": replayed.calls,
        "first": replayed.first,
        "last": replayed.last,
        "newly_refused": groups(&replayed.newly_refused),
        "newly_allowed": groups(&replayed.newly_allowed),
        "cannot_be_told": groups(&replayed.cannot_tell),
    });
    format!("{document:#}\n")
}

fn kinds(replayed: &Replayed) -> [(&'static str, &Found); 3] {
    [
        ("newly refused", &replayed.newly_refused),
        ("newly allowed", &replayed.newly_allowed),
        ("cannot be told", &replayed.cannot_tell),
    ]
}

fn summary(replayed: &Replayed) -> String {
    let calls = counted(replayed.calls, "recorded call");
    if replayed.calls == 0 {
        return format!("{calls}: nothing to replay.");
    }
    let counts = kinds(replayed).map(|(title, found)| format!("{} {title}", found.calls));
    format!("{calls}, {} to {}: {}.", replayed.first, replayed.last, counts.join(", "))
}

fn shown(feature: Feature, name: &str) -> String {
    let name: String = name.escape_debug().collect();
    if feature == Feature::Prompt { format!("prompt {name}") } else { name }
}

fn between(group: &Group) -> String {
    if group.first == group.last {
        group.first.clone()
    } else {
        format!("{} to {}", group.first, group.last)
    }
}

/// Who made the calls, and through which clients. Callers chose some of the names, so that each is
/// shown escaped.
fn who(group: &Group) -> String {
    let escaped = |name: &str| name.escape_debug().to_string();
    let subjects = group.subjects.iter().map(|(subject, calls)| match subject.as_str() {
        "" => format!("callers without a token ({calls})"),
        subject => format!("{} ({calls})", escaped(subject)),
    });
    let mut text = subjects.collect::<Vec<_>>().join(", ");
    if !group.clients.is_empty() {
        let clients: Vec<String> = group.clients.iter().map(|client| escaped(client)).collect();
        text.push_str(&format!(", through {}", clients.join(", ")));
    }
    if group.has_more {
        text.push_str(", and others");
    }
    text
}

fn further(found: &Found, before: &str) -> String {
    let hidden = found.groups.values().skip(MOST_SHOWN).map(|group| group.calls).sum::<u64>();
    match hidden + found.ungrouped {
        0 => String::new(),
        more => format!("{before}  and {} more\n", counted(more, "call")),
    }
}

/// A text in the cell of a table: `|` and the end of a line would end the cell.
fn cell(text: &str) -> String {
    text.replace('`', "'").replace('|', "\\|").replace(['\n', '\r'], " ")
}
