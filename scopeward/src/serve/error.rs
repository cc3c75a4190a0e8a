//! Why a server does not start.

use std::{error::Error, fmt};

use crate::policy::diagnostic::{Diagnostics, Severity, counted};

/// The error of the author's own code.
type AuthorError = Box<dyn Error + Send + Sync>;

/// Why a server does not start, or stops serving.
///
/// The text says what is wrong, where, and what to do next. For findings it holds their source lines,
/// as `policy lint` prints them.
///
/// ```
/// use scopeward::StartError;
///
/// /// The exit code of a program, and the findings for a tool that reads them.
/// fn outcome(error: &StartError) -> (u8, usize) {
///     eprintln!("{error}");
///     let findings = error.findings().map_or(0, |found| found.iter().count());
///     (if error.is_refused() { 2 } else { 1 }, findings)
/// }
/// ```
#[derive(Debug)]
pub struct StartError {
    is_refused: bool,
    message: String,
    found: Option<Diagnostics>,
    author: Option<AuthorError>,
}

impl StartError {
    /// The server did not begin, because the policy, the settings or the data folder are wrong.
    pub(crate) fn refused(message: impl fmt::Display) -> Self {
        Self { is_refused: true, message: message.to_string(), found: None, author: None }
    }

    /// Something failed that may work at another time: a port is taken, a database does not open.
    pub(crate) fn failed(message: impl fmt::Display) -> Self {
        Self { is_refused: false, ..Self::refused(message) }
    }

    /// The error of the author's own code that opens the tools.
    pub(crate) fn by_author(author: impl Into<AuthorError>) -> Self {
        let author = author.into();
        let error = Self::failed(&author);
        Self { author: Some(author), ..error }
    }

    /// Findings in a file, their number and the `consequence`.
    pub(crate) fn found(found: Diagnostics, consequence: &str) -> Self {
        let path = found.source().path();
        let count = counted(found.count(Severity::Error), "error");
        let message = format!("{path} has {count}; {consequence}");
        Self { found: Some(found), ..Self::refused(message) }
    }

    /// The same error with one more next step.
    pub(crate) fn with_help(mut self, help: &str) -> Self {
        self.message.push_str("\n  = help: ");
        self.message.push_str(help);
        self
    }

    /// Returns whether the policy, the settings or the data folder must be changed before another try.
    /// `false` for a failure that may pass by itself, such as a port that is in use.
    pub fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// The findings of the policy, if they are the reason.
    pub fn findings(&self) -> Option<&Diagnostics> {
        self.found.as_ref()
    }

    /// The reason without the findings.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(found) = &self.found {
            f.write_str(&found.render(false))?;
        }
        f.write_str(&self.message)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The text of the author's error is this error's own text, so its cause comes next.
        self.author.as_ref().and_then(|author| author.source())
    }
}
