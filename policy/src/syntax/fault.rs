//! Says what is wrong with a statement that is not TOML, and repairs it where its meaning is certain.

use std::{cmp::Ordering, ops::Range};

use toml::de::DeTable;

use super::{
    is_toml,
    scan::{self, Token, closing},
};
use crate::shape;

/// What is wrong with a statement.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) span: Range<usize>,
    pub(super) label: String,
    pub(super) help: Option<String>,
    /// The text that is read in its place.
    pub(super) repaired: String,
    /// Whether its name could not be read.
    pub(super) is_lost: bool,
}

/// What is wrong, and the statements that may have been meant, the most likely first.
struct Cause {
    message: String,
    span: Range<usize>,
    label: &'static str,
    help: Option<String>,
    repairs: Vec<String>,
}

impl Cause {
    fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), span, label: "", help: None, repairs: vec![] }
    }

    fn label(self, label: &'static str) -> Self {
        Self { label, ..self }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    fn repair(mut self, repair: String) -> Self {
        self.repairs.push(repair);
        self
    }
}

/// What is wrong with the statement `text[range]`, which is not TOML.
pub(super) fn find(text: &str, range: Range<usize>) -> Fault {
    let statement = &text[range.clone()];
    let is_header = statement.trim_start().starts_with('[');
    let cause = if is_header { header(text, &range) } else { entry(text, &range) };
    let cause = cause.unwrap_or_else(|| as_the_parser_says(text, &range));
    let Cause { message, span, label, help, repairs } = cause;
    let (label, message) = (label.to_owned(), message);
    let certain = repairs.into_iter().find(|repair| is_toml(repair));
    let replaced = certain.or_else(|| placeholder(statement));
    let is_lost = replaced.is_none();
    let mut repaired = replaced.unwrap_or_default();
    repaired.push('\n');
    Fault { message, span, label, help, repaired, is_lost }
}

/// The first message of TOML's own parser.
fn as_the_parser_says(text: &str, range: &Range<usize>) -> Cause {
    let statement = &text[range.clone()];
    let (_, errors) = DeTable::parse_recoverable(statement);
    let first = errors.first();
    let message = first.map_or("not a key with a value", |error| error.message());
    let span = first.and_then(toml::de::Error::span).unwrap_or(0..0);
    let most = statement.trim_end().len();
    let span = range.start + span.start.min(most)..range.start + span.end.min(most);
    Cause::new(span, format!("invalid TOML: {message}"))
}

/// The key of the statement with a value that no key takes.
fn placeholder(statement: &str) -> Option<String> {
    let statement = statement.trim_start();
    let length = scan::key_length(statement);
    let is_entry = length > 0 && !statement.starts_with('[') && !statement[..length].contains('=');
    let placed = is_entry.then(|| format!("{} = 0", &statement[..length]))?;
    is_toml(&placed).then_some(placed)
}

/// What is wrong with a header.
fn header(text: &str, range: &Range<usize>) -> Option<Cause> {
    let line = &text[range.start..scan::line_end(text, range.start)];
    let start = range.start + (line.len() - line.trim_start().len());
    let line = line.trim();
    let opened = line.len() - line.trim_start_matches('[').len();
    let rest = &line[opened..];
    let length = scan::key_length(rest);
    if length == 0 {
        return None;
    }
    let name = rest[..length].trim();
    let after = rest[length..].trim_start();
    let closed = after.len() - after.trim_start_matches(']').len();
    let tail = after[closed..].trim_start();
    let right = format_header(name);
    let whole = start..start + opened + length;
    if !tail.is_empty() && !tail.starts_with('#') && closed > 0 {
        let at = start + line.len() - tail.len();
        return Some(
            Cause::new(at..start + line.len(), "this cannot stand in the line of a header")
                .help(format!("put it into a line of its own, below `{right}`"))
                .repair(right),
        );
    }
    let cause = match closed.cmp(&opened) {
        Ordering::Less => Cause::new(whole, "the header is not closed").label("begins here"),
        Ordering::Greater => {
            Cause::new(start..start + line.len(), "the header closes more than it opens")
        }
        Ordering::Equal => return None,
    };
    Some(cause.help(format!("write `{right}`")).repair(right))
}

/// The header of the table, in two brackets if there may be several of its name.
fn format_header(name: &str) -> String {
    let last = name.rsplit(['.', ' ']).next().unwrap_or(name);
    if shape::is_list_of_tables(last) { format!("[[{name}]]") } else { format!("[{name}]") }
}

