//! Findings about a policy: the problem, its place in the file, and the next step.
//!
//! A [`Diagnostic`] is plain data; [`render`] shows a list of them to a person or to a program.

mod counted;
mod fix;
mod nearest;
pub mod render;
mod source;

use std::{fmt, ops::Range};

pub use counted::counted;
pub use fix::{Change, Edit, Fix, Step};
pub(crate) use nearest::Suggestions;
pub use nearest::nearest;
pub use source::Source;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// The policy works, and a person should look at this part of it.
    Warning,
    /// The policy cannot be used.
    Error,
}

impl Severity {
    /// The word for it in every output format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A kind of finding. Id and name are stable, because scripts, `[lint]` and `allow` refer to them.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The id, such as `SW001`.
    pub id: &'static str,
    /// The name, such as `tool-without-policy`.
    pub name: &'static str,
    /// The meaning in one sentence.
    pub summary: &'static str,
}

impl Kind {
    pub(crate) const fn new(id: &'static str, name: &'static str, summary: &'static str) -> Self {
        Self { id, name, summary }
    }

    /// Whether `word` is the id or the name of this kind.
    pub fn is_called(&self, word: &str) -> bool {
        self.id == word || self.name == word
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Kind {}

/// One finding.
///
/// ```
/// use scopeward_policy::diagnostic::{Change, Diagnostic, Diagnostics, Fix, Kind, Severity, Source, Step};
/// use scopeward_policy::lint;
///
/// let kind: Kind = lint::kinds().next().ok_or("no kind")?;
/// let fix = Fix::new("remove `b`", vec![Step::from("b")], Change::Remove)
///     .and(vec!["a".into()], Change::Rename("c"));
/// let finding = Diagnostic::new(kind, 6..7, "`b` means nothing")
///     .with_severity(Severity::Warning)
///     .label("here")
///     .context(0..1, "`a` is the same")
///     .note("nobody reads it")
///     .help("write it once")
///     .fix(fix);
/// let found = Diagnostics::new(Source::new("policy.toml", "a = 1\nb = 1\n"), vec![finding]);
/// assert!(!found.has_errors());
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone)]
pub struct Diagnostic {
    severity: Severity,
    kind: Kind,
    message: String,
    span: Range<usize>,
    label: String,
    context: Vec<(Range<usize>, String)>,
    notes: Vec<String>,
    help: Vec<String>,
    fix: Option<Fix>,
    /// The name that the finding is about, to tell findings about the same thing.
    subject: Option<String>,
    /// The table and the name of the policy's entry that the finding is about.
    entry: Option<(&'static str, String)>,
}

impl Diagnostic {
    /// A finding about `span`, a byte range of the source. It is an error unless
    /// [`with_severity`](Self::with_severity) changes that.
    pub fn new(kind: Kind, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            kind,
            message: message.into(),
            span,
            label: String::new(),
            context: vec![],
            notes: vec![],
            help: vec![],
            fix: None,
            subject: None,
            entry: None,
        }
    }

    /// Sets the severity.
    #[must_use]
    pub fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Sets the text beside the underlined place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds another place in the same file that explains the finding.
    #[must_use]
    pub fn context(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.context.push((span, label.into()));
        self
    }

