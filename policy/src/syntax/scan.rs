//! Splits a text into statements by its quotes and brackets, and finds where reading can go on after
//! a statement that does not end.

use std::ops::Range;

/// How far a statement goes, if its quotes and brackets are taken as they stand.
pub(super) struct Extent {
    /// After the end of its last line.
    pub(super) end: usize,
    /// Whether every quote and bracket has its partner.
    pub(super) is_closed: bool,
}

/// One part of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// A string; whether it is closed, and whether it may have several lines.
    Text {
        is_closed: bool,
        is_long: bool,
    },
    Open(char),
    Close(char),
    Comma,
    Equals,
    /// A run of other characters: a bare key, a number, a word.
    Word,
    NewLine,
}

/// The offset after the line that `at` is in.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1)
}

/// The parts of `text[range]`, each with its place; spaces and comments are left out.
pub(super) fn tokens(
    text: &str,
    range: Range<usize>,
) -> impl Iterator<Item = (Token, Range<usize>)> {
    let mut at = range.start;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(at..range.end)?;
            let start = at;
            let first = rest.chars().next()?;
            let token = match first {
                '\n' => Token::NewLine,
                c if c.is_whitespace() => {
                    at += c.len_utf8();
                    continue;
                }
                '#' => {
                    at += rest.find('\n').unwrap_or(rest.len());
                    continue;
                }
                '"' | '\'' => {
                    let (length, token) = string(rest, first);
                    at += length;
                    return Some((token, start..at));
                }
                '{' | '[' => Token::Open(first),
                '}' | ']' => Token::Close(first),
                ',' => Token::Comma,
                '=' => Token::Equals,
                _ => {
                    let ends = |c: char| c.is_whitespace() || "#\"'{}[],=".contains(c);
                    at += rest.find(ends).unwrap_or(rest.len());
                    return Some((Token::Word, start..at));
                }
            };
            at += first.len_utf8();
            return Some((token, start..at));
        }
    })
}

/// The length of the string that `rest` begins with. An unclosed one goes to the end of its line, or
/// of the text if it may have several lines.
fn string(rest: &str, quote: char) -> (usize, Token) {
    let triple = if quote == '"' { "\"\"\"" } else { "'''" };
    let is_long = rest.starts_with(triple);
    let opening = if is_long { 3 } else { 1 };
    let mut is_escaped = false;
    for (offset, c) in rest[opening..].char_indices() {
        let here = opening + offset;
        // Not even behind a backslash does such a string go on in the next line.
        if !is_long && c == '\n' {
            return (here, Token::Text { is_closed: false, is_long });
        } else if is_escaped {
            is_escaped = false;
        } else if c == '\\' && quote == '"' {
            is_escaped = true;
        } else if is_long && rest[here..].starts_with(triple) {
            // Up to two quotes may stand before the closing ones.
            let more = rest[here + 3..].chars().take(2).take_while(|c| *c == quote).count();
            return (here + 3 + more, Token::Text { is_closed: true, is_long });
        } else if !is_long && c == quote {
            return (here + 1, Token::Text { is_closed: true, is_long });
        }
    }
    (rest.len(), Token::Text { is_closed: false, is_long })
}

/// How far the statement that begins at `at` goes.
pub(super) fn extent(text: &str, at: usize) -> Extent {
    let mut open: Vec<char> = vec![];
    for (token, place) in tokens(text, at..text.len()) {
        let is_broken = match token {
            Token::Text { is_closed, .. } => !is_closed,
            Token::Open(bracket) => {
                open.push(bracket);
                false
            }
            Token::Close(bracket) => open.pop().is_none_or(|opened| closing(opened) != bracket),
            Token::NewLine if open.is_empty() => {
                return Extent { end: place.end, is_closed: true };
            }
            _ => false,
        };
        if is_broken {
            return Extent { end: line_end(text, place.start), is_closed: false };
        }
    }
    Extent { end: text.len(), is_closed: open.is_empty() }
}

/// The bracket that closes `opened`.
pub(super) fn closing(opened: char) -> char {
    if opened == '{' { '}' } else { ']' }
}

/// Whether a string of several lines ends where another one was meant to begin: its last line is
/// `key = '''`.
pub(super) fn swallows(text: &str, range: Range<usize>) -> bool {
    tokens(text, range).any(|(token, place)| {
        let Token::Text { is_long: true, .. } = token else { return false };
        let inner = &text[place];
        let inner = inner.get(3..inner.len().saturating_sub(3)).unwrap_or_default();
        let last = inner.rsplit_once('\n').map_or("", |(_, last)| last);
        key_value(&format!("{last}0")).is_some_and(|value| value.trim() == "0")
    })
}

