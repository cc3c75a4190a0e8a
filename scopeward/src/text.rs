//! Shows a text that somebody else wrote, such as a caller's subject or a tool's name: as one thing,
//! and without characters that change how the rest of a line reads.
//!
//! A name may hold controls that write to a terminal, marks that turn the direction of a line round
//! (U+202E), separators that begin a new line in some viewers (U+2028), and characters that are not
//! seen at all (U+200B). So a name could look like another name, or like a record of its own.

use std::fmt::{self, Write};

/// A text in quotes, in which every character that is not seen, or that changes how a line reads, is
/// escaped as in a Rust string.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quoted<'t> {
    text: &'t str,
    quote: char,
}

/// Shows a text in quotes. The result is one line.
pub(crate) fn quoted(text: &str) -> Quoted<'_> {
    Quoted { text, quote: '"' }
}

/// Shows a text in backticks, as messages show a name. The result is one line.
pub(crate) fn in_backticks(text: &str) -> Quoted<'_> {
    Quoted { text, quote: '`' }
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char(self.quote)?;
        for one in self.text.chars() {
            if one == self.quote || one == '\\' {
                f.write_char('\\')?;
            }
            write_seen(f, one)?;
        }
        f.write_char(self.quote)
    }
}

/// A text without quotes, in which every character that is not seen is escaped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Escaped<'t>(&'t str);

/// Shows a text on one line, where something else says where it ends.
pub(crate) fn escaped(text: &str) -> Escaped<'_> {
    Escaped(text)
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|one| write_seen(f, one))
    }
}

/// Writes a character so that it is seen.
fn write_seen(f: &mut fmt::Formatter<'_>, one: char) -> fmt::Result {
    match one {
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        hidden if is_hidden(hidden) => write!(f, "\\u{{{:x}}}", u32::from(hidden)),
        seen => f.write_char(seen),
    }
}

/// A text that is shown as it is if it is a plain word, and otherwise in quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'t>(&'t str);

/// Shows a plain word as it is, and every other text in quotes. Use it in columns and in `name=value`.
pub(crate) fn shown(text: &str) -> Shown<'_> {
    Shown(text)
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain_word(self.0) { f.write_str(self.0) } else { quoted(self.0).fmt(f) }
    }
}

/// Whether a text cannot be taken for anything but one value. A `-` alone stands for no value, and
/// `=` would make a value look like a field.
fn is_plain_word(text: &str) -> bool {
    let is_plain = |one: char| {
        (one.is_alphanumeric() || "._:@/+-~%{}*#?&|(),;!$".contains(one)) && !is_hidden(one)
    };
    !text.is_empty() && text != "-" && text.chars().all(is_plain)
}

/// Whether a character is not seen, is a space that is not U+0020, or changes the direction or the
/// line of what follows.
fn is_hidden(one: char) -> bool {
    is_unseen(one) || (one.is_whitespace() && one != ' ')
}

/// Whether a character controls, reorders or fills text and is not seen itself (UTS 39, section 5).
pub(crate) fn is_unseen(one: char) -> bool {
    one.is_control()
        || matches!(
            one,
            '\u{ad}' // soft hyphen
                | '\u{34f}' // combining grapheme joiner
                | '\u{61c}' // Arabic letter mark
                | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers
                | '\u{17b4}' | '\u{17b5}' // Khmer vowels that are not seen
                | '\u{180b}'..='\u{180f}' // Mongolian selectors
                | '\u{200b}'..='\u{200f}' // zero width, marks of direction
                | '\u{2028}'..='\u{202e}' // separators of lines and paragraphs, embeddings, overrides
                | '\u{2060}'..='\u{206f}' // word joiner, isolates, deprecated format characters
                | '\u{2800}' // blank Braille pattern
                | '\u{fe00}'..='\u{fe0f}' // variation selectors
                | '\u{feff}' // byte order mark
                | '\u{fff0}'..='\u{fffb}' // annotations
                | '\u{1bca0}'..='\u{1bca3}' // shorthand format
                | '\u{1d173}'..='\u{1d17a}' // musical format
                | '\u{e0000}'..='\u{e0fff}' // tags, and further variation selectors
                | '\u{e000}'..='\u{f8ff}' // private use
                | '\u{f0000}'..='\u{10ffff}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_changes_a_line_is_escaped() {
        for (text, expected) in [
            ("create_todo", r#""create_todo""#),
            ("a \"b\" \\", r#""a \"b\" \\""#),
            ("a\nb\r\tc", r#""a\nb\r\tc""#),
            ("\u{1b}[31mred", r#""\u{1b}[31mred""#),
            ("adm\u{202e}nimda", r#""adm\u{202e}nimda""#),
            ("\u{61c}\u{200e}\u{200f}", r#""\u{61c}\u{200e}\u{200f}""#),
            ("\u{85}\u{2028}\u{2029}", r#""\u{85}\u{2028}\u{2029}""#),
            ("\u{200b}\u{200d}\u{2060}\u{feff}", r#""\u{200b}\u{200d}\u{2060}\u{feff}""#),
            ("\u{2066}\u{2069}\u{e0041}", r#""\u{2066}\u{2069}\u{e0041}""#),
            ("Żółć 名", "\"Żółć 名\""),
            ("", r#""""#),
        ] {
            assert_eq!(quoted(text).to_string(), expected);
        }
        assert_eq!(in_backticks("a`b\u{202e}\"").to_string(), "`a\\`b\\u{202e}\"`");
    }

    #[test]
    fn a_plain_word_has_no_quotes() {
        for plain in ["create_todo", "auth0|123", "note://items/{id}", "ada@example.com", "名"] {
            assert_eq!(shown(plain).to_string(), plain);
        }
        for other in ["", "-", "a b", "missing=todo:write", "a\"b", "a\u{200b}b", "a\u{a0}b"] {
            assert_eq!(shown(other).to_string(), quoted(other).to_string());
        }
    }

    proptest! {
        /// Every text is one line of characters that are seen, and different texts are shown
        /// differently.
        #[test]
        fn every_text_is_one_visible_thing(one in any::<String>(), other in any::<String>()) {
            for text in [&one, &other] {
                let line = quoted(text).to_string();
                prop_assert!(!line.chars().any(is_hidden), "{line:?}");
                let inner = &line[1..line.len() - 1];
                let mut quotes = inner.match_indices('"');
                let is_escaped = |at: usize| {
                    inner[..at].chars().rev().take_while(|one| *one == '\\').count() % 2 == 1
                };
                prop_assert!(quotes.all(|(at, _)| is_escaped(at)), "{line}");
            }
            if one != other {
                prop_assert_ne!(quoted(&one).to_string(), quoted(&other).to_string());
                prop_assert_ne!(shown(&one).to_string(), shown(&other).to_string());
            }
        }
    }
}