/// What is wrong with a key and its value.
fn entry(text: &str, range: &Range<usize>) -> Option<Cause> {
    let statement = text[range.clone()].trim_end();
    let end = range.start + statement.len();
    let start = end - statement.trim_start().len();
    let statement = &text[start..end];
    let length = scan::key_length(statement);
    let Some(key) = statement.get(..length).filter(|key| !key.is_empty()) else {
        return without_key(text, start..end);
    };
    // An `=` in a quoted key stands there because the closing quote is missing.
    if key.starts_with(['"', '\''])
        && let Some((name, rest)) = statement.split_once('=')
        && name.len() < length
    {
        let (quote, name) = (&key[..1], name.trim_end());
        let cause = unclosed_string(start..start + name.len(), quote);
        return Some(cause.repair(format!("{name}{quote} ={rest}")));
    }
    // `""todo:read"`: a quote stands there twice.
    if let Some(name) = statement.strip_prefix("\"\"").filter(|_| length == 2)
        && name.starts_with(|c: char| c != '=' && !c.is_whitespace())
    {
        return Some(stray_quote(text, start).repair(format!("\"{name}")));
    }
    let rest = &statement[length..];
    let value = rest.trim_start_matches([' ', '\t']);
    let value_at = end - value.len();
    match value.chars().next() {
        Some('=') => {}
        Some(']') => return Some(header_without_opening(text, start)),
        Some(':') => return Some(colon(statement, start, length)),
        Some('"' | '\'') if rest.len() == value.len() => return Some(stray_quote(text, value_at)),
        _ => {
            let message = format!("`=` is missing after `{}`", key.trim());
            let cause = Cause::new(start..start + length, message)
                .help(format!("write `{} = …`", key.trim()));
            return Some(match value {
                "" => cause,
                value => cause.repair(format!("{key} = {value}")),
            });
        }
    }
    let first_line = value[1..].lines().next().unwrap_or_default().trim();
    if ["''", "\"\""].contains(&first_line) && value.contains('\n') {
        let at = value_at + value.find(['\'', '"']).unwrap_or(0);
        let quotes = first_line.repeat(2)[..3].to_owned();
        let message = "this string is empty, and text without quotes follows";
        return Some(
            Cause::new(at..at + 2, message)
                .help(format!("write {quotes} around a string of several lines")),
        );
    }
    value_fault(text, value_at + 1..end, key.trim(), start)
}

/// A statement that does not begin with a key.
fn without_key(text: &str, range: Range<usize>) -> Option<Cause> {
    let statement = &text[range.clone()];
    let first = statement.chars().next()?;
    let line = range.start..range.start + statement.lines().next().unwrap_or_default().len();
    match first {
        '"' | '\'' => Some(unclosed_string(line, &statement[..1])),
        '}' | ']' => Some(nothing_open(range.start, first)),
        '=' => Some(Cause::new(line, "the key before `=` is missing")),
        _ => None,
    }
}

/// `tools]`.
fn header_without_opening(text: &str, start: usize) -> Cause {
    let line = text[start..scan::line_end(text, start)].trim_end();
    let name = line.split(']').next().unwrap_or(line).trim();
    let right = format_header(name);
    Cause::new(start..start + line.len(), "the header does not begin with `[`")
        .help(format!("write `{right}`"))
        .repair(right)
}

/// `list: "step_up"`, or the scope `todo:read` without quotes.
fn colon(statement: &str, start: usize, length: usize) -> Cause {
    let rest = statement[length..].lines().next().unwrap_or_default();
    let name_end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
    let name = &statement[..length + name_end];
    let value = &statement[length + name_end..];
    if name.ends_with(':') {
        let key = &statement[..length];
        let at = start + length + rest.find(':').unwrap_or(0);
        return Cause::new(at..at + 1, "TOML has `=` between a key and its value, and not `:`")
            .help(format!("write `{key} = …`"))
            .repair(format!("{key} = {value}"));
    }
    let bare = name.trim_end_matches('"');
    Cause::new(
        start..start + name.len(),
        format!("`{bare}` must stand in quotes, because of its `:`"),
    )
    .help(format!("write `\"{bare}\"`"))
    .repair(format!("\"{bare}\"{value}"))
}

fn stray_quote(text: &str, at: usize) -> Cause {
    let quote = &text[at..=at];
    Cause::new(at..at + 1, format!("this {quote} is one too many, or its partner is missing"))
        .help(format!("remove it, or write the other {quote} as well"))
}

fn unclosed_string(span: Range<usize>, quote: &str) -> Cause {
    Cause::new(span, format!("the closing {quote} of this string is missing"))
        .label("begins here")
        .help(format!("write {quote} where the string ends"))
}