    /// Adds a fact that explains the finding.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Sets the change that `--fix` makes, and adds its title as a next step.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.help.push(format!("{} (`--fix` does it)", fix.title));
        self.fix = Some(fix);
        self
    }

    /// Sets the name that the finding is about.
    #[must_use]
    pub(crate) fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Sets the entry of the policy whose `allow` can silence the finding.
    #[must_use]
    pub(crate) fn in_entry(mut self, entry: Option<(&'static str, &str)>) -> Self {
        self.entry = entry.map(|(table, name)| (table, name.to_owned()));
        self
    }

    /// The entry of the policy whose `allow` can silence the finding: its table and its name.
    pub(crate) fn entry(&self) -> Option<(&'static str, &str)> {
        self.entry.as_ref().map(|(table, name)| (*table, name.as_str()))
    }

    /// The name that the finding is about, if it was set.
    pub(crate) fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The same finding with other next steps.
    #[must_use]
    pub(crate) fn map_helps(mut self, new: impl Fn(String) -> String) -> Self {
        self.help = self.help.into_iter().map(new).collect();
        self
    }

    /// Whether a next step defines a scope.
    pub(crate) fn may_define(&self) -> bool {
        self.help.iter().any(|help| help.contains("define it: "))
    }

    /// The next steps.
    #[cfg(test)]
    pub(crate) fn helps(&self) -> &[String] {
        &self.help
    }

    /// Adds another place, as [`context`](Self::context) does.
    pub(crate) fn add_context(&mut self, span: Range<usize>, label: impl Into<String>) {
        self.context.push((span, label.into()));
    }

    /// Lets the fix of this finding make the changes of another finding's fix as well.
    pub(crate) fn fix_also(&mut self, other: &Self) {
        if let (Some(fix), Some(other)) = (&mut self.fix, &other.fix) {
            fix.edits.extend(other.edits.iter().cloned());
        }
    }

    /// The same finding with each of its places moved.
    pub(crate) fn map_spans(mut self, moved: impl Fn(Range<usize>) -> Range<usize>) -> Self {
        self.span = moved(self.span);
        for (span, _) in &mut self.context {
            *span = moved(span.clone());
        }
        self
    }

    /// The severity.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The kind of finding.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The finding in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The byte range of the source that the finding is about.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The change that removes the finding and leaves access as it is, if there is one.
    pub fn certain_fix(&self) -> Option<&Fix> {
        self.fix.as_ref()
    }
}

/// The findings about one source.
///
/// ```
/// use scopeward_policy::{
///     CompiledPolicy,
///     diagnostic::{Diagnostics, Severity, Source, render},
/// };
///
/// let text = "version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n[tools]\nlook = {}\n";
/// let found: Diagnostics = CompiledPolicy::compile(Source::new("policy.toml", text)).unwrap_err();
/// assert!(found.has_errors() && !found.is_empty());
/// assert_eq!(found.count(Severity::Error), 1);
/// let one = found.iter().next().ok_or("none")?;
/// assert!(one.kind().is_called("missing-rule") && one.severity().as_str() == "error");
/// assert_eq!(&found.source().text()[one.span()], "look");
/// assert!(found.source().place(one.span().start).ends_with("policy.toml:5:1"));
/// assert!(one.message().contains("look") && one.certain_fix().is_none());
/// // For a person, for GitHub, and for programs.
/// assert!(found.render(false).contains("5 | look"));
/// assert!(render::terminal(&found, false).contains("5 | look"));
/// assert!(render::github(&found).starts_with("::error"));
/// assert!(render::json(&found).contains("SW114") && render::sarif(&found, "todo", "1").contains("SW114"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Diagnostics {
    source: Source,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Sorts the findings by their place in the file.
    pub fn new(source: Source, mut list: Vec<Diagnostic>) -> Self {
        list.sort_by_key(|finding| (finding.span.start, finding.kind.id));
        Self { source, list }
    }

    /// The same findings, with the file at another path for messages.
    ///
    /// ```
    /// use scopeward_policy::diagnostic::{Diagnostics, Source};
    ///
    /// let found = Diagnostics::new(Source::new("policy.toml", ""), vec![]);
    /// assert_eq!(found.at("deploy/policy.toml").source().path(), "deploy/policy.toml");
    /// ```
    #[must_use]
    pub fn at(mut self, path: impl Into<std::sync::Arc<str>>) -> Self {
        self.source = self.source.at(path);
        self
    }

    /// The findings, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// Whether there is no finding.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many findings have this severity or a worse one.
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|finding| finding.severity >= severity).count()
    }

    /// Whether at least one finding is an error.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// The source that the findings are about.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The findings for a person, with source lines and underlines, as `rustc` prints them.
    pub fn render(&self, colour: bool) -> String {
        render::terminal(self, colour)
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Writes one line for each finding: `policy.toml:18:1: error: …`.
impl std::error::Error for Diagnostics {}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            let place = self.source.place(finding.span.start);
            write!(f, "{place}: {}: {}", finding.severity.as_str(), finding.message)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_outside_the_text_does_not_panic() {
        let source = Source::new("p", "ç");
        let backwards = std::ops::Range { start: 9, end: 3 };
        let (x, y) = (Kind::new("X", "x", ""), Kind::new("Y", "y", ""));
        let list = vec![Diagnostic::new(x, 1..900, "m"), Diagnostic::new(y, backwards, "n")];
        let rendered = Diagnostics::new(source, list).render(false);
        assert!(rendered.contains("error[X x]: m") && rendered.contains("error[Y y]: n"));
    }
}
