//! Says what is wrong with a condition that is not CEL: the operators of other languages, and quotes
//! and brackets without a partner.

use std::ops::Range;

use super::fault::ConditionFault;

/// A part of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// A string; whether it is closed.
    Text(bool),
    /// A name, a word, or a number.
    Word,
    /// A character, or several that belong together.
    Sign,
}

#[derive(Debug, Clone)]
struct Part<'t> {
    token: Token,
    text: &'t str,
    at: Range<usize>,
}

/// What the words of other languages are in CEL.
const WORDS: &[(&str, &str)] = &[("and", "&&"), ("or", "||")];
/// What the signs of other languages are in CEL.
const SIGNS: &[(&str, &str)] = &[
    ("=", "=="),
    ("&", "&&"),
    ("|", "||"),
    ("===", "=="),
    ("!==", "!="),
    ("<>", "!="),
    ("=<", "<="),
    ("=>", ">="),
];
/// The signs of CEL that have more than one character.
const LONG_SIGNS: &[&str] = &["===", "!==", "==", "!=", "<=", ">=", "&&", "||", "<>", "=<", "=>"];

/// Finds the first mistake that the words, signs, quotes and brackets show.
pub(super) fn find(text: &str) -> Option<ConditionFault> {
    let parts = parts(text);
    let mut open: Vec<&Part<'_>> = vec![];
    let mut operators: Option<ConditionFault> = None;
    for (index, part) in parts.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| parts.get(index));
        let next = parts.get(index + 1);
        let found = match part.token {
            Token::Text(true) => None,
            Token::Text(false) => Some(unclosed(part)),
            Token::Word => word(text, &parts, index, before, next),
            Token::Sign => match part.text {
                "(" | "[" | "{" => {
                    open.push(part);
                    None
                }
                ")" | "]" | "}" => bracket(part, open.pop()),
                sign => SIGNS.iter().find(|(wrong, _)| *wrong == sign).map(|(wrong, right)| {
                    let message = format!("`{wrong}` is not an operator of a condition");
                    ConditionFault::new(part.at.clone(), message).replace_by(right)
                }),
            },
        };
        match (found, &mut operators) {
            (Some(fault), None) if fault.fix.is_some() => operators = Some(fault),
            // `is not` is one operator.
            (Some(fault), Some(first)) if first.covers(&fault) => {}
            (Some(fault), Some(first)) if fault.fix.is_some() => first.also(part.text, fault),
            (None, _) => {}
            (Some(fault), None) => return Some(fault),
            // What is wrong after a wrong operator may be a consequence of it.
            (Some(_), Some(_)) => break,
        }
    }
    if operators.is_some() {
        return operators;
    }
    open.pop().map(|part| {
        let message = format!("this `{}` is not closed", part.text);
        ConditionFault::new(part.at.clone(), message)
            .help(format!("write `{}` where it ends", closing(part.text)))
    })
}

/// The first thing at or after `at`, where the parser stopped, or the last thing before.
pub(super) fn stopped_at(text: &str, at: usize) -> ConditionFault {
    let parts = parts(text);
    if let Some(part) = parts.iter().find(|part| part.at.end > at) {
        let message = format!("`{}` cannot stand here in a condition", part.text);
        return ConditionFault::new(part.at.clone(), message)
            .help("a condition compares fields of `args` and `claims`: `args.done == true`");
    }
    match parts.last() {
        Some(part) => {
            let after = part.text;
            let message =
                format!("the condition ends too early: something is missing after `{after}`");
            ConditionFault::new(part.at.clone(), message)
        }
        None => ConditionFault::new(0..0, "the condition is empty"),
    }
}