/// The statement with the string at `string` closed: before the brackets at the end of its line, or at
/// the end of the line.
fn closed_strings(
    text: &str,
    start: usize,
    string: &Range<usize>,
    end: usize,
    quote: &str,
) -> Vec<String> {
    let line = &text[string.clone()];
    let before_brackets = line.trim_end_matches([' ', '\t', '}', ']', ',']);
    [before_brackets.len(), line.len()]
        .into_iter()
        .map(|length| {
            let at = string.start + length;
            format!("{}{quote}{}", &text[start..at], &text[at..end])
        })
        .collect()
}

fn no_value(key: &str, span: Range<usize>) -> Cause {
    Cause::new(span, format!("`{key}` has no value")).help(format!("write `{key} = …`"))
}

fn nothing_open(at: usize, bracket: char) -> Cause {
    Cause::new(at..at + 1, format!("this `{bracket}` closes nothing"))
        .help("remove it, or write what it closes")
}

/// What came before a token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing, a comma or an opening bracket.
    Nothing,
    Equals,
    /// A key or a value, with the offsets of its start and its end.
    Item(usize, usize),
}

/// Walks through the value of `key`, and finds the first thing that cannot stand where it stands.
fn value_fault(text: &str, range: Range<usize>, key: &str, start: usize) -> Option<Cause> {
    let mut open: Vec<(char, usize)> = vec![];
    let mut before = Before::Equals;
    // Whether a key of an inline table was read, and its `=` not yet.
    let mut is_key = false;
    let missing_value = |name: &str, at: usize| no_value(name, at..at + 1);
    for (token, place) in scan::tokens(text, range.clone()) {
        let here = &text[place.clone()];
        let in_table = open.last().is_some_and(|(bracket, _)| *bracket == '{');
        match token {
            Token::NewLine if open.is_empty() && before == Before::Equals => {
                return Some(no_value(key, start..range.start));
            }
            Token::NewLine => {}
            Token::Text { is_closed: false, is_long } => {
                if let Before::Item(_, end) = before
                    && end == place.start
                {
                    return Some(stray_quote(text, place.start));
                }
                let quote = if is_long { &here[..3] } else { &here[..1] };
                return Some(unclosed_value(text, place, quote, start..range.end));
            }
            Token::Text { .. } | Token::Word | Token::Open(_) => {
                if let Before::Item(item, end) = before {
                    return Some(after_item(text, place, item..end, token, &open, is_key));
                }
                if let Token::Open(bracket) = token {
                    open.push((bracket, place.start));
                    (before, is_key) = (Before::Nothing, false);
                    continue;
                }
                let names = in_table && before == Before::Nothing;
                if token == Token::Word && !names && !is_toml(&format!("x = {here}")) {
                    return Some(bare_word(text, place));
                }
                if let Token::Text { is_long: true, .. } = token
                    && scan::swallows(text, place.clone())
                {
                    return Some(unclosed_string(
                        place.start..place.start + 3,
                        &text[place.start..place.start + 3],
                    ));
                }
                is_key = names;
                before = Before::Item(place.start, place.end);
            }
            Token::Equals => match before {
                Before::Item(..) if is_key => (before, is_key) = (Before::Equals, false),
                Before::Equals => {
                    return Some(
                        Cause::new(place, "this `=` is one too many").help("write one `=` only"),
                    );
                }
                Before::Item(..) | Before::Nothing => {
                    return Some(unexpected_equals(text, place, &open, start));
                }
            },
            Token::Comma => {
                let name = match before {
                    Before::Item(..) if !is_key => None,
                    Before::Item(..) => Some("a key"),
                    Before::Equals => Some(key),
                    Before::Nothing => {
                        return Some(
                            Cause::new(place, "this `,` is one too many").help("remove it"),
                        );
                    }
                };
                if let Some(name) = name {
                    return Some(missing_value(name, place.start));
                }
                if open.is_empty() {
                    return Some(comma_at_end(place, &text[start..range.end]));
                }
                before = Before::Nothing;
            }
            Token::Close(bracket) => match open.pop() {
                None => return Some(nothing_open(place.start, bracket)),
                Some((opened, at)) if closing(opened) != bracket => {
                    open.push((opened, at));
                    let mut repaired = text[start..range.end].to_owned();
                    repaired.insert(place.start - start, closing(opened));
                    return Some(not_closed(&[(opened, at)]).repair(repaired));
                }
                Some(_) if before == Before::Equals => {
                    return Some(missing_value("a key", place.start));
                }
                Some((_, at)) => (before, is_key) = (Before::Item(at, place.end), false),
            },
        }
    }
    if before == Before::Equals {
        return Some(no_value(key, start..range.end));
    }
    (!open.is_empty()).then(|| {
        let body = text[start..range.end].trim_end();
        let closers: String = open.iter().rev().map(|(opened, _)| closing(*opened)).collect();
        // Closed on a new line as well, because a comment may stand at the end of the last one.
        not_closed(&open).repair(format!("{body} {closers}")).repair(format!("{body}\n{closers}"))
    })
}

