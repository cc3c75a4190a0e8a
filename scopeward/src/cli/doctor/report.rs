//! The findings of `doctor`, each on one line with its fix.

use std::fmt;

/// The mark of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FindingMark {
    Ok,
    /// Worth knowing, but nothing is broken.
    Note,
    Wrong,
}

/// The findings of `doctor`, in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct DoctorReport(Vec<Finding>);

#[derive(Debug)]
struct Finding {
    mark: FindingMark,
    about: &'static str,
    text: String,
    fix: Option<String>,
}

impl DoctorReport {
    pub(crate) fn ok(&mut self, about: &'static str, text: impl Into<String>) {
        self.add(FindingMark::Ok, about, text.into(), None);
    }

    pub(crate) fn note(
        &mut self,
        about: &'static str,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(FindingMark::Note, about, text.into(), Some(fix.into()));
    }

    pub(crate) fn wrong(
        &mut self,
        about: &'static str,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(FindingMark::Wrong, about, text.into(), Some(fix.into()));
    }

    fn add(&mut self, mark: FindingMark, about: &'static str, text: String, fix: Option<String>) {
        self.0.push(Finding { mark, about, text, fix });
    }

    /// Whether no finding says that something is wrong.
    pub(crate) fn is_good(&self) -> bool {
        self.0.iter().all(|finding| finding.mark != FindingMark::Wrong)
    }
}

/// One line for each finding. Control characters become spaces, because texts of other servers are
/// in the findings.
impl fmt::Display for DoctorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { mark, about, text, fix } in &self.0 {
            let mark = match mark {
                FindingMark::Ok => "ok",
                FindingMark::Note => "note",
                FindingMark::Wrong => "WRONG",
            };
            let fix = fix.as_ref().map_or_else(String::new, |fix| format!("; fix: {fix}"));
            let line = format!("{mark:5}  {about:10}  {text}{fix}");
            writeln!(f, "{}", line.replace(char::is_control, " "))?;
        }
        Ok(())
    }
}
