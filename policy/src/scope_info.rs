//! The scopes that `[scopes]` defines.

use std::ops::Range;

use super::{Scope, ScopeSet};

/// One scope that `[scopes]` defines.
///
/// ```
/// use scopeward_policy::{CompiledPolicy, ScopeInfo, diagnostic::Source};
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
/// let share: &ScopeInfo = policy.scope_named("note:share").ok_or("no scope")?;
/// assert_eq!((share.name().as_str(), share.title()), ("note:share", "Share your notes"));
/// assert!(share.is_step_up());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ScopeInfo {
    pub(super) name: Scope,
    pub(super) title: String,
    pub(super) step_up: bool,
    /// The scope itself and every scope that it implies.
    pub(super) closure: ScopeSet,
    pub(super) span: Range<usize>,
}

impl ScopeInfo {
    /// The scope's name.
    pub fn name(&self) -> &Scope {
        &self.name
    }

    /// The title of the scope: the use that it allows, in the words of the consent page.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Whether clients ask for the scope only when an operation needs it, and not at first sign-in.
    pub fn is_step_up(&self) -> bool {
        self.step_up
    }

    /// Whether the scope, or a scope that it implies, is among `needed`.
    pub(crate) fn gives_any(&self, needed: &ScopeSet) -> bool {
        self.closure.intersects(needed)
    }

    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}
