//! The line ends of a file: what is written back has those that the file has.

/// The byte-order mark, which some editors write at the start of a file.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// How a file begins, and how its lines end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineEnds {
    has_mark: bool,
    is_crlf: bool,
    /// Whether both kinds of line ends are there, such as `\r\n` in a string of several lines.
    is_mixed: bool,
}

impl LineEnds {
    /// Those of a text, by most of its lines.
    pub(crate) fn of(text: &str) -> Self {
        let crlf = text.matches("\r\n").count();
        let all = text.matches('\n').count();
        Self {
            has_mark: text.starts_with(BYTE_ORDER_MARK),
            is_crlf: crlf * 2 > all,
            is_mixed: crlf > 0 && crlf < all,
        }
    }

    /// The text after a change of some lines, with these line ends. Where both kinds are there, each
    /// line keeps its own, because one of them may be part of a value.
    pub(crate) fn kept(self, text: String) -> String {
        if self.is_mixed { text } else { self.written(&text) }
    }

    /// The text with these line ends.
    pub(crate) fn written(self, text: &str) -> String {
        let plain = Self::plain(text);
        let body = if self.is_crlf { plain.replace('\n', "\r\n") } else { plain };
        if self.has_mark { format!("{BYTE_ORDER_MARK}{body}") } else { body }
    }

    /// The text with `\n` at each line's end, and without a byte-order mark.
    pub(crate) fn plain(text: &str) -> String {
        text.trim_start_matches(BYTE_ORDER_MARK).replace("\r\n", "\n")
    }
}
