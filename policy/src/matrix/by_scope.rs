//! The table turned round: what each scope is enough for, and what it is a part of.

use serde_json::json;

use super::{Effect, Matrix};

/// The tools, resources and prompts that one scope opens, or helps to open.
///
/// ```
/// use scopeward_policy::{CompiledPolicy, Registry, diagnostic::Source, matrix::{Matrix, ScopeUses}};
/// # let text = r#"
/// #     version = 1
/// #     [server]
/// #     url = "http://localhost:3002/mcp"
/// #     [scopes]
/// #     "note:read" = "See your notes"
/// #     "note:write" = { title = "Change your notes", implies = ["note:read"] }
/// #     "note:share" = { title = "Share your notes", step_up = true }
/// #     [tools]
/// #     list_notes = { read = "note" }
/// #     save_note = { write = "note" }
/// #     share_note = { all_of = ["note:write", "note:share"] }
/// # "#;
/// # let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
///
/// let mut matrix = Matrix::new(&policy, &Registry::new(&[]));
/// assert_eq!(matrix.groups(), [("note", 3)]);
/// // The part of the table that is about sharing.
/// matrix.keep_columns(|scope| scope == "note:share");
/// matrix.keep_touched_rows();
/// assert_eq!(matrix.columns(), ["note:share"]);
/// assert!(matrix.rows()[0].cells()[0].does_something());
/// let uses: Vec<ScopeUses<'_>> = matrix.by_scope();
/// assert_eq!((uses[0].scope, &uses[0].part[..]), ("note:share", &["share_note"][..]));
/// assert!(matrix.by_scope_text().contains("share_note") && matrix.by_scope_json().contains("share_note"));
/// // And the part about one tool.
/// matrix.keep_rows(|tool| tool == "save_note");
/// matrix.keep_touched_columns();
/// assert!(matrix.rows().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ScopeUses<'m> {
    /// The scope.
    pub scope: &'m str,
    /// The tools, resources and prompts for which it is enough.
    pub enough: Vec<&'m str>,
    /// Those of which it is a part of the needed scopes.
    pub part: Vec<&'m str>,
}

impl Matrix<'_> {
    /// Turns the table round: one entry for each scope.
    pub fn by_scope(&self) -> Vec<ScopeUses<'_>> {
        let uses = |(at, scope): (usize, _)| {
            let with = |effect: Effect| {
                let is = |cells: &[super::Cell]| cells.get(at).is_some_and(|c| c.effect == effect);
                self.rows.iter().filter(|row| is(&row.cells)).map(|row| row.name).collect()
            };
            ScopeUses { scope, enough: with(Effect::Enough), part: with(Effect::Part) }
        };
        self.columns.iter().copied().enumerate().map(uses).collect()
    }

    /// The turned table as plain text.
    pub fn by_scope_text(&self) -> String {
        let mut text = String::new();
        for uses in self.by_scope() {
            text.push_str(&format!("  {}\n", uses.scope));
            for (mark, names) in [(Effect::Enough, &uses.enough), (Effect::Part, &uses.part)] {
                let mut line = format!("    {}", mark.mark());
                for name in names {
                    if line.chars().count() + name.chars().count() > super::grouped::WIDTH {
                        text.push_str(&format!("{line}\n"));
                        "     ".clone_into(&mut line);
                    }
                    line.push_str(&format!(" {name}"));
                }
                if !names.is_empty() {
                    text.push_str(&format!("{line}\n"));
                }
            }
        }
        text + "\n  ● enough by itself   ◐ part of what is needed\n"
    }

    /// The turned table as JSON.
    pub fn by_scope_json(&self) -> String {
        let scopes = self.by_scope();
        let scopes = scopes
            .iter()
            .map(|uses| json!({ "scope": uses.scope, "enough": uses.enough, "part": uses.part }));
        let document = json!({
            "resource": self.policy.resource().as_str(),
            "revision": self.policy.revision().to_string(),
            "scopes": scopes.collect::<Vec<_>>(),
        });
        format!("{document:#}\n")
    }
}
