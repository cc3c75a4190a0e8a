//! The command `policy show`: each tool, resource and prompt with its requirement and the line of
//! its rule.

use crate::{
    cli::{Deployment, Failure, Verdict},
    policy::{CompiledPolicy, Feature, Registry, matrix},
};

/// The columns that the table may take, because a terminal has at least as many.
const WIDTH: usize = 80;
/// The fewest columns that the needed scopes get, however long the names and places are.
const NARROWEST: usize = 20;

pub(super) fn show(deployment: &Deployment, registry: &Registry) -> Result<Verdict, Failure> {
    let policy = deployment.compile()?;
    out!("{}", table(&policy, registry));
    Ok(Verdict::Good)
}

/// A line of the table.
enum Line {
    Blank,
    /// The name, the needed scopes, and the place of the rule.
    Row([String; 3]),
    /// A sentence below a row.
    Note(String),
}

/// The table of all rules, with a heading for tools, one for resources and one for prompts.
///
/// `*` marks a rule with a condition and `+` one whose tool answers more to the holder of an optional
/// scope. The line below such a rule says more.
pub(in crate::cli) fn table(policy: &CompiledPolicy, registry: &Registry) -> String {
    let mut rules: Vec<_> = policy.rules().collect();
    rules.sort_by_key(|(feature, _, rule)| (*feature, rule.span().start));
    let mut lines = vec![];
    let (mut has_conditions, mut has_optional) = (false, false);
    for feature in Feature::ALL {
        let of = rules.iter().filter(|(other, ..)| *other == feature);
        for (number, (_, name, rule)) in of.enumerate() {
            if number == 0 {
                if !lines.is_empty() {
                    lines.push(Line::Blank);
                }
                lines.push(Line::Row([feature.word(), "needs", "rule"].map(str::to_owned)));
            }
            let place = |at: usize| policy.source().place(at);
            let mut needs = policy.needs(rule);
            let optional = registry.get(feature, name).map_or(&[][..], |one| one.optional());
            let signs = [(rule.has_conditions(), '*'), (!optional.is_empty(), '+')];
            let signs: String = signs.iter().filter(|(is, _)| *is).map(|(_, sign)| *sign).collect();
            if !signs.is_empty() {
                needs += &format!(" {signs}");
            }
            lines.push(Line::Row([(*name).to_owned(), needs, place(rule.span().start)]));
            for when in policy.conditional_needs(rule) {
                let asks = matrix::asks_more(when.condition, &when.needs);
                lines.push(Line::Note(format!("{asks} ({})", place(when.span.start))));
            }
            if !optional.is_empty() {
                lines.push(Line::Note(matrix::answers_more(optional)));
            }
            has_conditions |= rule.has_conditions();
            has_optional |= !optional.is_empty();
        }
    }
    if lines.is_empty() {
        lines.push(Line::Row(["tool", "needs", "rule"].map(str::to_owned)));
    }
    let mut text = lay_out(&lines);
    let legend = [(has_conditions, matrix::CONDITIONAL), (has_optional, matrix::OPTIONAL)];
    let legend: Vec<&str> = legend.iter().filter(|(is, _)| *is).map(|(_, said)| *said).collect();
    if !legend.is_empty() {
        text.push_str(&format!("\n  {}\n", legend.join("   ")));
    }
    text
}

/// The lines as text. Needed scopes and notes are broken where they would pass [`WIDTH`].
fn lay_out(lines: &[Line]) -> String {
    let width = |column: usize| {
        let rows = lines.iter().filter_map(|line| match line {
            Line::Row(row) => Some(row[column].chars().count()),
            _ => None,
        });
        rows.max().unwrap_or_default()
    };
    let (first, third) = (width(0), width(2));
    let left = WIDTH.saturating_sub(2 + first + 2 + 2 + third).max(NARROWEST);
    let second = width(1).min(left);
    let mut text = String::new();
    for line in lines {
        match line {
            Line::Blank => text.push('\n'),
            Line::Row([name, needs, place]) => {
                for (number, part) in wrap(needs, second, second).iter().enumerate() {
                    let (name, place) = if number == 0 { (&**name, &**place) } else { ("", "") };
                    let line = format!("  {name:first$}  {part:second$}  {place}");
                    text.push_str(line.trim_end());
                    text.push('\n');
                }
            }
            Line::Note(note) => {
                for (number, part) in wrap(note, WIDTH - 4, WIDTH - 6).iter().enumerate() {
                    text.push_str(if number == 0 { "    " } else { "      " });
                    text.push_str(part);
                    text.push('\n');
                }
            }
        }
    }
    text
}

/// Breaks a text at spaces into lines of at most `first` and then `others` characters. A word that is
/// longer than a line is broken too.
fn wrap(text: &str, first: usize, others: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let most = if lines.len() == 1 { first } else { others };
            let Some(line) = lines.last_mut() else { break };
            let used = line.chars().count();
            let gap = usize::from(used > 0);
            if used + gap + word.len() <= most {
                if gap > 0 {
                    line.push(' ');
                }
                line.extend(&word);
                break;
            }
            if used == 0 {
                line.extend(word.drain(..most.max(1).min(word.len())));
            }
            lines.push(String::new());
        }
    }
    if lines.len() > 1 && lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{CompiledPolicy, Declaration, Location, diagnostic::Source};

    static DECLARED: &[Declaration] = &[Declaration::new(
        Feature::Tool,
        "stats",
        &["a:read"],
        &["x:admin"],
        Location::new("a.rs", 1, 1),
    )];

    fn shown(rules: &str) -> String {
        let text = format!(
            "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n\
             \"a:read\" = \"R\"\n\"x:admin\" = \"X\"\n[tools]\n{rules}"
        );
        let policy = CompiledPolicy::compile(Source::new("policy.toml", text)).unwrap();
        table(&policy, &Registry::new(DECLARED))
    }

    #[test]
    fn nothing_is_wider_than_a_terminal() {
        let long = "x".repeat(200);
        let tags = format!("'{long}' in args.tags");
        let words = "args.public && args.to != claims.sub && ".repeat(6) + "args.n > 1";
        for condition in [&*tags, &*words, "args.x"] {
            let condition = format!("when = [{{ if = \"{condition}\", all_of = [\"x:admin\"] }}]");
            let text = shown(&format!("share = {{ read = \"a\", {condition} }}\n"));
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
            assert!(text.contains("a:read *") && text.contains("* when"), "{text}");
            assert!(text.ends_with("\n  * a condition asks for more\n"), "{text}");
        }
        let many: Vec<String> =
            (0..30).map(|_| "{ all_of = [\"a:read\", \"x:admin\"] }".into()).collect();
        let text = shown(&format!("many = {{ any_of = [{}] }}\n", many.join(", ")));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert_eq!(text.matches("a:read").count(), 30, "nothing is left out\n{text}");
    }

    #[test]
    fn a_rule_with_an_optional_scope_says_so_and_others_do_not() {
        let text = shown("stats = { read = \"a\" }\nother = { read = \"a\" }\n");
        assert!(text.contains("stats  a:read +"), "{text}");
        assert!(text.contains("    + answers more to a caller with x:admin\n"), "{text}");
        assert!(text.contains("other  a:read    "), "{text}");
        let text = shown("other = { read = \"a\" }\n");
        assert!(!text.contains('+') && !text.contains('*'), "{text}");
    }
}
