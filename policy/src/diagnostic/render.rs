//! Shows a list of findings to a person or to a program, in four formats.

mod github;
mod json;
mod sarif;
mod terminal;

pub use github::github;
pub use json::json;
pub use sarif::sarif;
pub use terminal::terminal;

#[cfg(test)]
mod tests {
    use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Kind, Severity, Source};

    fn findings() -> Diagnostics {
        let source = Source::new("policies/a b.toml", "version = 1\n\"ü\" = 2 # ,:\n");
        let kind = Kind::new("SW999", "an-example", "What it means.");
        let fix = Fix::new("remove `ü`", vec!["ü".into()], crate::diagnostic::Change::Remove);
        Diagnostics::new(
            source,
            vec![
                Diagnostic::new(kind, 12..16, "100% wrong: `ü`, and\nmore")
                    .label("here")
                    .context(0..7, "because of this")
                    .note("a fact")
                    .help("a way out"),
                Diagnostic::new(kind, 16..9_000, "a warning")
                    .with_severity(Severity::Warning)
                    .fix(fix),
            ],
        )
    }

    #[test]
    fn each_form_says_the_same() {
        let found = findings();
        insta::assert_snapshot!("terminal", super::terminal(&found, false));
        insta::assert_snapshot!("json", super::json(&found));
        insta::assert_snapshot!("sarif", super::sarif(&found, "todo", "0.1.0"));
        insta::assert_snapshot!("github", super::github(&found));
        assert!(super::terminal(&found, true).contains("\u{1b}["), "colour where it is wanted");
        assert!(!super::terminal(&found, false).contains('\u{1b}'), "and only there");
    }
}