/// A string in a value that is not closed.
fn unclosed_value(text: &str, place: Range<usize>, quote: &str, statement: Range<usize>) -> Cause {
    let end = place.end.min(scan::line_end(text, place.start));
    let line = place.start..place.start + text[place.start..end].trim_end().len();
    let repairs = closed_strings(text, statement.start, &line, statement.end, quote);
    Cause { repairs, ..unclosed_string(line, quote) }
}

/// A `,` behind a value that stands in no list and in no table.
fn comma_at_end(place: Range<usize>, statement: &str) -> Cause {
    Cause::new(place, "a value ends with its line, without `,`")
        .help("remove the `,`")
        .repair(statement.trim_end().trim_end_matches(',').to_owned())
}

/// Something that follows a value without a `,`.
fn after_item(
    text: &str,
    place: Range<usize>,
    item: Range<usize>,
    token: Token,
    open: &[(char, usize)],
    is_key: bool,
) -> Cause {
    let (end, before) = (item.end, &text[item.clone()]);
    if end == place.start && before.ends_with(['"', '\'']) {
        // A string with `=` or `,` in it is most likely text between two other strings.
        if before.contains([',', '=']) {
            return unclosed_string(item, &before[..1]);
        }
        // `""step_up"`: the string before is empty, because a quote stands there twice.
        return stray_quote(text, if before.len() == 2 { end - 2 } else { end - 1 });
    }
    if end == place.start && matches!(token, Token::Text { .. }) {
        return stray_quote(text, place.start);
    }
    if is_key {
        let key = before;
        return Cause::new(item, format!("`=` is missing after `{key}`"))
            .help(format!("write `{key} = …`"));
    }
    match open.last() {
        None => Cause::new(place, "this stands after the end of the value")
            .help("a value ends with its line; put a comment behind `#`"),
        Some(_) => Cause::new(place, "a `,` is missing before this").help("write `,` between them"),
    }
}

/// A word where a value must stand.
fn bare_word(text: &str, place: Range<usize>) -> Cause {
    let word = &text[place.clone()];
    if word.contains(['“', '”', '„', '‘', '’']) {
        return Cause::new(place, "these are not the quotes of TOML").help("write \"…\"");
    }
    let lower = word.to_ascii_lowercase();
    let cause = Cause::new(place, format!("`{word}` is not a value"));
    if ["true", "false"].contains(&lower.as_str()) {
        return cause.help(format!("write `{lower}`"));
    }
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return cause.help("write a whole number, or put it into quotes");
    }
    cause.help(format!("put a string into quotes: \"{word}\""))
}

/// An `=` that belongs to the next entry, because a bracket or a quote before it is missing.
fn unexpected_equals(
    text: &str,
    place: Range<usize>,
    open: &[(char, usize)],
    start: usize,
) -> Cause {
    let line = text[..place.start].rfind('\n').map_or(0, |newline| newline + 1);
    match open.last() {
        Some((_, at)) if *at < line => {
            let body = text[start..line.max(start)].trim_end();
            let closers: String = open.iter().rev().map(|(opened, _)| closing(*opened)).collect();
            not_closed(open).repair(format!("{body} {closers}"))
        }
        Some(('[', _)) => Cause::new(place, "a list has values, and no keys")
            .help("write the key and its value in a table: `{ key = value }`"),
        _ => Cause::new(place, "a second `=` cannot stand in this line")
            .help("each key stands in a line of its own; a string stands in quotes"),
    }
}

/// Brackets that are not closed: reported where the outermost one begins.
fn not_closed(open: &[(char, usize)]) -> Cause {
    let (first, at) = open.first().copied().unwrap_or(('{', 0));
    let closers: String = open.iter().rev().map(|(opened, _)| closing(*opened)).collect();
    let what = if first == '{' { "table" } else { "list" };
    Cause::new(at..at + 1, format!("this {what} is not closed"))
        .label("begins here")
        .help(format!("write `{closers}` where it ends"))
}
