//! Where the characters of a string stand in the TOML source that it is written in.

use std::ops::Range;

/// A string as it is written: its text, and the place of each byte of it.
pub(crate) struct WrittenString {
    text: String,
    /// The source offset of each byte of the text, and of its end.
    offsets: Vec<usize>,
}

impl WrittenString {
    /// Reads the string at `span` of the source, with its quotes. `None` if it is not a string.
    pub(crate) fn read(source: &str, span: &Range<usize>) -> Option<Self> {
        let raw = source.get(span.clone())?;
        let (quote, is_literal) = match raw.as_bytes() {
            [b'\'', b'\'', b'\'', ..] if raw.len() >= 6 => ("'''", true),
            [b'"', b'"', b'"', ..] if raw.len() >= 6 => ("\"\"\"", false),
            [b'\'', ..] => ("'", true),
            [b'"', ..] => ("\"", false),
            _ => return None,
        };
        let inner = raw.strip_prefix(quote)?.strip_suffix(quote)?;
        let mut read = Self { text: String::new(), offsets: vec![] };
        let start = span.start + quote.len();
        // A newline directly after the opening quotes is not a part of the string.
        let skipped = match quote.len() {
            3 if inner.starts_with("\r\n") => 2,
            3 if inner.starts_with('\n') => 1,
            _ => 0,
        };
        let mut rest = inner.get(skipped..)?;
        let at = |rest: &str| start + inner.len() - rest.len();
        while let Some(first) = rest.chars().next() {
            let here = at(rest);
            let (put, length) = match first {
                '\\' if !is_literal => escape(rest)?,
                other => (Some(other), other.len_utf8()),
            };
            if let Some(put) = put {
                read.text.push(put);
                read.offsets.extend(std::iter::repeat_n(here, put.len_utf8()));
            }
            rest = rest.get(length..)?;
        }
        read.offsets.push(at(rest));
        Some(read)
    }

    /// The string that is written.
    #[cfg(test)]
    fn text(&self) -> &str {
        &self.text
    }

    /// The place in the source of a byte range of the string.
    pub(crate) fn place(&self, range: &Range<usize>) -> Range<usize> {
        let last = self.offsets.last().copied().unwrap_or_default();
        let at = |offset: usize| self.offsets.get(offset).copied().unwrap_or(last);
        // The last byte of a character has the place of its first, so the end is that of the next.
        at(range.start)..at(range.end).max(at(range.start))
    }
}

/// The character that an escape stands for, and the length of the escape. A backslash at the end of a
/// line stands for nothing, together with the space that follows.
fn escape(rest: &str) -> Option<(Option<char>, usize)> {
    let kind = rest.get(1..)?.chars().next()?;
    let plain = match kind {
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        '"' => '"',
        '\\' => '\\',
        'x' => return code(rest, 2),
        'u' => return code(rest, 4),
        'U' => return code(rest, 8),
        other if other.is_whitespace() => {
            let after = rest.get(1..)?;
            return Some((None, 1 + after.len() - after.trim_start().len()));
        }
        _ => return None,
    };
    Some((Some(plain), 2))
}

fn code(rest: &str, digits: usize) -> Option<(Option<char>, usize)> {
    let number = u32::from_str_radix(rest.get(2..2 + digits)?, 16).ok()?;
    Some((Some(char::from_u32(number)?), 2 + digits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The string of `key = …`, read by TOML's own parser and by this module.
    fn both(literal: &str) -> (Option<String>, Option<WrittenString>, String) {
        let source = format!("key = {literal}\n");
        let document = toml::de::DeTable::parse(&source).ok();
        let value = document.as_ref().and_then(|document| {
            let value = document.get_ref().get("key")?;
            Some((value.get_ref().as_str()?.to_owned(), value.span()))
        });
        let read = value.as_ref().and_then(|(_, span)| WrittenString::read(&source, span));
        (value.map(|(text, _)| text), read, source)
    }

    #[test]
    fn every_form_is_read_as_toml_reads_it() {
        for literal in [
            r#""args.a == 'x'""#,
            r#""a\"b\\c\u00e9\x41\U0001F600\t\n\r\b\f\e""#,
            r"'a\b'",
            "'''\n  a\n  b'''",
            "'''\r\na\r\nb'''",
            "\"\"\"\na \\\n    b \\\"\"\" c\"\"\"",
            "\"\"\"a\"b\"\"c\"\"\"",
            "'''a'b''c'''",
            "\"\"",
            "''",
            "''''''",
            "\"\"\"\"\"\"",
            "'''a''''",
            "\"ö\"",
        ] {
            let (text, read, source) = both(literal);
            let read = read.unwrap_or_else(|| panic!("{literal}"));
            assert_eq!(Some(read.text()), text.as_deref(), "{literal}");
            let end = source.trim_end().len();
            assert!(read.place(&(0..read.text().len())).end <= end, "{literal}");
        }
    }

    #[test]
    fn places_are_those_of_the_source() {
        let (_, read, source) = both("\"\"\"\n\\u00e9 == \\\n   args.done\"\"\"");
        let read = read.unwrap();
        let start = read.text().find("done").unwrap();
        assert_eq!(&source[read.place(&(start..start + 4))], "done");
        assert_eq!(&source[read.place(&(0..2))], "\\u00e9");
    }

    proptest! {
        /// Any text, as TOML writes it, is read back.
        #[test]
        fn what_toml_writes_is_read(text in "[ -~\\n\\t'\"\\\\é😀]{0,30}") {
            let literal = toml_edit::Value::from(text.as_str()).to_string();
            let (_, read, _) = both(&literal);
            let read = read.map(|read| read.text().to_owned());
            prop_assert_eq!(read, Some(text), "{}", literal);
        }
    }
}