/// Where reading goes on after a broken statement that begins at `at`: at the next line that begins
/// a statement. A line that is indented further belongs to the broken one.
pub(super) fn resume(text: &str, at: usize, extent: &Extent) -> usize {
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let first = &text[at..line_end(text, at)];
    let base = indent(first);
    let is_header = first.trim_start().starts_with('[');
    let opens = |line: &str| {
        let line = line.split('#').next().unwrap_or_default().trim_end();
        line.ends_with(['{', '['])
    };
    let is_layout_long = opens(first);
    let mut before = first;
    let mut next = line_end(text, at);
    // A statement whose brackets are all closed ends at its end, or before, unless it has no value.
    let is_empty = |value: &str| value.trim().is_empty() || is_empty_string(first);
    let is_closed = extent.is_closed && !key_value(first).is_some_and(is_empty);
    let last = if is_closed { extent.end } else { text.len() };
    while next < last {
        let end = line_end(text, next);
        let line = &text[next..end];
        let goes_on = is_layout_long && (opens(before) || before.trim_end().ends_with(','));
        if is_header
            || looks_like_header(line)
            || (indent(line) <= base && !goes_on && looks_like_entry(line))
        {
            return next;
        }
        if !line.trim().is_empty() {
            before = line;
        }
        next = end;
    }
    last.max(line_end(text, at))
}

/// Whether the value of a statement is an empty string in one line.
pub(super) fn is_empty_string(statement: &str) -> bool {
    key_value(statement).is_some_and(|value| ["''", "\"\""].contains(&value.trim()))
}

/// Whether the line at `at` is neither blank, nor a comment, nor the start of a statement.
pub(super) fn is_text(text: &str, at: usize) -> bool {
    let line = &text[at..line_end(text, at)];
    let is_nothing = line.trim().is_empty() || line.trim_start().starts_with('#');
    !is_nothing && !looks_like_header(line) && !looks_like_entry(line)
}

/// Whether a line is a header, even one whose bracket is missing.
fn looks_like_header(line: &str) -> bool {
    let line = line.trim_start();
    let Some(name) = line.strip_prefix("[[").or(line.strip_prefix('[')) else { return false };
    let name = name.split('#').next().unwrap_or_default().trim();
    let inner = name.trim_end_matches(']').trim();
    inner.starts_with(|c: char| c.is_ascii_alphabetic())
        && !inner.contains([',', '=', '{', '['])
        && key_length(inner) == inner.len()
}

/// Whether a line begins with a key and `=`. A comparison in a condition of several lines does not
/// count.
fn looks_like_entry(line: &str) -> bool {
    let line = line.trim_start();
    let is_condition = ["args.", "claims."].iter().any(|start| line.starts_with(start));
    !is_condition && key_value(line).is_some_and(|value| !value.starts_with('='))
}

/// The text after `key =`, if the line begins so.
fn key_value(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let rest = line[key_length(line)..].trim_start();
    if key_length(line) == 0 { None } else { rest.strip_prefix('=') }
}

/// The length of the key that `text` begins with, with the parts of a dotted one; 0 if there is none.
pub(super) fn key_length(text: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let spaces = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let part = &rest[spaces..];
        let quote = part.chars().next().filter(|first| ['"', '\''].contains(first));
        let length = if let Some(quote) = quote {
            let (length, token) = string(part, quote);
            let is_whole = token == Token::Text { is_closed: true, is_long: false };
            if is_whole { length } else { 0 }
        } else {
            let ends = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-';
            part.find(ends).unwrap_or(part.len())
        };
        if length == 0 {
            return 0;
        }
        at += spaces + length;
        let rest = text[at..].trim_start_matches([' ', '\t']);
        if !rest.starts_with('.') {
            return at;
        }
        at = text.len() - rest.len() + 1;
    }
}

/// Whether the offset stands in a line that is a header.
pub(super) fn is_in_header(text: &str, at: usize) -> bool {
    let start = text[..text.floor_char_boundary(at)].rfind('\n').map_or(0, |newline| newline + 1);
    looks_like_header(&text[start..line_end(text, start)])
}

/// The start of the first header after the line of `at`, or the end of the text.
pub(super) fn next_header(text: &str, at: usize) -> usize {
    let mut next = line_end(text, text.floor_char_boundary(at));
    while next < text.len() && !looks_like_header(&text[next..line_end(text, next)]) {
        next = line_end(text, next);
    }
    next
}
