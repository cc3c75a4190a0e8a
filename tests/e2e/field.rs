//! Published reports by people who run MCP servers behind OAuth, each with its source, its input and
//! the right answer. To add a report, add a row to a table.

mod providers;

/// A published report: where it was published, what was sent, and the right answer.
pub(crate) struct Report<I, E> {
    /// The project and the number of the issue, or the title of the document.
    pub(crate) source: &'static str,
    pub(crate) input: I,
    pub(crate) expected: E,
}
