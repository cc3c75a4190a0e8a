//! Published reports by people who run MCP servers behind OAuth, each with its source, its input and
//! the right answer. To add a report, add a row to the table that fits:
//!
//! | table | input | right answer |
//! |---|---|---|
//! | [`clients`] | a request of a client | status, headers, and parts of the body |
//! | [`providers`] | a token of a provider | whether a call with it is allowed, and the reason |
//! | [`records`] | a token of a provider | the record of its call |
//! | [`crowds`] | a number of requests at once | how many pass, and what they cost the provider |
//! | [`command_line`] | files, settings, and a command | exit code and output |

mod clients;
mod command_line;
mod crowds;
mod providers;
mod records;

/// A published report: where it was published, what was sent, and the right answer.
pub(crate) struct Report<I, E> {
    /// The project and the number of the issue, or the title of the document.
    pub(crate) source: &'static str,
    pub(crate) input: I,
    pub(crate) expected: E,
}