fn closing(opening: &str) -> &'static str {
    match opening {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

fn bracket(part: &Part<'_>, opened: Option<&Part<'_>>) -> Option<ConditionFault> {
    match opened {
        None => Some(
            ConditionFault::new(part.at.clone(), format!("this `{}` closes nothing", part.text))
                .help("remove it, or write what it closes"),
        ),
        Some(opened) if closing(opened.text) != part.text => Some(
            ConditionFault::new(opened.at.clone(), format!("this `{}` is not closed", opened.text))
                .help(format!("write `{}` where it ends", closing(opened.text))),
        ),
        Some(_) => None,
    }
}

fn unclosed(part: &Part<'_>) -> ConditionFault {
    let quote = if part.text.contains('"') && !part.text.starts_with('\'') { '"' } else { '\'' };
    ConditionFault::new(part.at.clone(), format!("the closing {quote} of this text is missing"))
        .help(format!(
            "write {quote} where it ends; in a text write \\{quote} for the quote itself"
        ))
}

/// A word of another language. A field may have any name, so a word after `.` is not looked at.
fn word(
    text: &str,
    parts: &[Part<'_>],
    index: usize,
    before: Option<&Part<'_>>,
    next: Option<&Part<'_>>,
) -> Option<ConditionFault> {
    let part = parts.get(index)?;
    if before.is_some_and(|before| before.text == ".") || next.is_some_and(|next| next.text == ".")
    {
        return None;
    }
    let lower = part.text.to_ascii_lowercase();
    let message = format!("`{}` is not an operator of a condition", part.text);
    let fault = ConditionFault::new(part.at.clone(), message);
    if let Some((_, right)) = WORDS.iter().find(|(wrong, _)| *wrong == lower) {
        return Some(fault.replace_by(right));
    }
    match &*lower {
        "not" => Some(not(parts, index, fault)),
        "is" => {
            let is_not = next.is_some_and(|next| next.text.eq_ignore_ascii_case("not"));
            let right = if is_not { "!=" } else { "==" };
            let end = next.filter(|_| is_not).map_or(part.at.end, |next| next.at.end);
            Some(ConditionFault { span: part.at.start..end, ..fault }.replace_by(right))
        }
        "in" => next.and_then(|next| list_after_in(text, parts, index + 1, next)),
        "in_" | "like" | "between" | "contains" | "startswith" | "endswith"
            if next.is_some_and(|next| next.token == Token::Text(true)) =>
        {
            Some(
                fault.help(
                    "write `args.name.contains('x')`, `.startsWith('x')` or `.endsWith('x')`",
                ),
            )
        }
        _ => None,
    }
}

/// `not`: the same as `!` before a field, a call or a bracket. Before a comparison `!` means something
/// else, because it binds closer.
fn not(parts: &[Part<'_>], index: usize, fault: ConditionFault) -> ConditionFault {
    let not_in = parts.get(index + 1).is_some_and(|next| next.text.eq_ignore_ascii_case("in"));
    if not_in {
        return fault.help("write `!(args.x in […])` for `args.x not in […]`");
    }
    let mut depth = 0_usize;
    let after = parts.iter().skip(index + 1).find(|part| {
        match part.text {
            "(" | "[" => depth += 1,
            ")" | "]" if depth > 0 => {
                depth -= 1;
                return false;
            }
            _ => {}
        }
        let is_end = matches!(part.text, "&&" | "||" | ")" | "]" | "," | "?" | ":" | "&" | "|")
            || ["and", "or"].contains(&&*part.text.to_ascii_lowercase());
        let is_comparison = ["==", "!=", "<", ">", "<=", ">=", "=", "in", "is", "===", "+", "-"];
        depth == 0 && (is_end || is_comparison.contains(&part.text))
    });
    let is_whole = after.is_none_or(|part| {
        matches!(part.text, "&&" | "||" | ")" | "]" | "," | "?" | ":" | "&" | "|")
            || ["and", "or"].contains(&&*part.text.to_ascii_lowercase())
    });
    match parts.get(index + 1) {
        Some(next) if is_whole => {
            let span = fault.span.start..next.at.start;
            fault.fix("write `!`".to_owned(), vec![(span, "!".to_owned())])
        }
        _ => fault.help(
            "write `!( … )` around what is negated, because `!` binds closer than a comparison",
        ),
    }
}

/// `x in ('a', 'b')`: a list stands in `[ ]`.
fn list_after_in(
    text: &str,
    parts: &[Part<'_>],
    index: usize,
    opening: &Part<'_>,
) -> Option<ConditionFault> {
    if !["(", "{"].contains(&opening.text) {
        return None;
    }
    let mut depth = 0_usize;
    let mut has_comma = false;
    for part in parts.get(index..)? {
        match part.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            "," if depth == 1 => has_comma = true,
            ":" if depth == 1 && opening.text == "{" => return None,
            _ => {}
        }
        if depth > 0 {
            continue;
        }
        if opening.text == "(" && !has_comma || part.text != closing(opening.text) {
            return None;
        }
        let inner = text.get(opening.at.end..part.at.start)?;
        let fault =
            ConditionFault::new(opening.at.start..part.at.end, "a list stands in `[ ]`".to_owned());
        let edits = vec![(opening.at.clone(), "[".to_owned()), (part.at.clone(), "]".to_owned())];
        return Some(fault.fix(format!("write `[{inner}]`"), edits));
    }
    None
}

/// The parts of a condition, without spaces and comments.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = vec![];
    let mut at = 0;
    while let Some(rest) = text.get(at..)
        && let Some(first) = rest.chars().next()
    {
        let start = at;
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        // `r'…'` and `b"…"` are strings as well.
        let prefix = &rest[..word];
        let is_prefix = word <= 2 && prefix.chars().all(|c| "rRbB".contains(c));
        let after = rest[word..].chars().next();
        let token = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        } else if is_prefix && after.is_some_and(|c| "'\"".contains(c)) {
            let is_raw = prefix.contains(['r', 'R']);
            let (length, is_closed) = string(&rest[word..], is_raw);
            at += word + length;
            Token::Text(is_closed)
        } else if word > 0 {
            at += word;
            Token::Word
        } else {
            let long = LONG_SIGNS.iter().find(|sign| rest.starts_with(**sign));
            at += long.map_or(first.len_utf8(), |sign| sign.len());
            Token::Sign
        };
        parts.push(Part { token, text: &text[start..at], at: start..at });
    }
    parts
}

/// The length of the string that `rest` begins with, and whether it is closed. An unclosed one ends
/// with its line.
fn string(rest: &str, is_raw: bool) -> (usize, bool) {
    let quote = &rest[..1];
    let triple = quote.repeat(3);
    let delimiter = if rest.starts_with(&triple) { &*triple } else { quote };
    let mut is_escaped = false;
    for (offset, c) in rest[delimiter.len()..].char_indices() {
        let here = delimiter.len() + offset;
        if is_escaped {
            is_escaped = false;
        } else if c == '\\' && !is_raw {
            is_escaped = true;
        } else if rest[here..].starts_with(delimiter) {
            return (here + delimiter.len(), true);
        } else if c == '\n' && delimiter.len() == 1 {
            return (here, false);
        }
    }
    (rest.trim_end().len(), false)
}
