//! Finds each mistake of TOML syntax at its place, and repairs the text, so that one mistake gives
//! one finding and the rest of the file is read.
//!
//! TOML's own parser reads on after an unclosed `{` as if the rest of the file stood in that table.
//! So a text that is not TOML is split into statements (a header, or a key with its value), each of
//! which is parsed by itself. A statement that does not parse is repaired where the meaning is
//! certain, and otherwise replaced by a value that no key takes. A repaired text is only examined,
//! never served.

mod fault;
mod scan;

use std::ops::Range;

use toml::de::DeTable;

use crate::{
    diagnostic::{Diagnostic, Source},
    mistake,
};
use fault::Fault;
use scan::Extent;

/// The most mistakes of syntax that are reported in one run. The rest of the text is then not read,
/// because each mistake may take time that grows with the size of the file.
const MOST_FAULTS: usize = 20;

/// A text that is TOML, except for keys and tables that stand twice, and what was wrong before.
#[derive(Debug, Default)]
pub(crate) struct Repaired {
    edits: Vec<Edit>,
    /// Whether a name or a header could not be read, so that something may only seem to be missing.
    pub(crate) is_lost: bool,
    errors: Vec<Diagnostic>,
}

/// One statement that was replaced: its place in the written and in the repaired text.
#[derive(Debug)]
struct Edit {
    written: Range<usize>,
    repaired: Range<usize>,
}

/// Whether the text is TOML.
fn is_toml(text: &str) -> bool {
    DeTable::parse_recoverable(text).1.is_empty()
}

/// The text that can be read, and the mistakes of syntax of the written one. A text that is TOML is
/// returned as it is.
pub(crate) fn repair(source: &Source) -> (Source, Repaired) {
    let text = source.text();
    if is_toml(text) {
        return (source.clone(), Repaired::default());
    }
    let mut repair =
        Repair { text, output: String::with_capacity(text.len()), ..Repair::default() };
    repair.run();
    let Repair { output, mut found, .. } = repair;
    found.report_doubles(&output);
    (Source::new(source.path(), output), found)
}

/// One statement: where it ends, and what is wrong with it.
struct Statement {
    end: usize,
    fault: Option<Fault>,
}

#[derive(Default)]
struct Repair<'t> {
    text: &'t str,
    output: String,
    found: Repaired,
}

impl Repair<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while at < self.text.len() {
            let line_end = scan::line_end(self.text, at);
            let line = self.text[at..line_end].trim_start();
            if line.trim_end().is_empty() || line.starts_with('#') && is_toml(line) {
                self.keep(at..line_end);
                at = line_end;
                continue;
            }
            if self.found.errors.len() == MOST_FAULTS {
                self.found.is_lost = true;
                return;
            }
            let Statement { end, fault } = self.statement(at);
            match fault {
                None => self.keep(at..end),
                Some(fault) => self.replace(at..end, fault),
            }
            at = end;
        }
    }

    /// The statement that begins at `at`, and what is wrong with it.
    fn statement(&self, at: usize) -> Statement {
        let extent = scan::extent(self.text, at);
        let Extent { end, .. } = extent;
        let written = &self.text[at..end];
        let is_good = extent.is_closed
            && is_toml(written)
            && !scan::swallows(self.text, at..end)
            && !(scan::is_empty_string(written) && scan::is_text(self.text, end));
        if is_good {
            return Statement { end, fault: None };
        }
        let end = scan::resume(self.text, at, &extent);
        Statement { end, fault: Some(fault::find(self.text, at..end)) }
    }

    fn keep(&mut self, range: Range<usize>) {
        self.output.push_str(&self.text[range]);
    }

    fn replace(&mut self, written: Range<usize>, fault: Fault) {
        let Fault { message, span, label, help, repaired, is_lost } = fault;
        let error = Diagnostic::new(mistake::INVALID_TOML, span, message).label(label);
        self.found.errors.push(match help {
            Some(help) => error.help(help),
            None => error,
        });
        self.found.is_lost |= is_lost;
        let start = self.output.len();
        self.output.push_str(&repaired);
        self.found.edits.push(Edit { written, repaired: start..self.output.len() });
    }
}

impl Repaired {
    /// Reports the keys and tables of the repaired text that stand twice, and whatever else its
    /// statements are only together.
    fn report_doubles(&mut self, output: &str) {
        let (_, errors) = DeTable::parse_recoverable(output);
        let mut tables: Vec<&str> = vec![];
        // The end of the last table whose header was reported.
        let mut reported = 0;
        for error in &errors {
            let span = error.span().unwrap_or(output.len()..output.len());
            let written = output.get(span.clone()).unwrap_or_default().trim();
            let is_header = scan::is_in_header(output, span.start);
            let is_known = span.start < reported || is_header && tables.contains(&written);
            if is_header {
                tables.push(written);
                reported = scan::next_header(output, span.start);
                self.is_lost = true;
            }
            if is_known || self.edit_at(span.start).is_some() {
                continue;
            }
            let (message, help) = match error.message() {
                "duplicate key" if is_header => (
                    format!("the table `{written}` stands twice"),
                    "put what belongs to it below one header",
                ),
                "duplicate key" => {
                    (format!("`{written}` stands twice in the same table"), "keep one of them")
                }
                other if other.starts_with("cannot extend value") => (
                    format!(
                        "`{written}` is written in `{{ … }}`, and nothing can be added to that"
                    ),
                    "write it with a header, such as `[tools.create_todo]`, and its keys below",
                ),
                other => (format!("invalid TOML: {other}"), "correct this first"),
            };
            self.errors
                .push(self.moved(Diagnostic::new(mistake::INVALID_TOML, span, message).help(help)));
        }
    }

    /// Whether the text was TOML as written.
    pub(crate) fn is_whole(&self) -> bool {
        self.errors.is_empty()
    }

    /// The findings about the repaired text, at their places in the written one, after the mistakes
    /// of syntax. A finding about a statement that was replaced is left out, because its cause is
    /// reported.
    pub(crate) fn restore(self, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
        if self.is_whole() {
            return found;
        }
        let kept = found.into_iter().filter(|finding| {
            let is_gone = self.is_lost
                && [mistake::MISSING_VERSION, mistake::MISSING_URL, mistake::UNDEFINED_SCOPE]
                    .contains(&finding.kind());
            !is_gone && self.edit_at(finding.span().start).is_none()
        });
        let kept: Vec<Diagnostic> = kept.map(|finding| self.moved(finding)).collect();
        let mut all = self.errors;
        all.extend(kept);
        all
    }

    fn edit_at(&self, offset: usize) -> Option<&Edit> {
        self.edits.iter().find(|edit| edit.repaired.contains(&offset))
    }

    fn moved(&self, finding: Diagnostic) -> Diagnostic {
        finding.map_spans(|span| self.written(span.start)..self.written(span.end))
    }

    /// The place in the written text of a place in the repaired one.
    fn written(&self, offset: usize) -> usize {
        let before = self.edits.partition_point(|edit| edit.repaired.start <= offset);
        let Some(edit) = before.checked_sub(1).and_then(|index| self.edits.get(index)) else {
            return offset;
        };
        if offset < edit.repaired.end {
            return edit.written.end.min(edit.written.start + (offset - edit.repaired.start));
        }
        edit.written.end + (offset - edit.repaired.end)
    }
}

#[cfg(test)]
mod tests;
