//! The difference between two policies: not of their text but of the access that they give.
//!
//! For each tool: which grants newly suffice, and which no longer do. A *grant* is a set of scopes
//! as a token carries them. Whether a grant suffices is asked of the policies themselves
//! ([`CompiledPolicy::decide`](crate::policy::CompiledPolicy::decide)), each with its own
//! vocabulary and its own `implies`.

mod grants;
mod render;
mod settings;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt};

use grants::{Comparison, Side};
pub use render::{json, markdown, text};

use crate::policy::{CompiledPolicy, Rule, Scope};

/// A set of scopes as a token carries them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant(BTreeSet<Scope>);

impl Grant {
    /// The scopes.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }
}

/// ``` `todo:read` + `todo:write` ```
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("any token");
        }
        for (index, scope) in self.0.iter().enumerate() {
            write!(f, "{}`{scope}`", if index == 0 { "" } else { " + " })?;
        }
        Ok(())
    }
}

/// Grants that suffice under one policy and not under the other, the smallest ones: every grant
/// that suffices under the one only holds one of them. Empty if and only if there is no such grant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// In order.
    pub smallest: Vec<Grant>,
    /// Whether there are more than are listed.
    pub is_cut: bool,
}

impl Grants {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.smallest.is_empty()
    }
}

/// What changed for one tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolChange {
    /// The tool.
    pub tool: String,
    /// What the old rule needs; `None` if the old policy does not name the tool.
    pub old: Option<String>,
    /// What the new rule needs; `None` if the new policy does not name the tool.
    pub new: Option<String>,
    /// Who gains access.
    pub gained: Grants,
    /// Who loses access.
    pub lost: Grants,
}

impl ToolChange {
    /// Somebody may newly call it.
    pub fn widens(&self) -> bool {
        !self.gained.is_empty()
    }

    /// Somebody may no longer call it.
    pub fn narrows(&self) -> bool {
        !self.lost.is_empty()
    }

    /// The direction in words.
    pub fn direction(&self) -> &'static str {
        match (self.widens(), self.narrows()) {
            (true, true) => "widens and narrows",
            (true, false) => "widens",
            (false, true) => "narrows",
            (false, false) => "same access",
        }
    }
}

/// A setting that is not access itself, and that a reviewer should see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    /// Such as `[resource] list`.
    pub setting: String,
    /// Before.
    pub old: String,
    /// After.
    pub new: String,
}

/// The difference between two policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Each tool whose access changed, by name.
    pub tools: Vec<ToolChange>,
    /// Each other setting that changed.
    pub settings: Vec<SettingChange>,
    /// How many tools either policy names.
    pub compared: usize,
}

impl Difference {
    /// Whether everybody may call what they could, in the same way.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty() && self.settings.is_empty()
    }

    /// Whether somebody may newly call something.
    pub fn widens(&self) -> bool {
        self.tools.iter().any(ToolChange::widens)
    }

    /// Whether somebody may no longer call something.
    pub fn narrows(&self) -> bool {
        self.tools.iter().any(ToolChange::narrows)
    }
}

/// Compares two policies.
///
/// ```
/// use scopeward::{diagnostic::Source, diff, policy::CompiledPolicy};
///
/// let policy = |rule: &str| {
///     let text = format!(
///         "version = 1\n[resource]\nurl = \"http://localhost/mcp\"\n\
///          [scopes]\n\"a:read\" = \"Look\"\n\"a:write\" = \"Change\"\n\
///          [tools]\nedit = {{ {rule} = \"a\" }}\n"
///     );
///     CompiledPolicy::compile(Source::new("policy.toml", text))
/// };
/// let difference = diff::compare(&policy("write")?, &policy("read")?);
/// assert!(difference.widens() && difference.narrows());
/// assert_eq!(difference.tools[0].gained.smallest[0].to_string(), "`a:read`");
/// # Ok::<(), scopeward::diagnostic::Diagnostics>(())
/// ```
pub fn compare(old: &CompiledPolicy, new: &CompiledPolicy) -> Difference {
    let names: BTreeSet<&str> = old.tools().chain(new.tools()).map(|(name, _)| name).collect();
    let (before, after) = (Side::new(old), Side::new(new));
    let alike = grants::alike(&before, &after);
    let gains = Comparison::new(&after, &before, &alike);
    let losses = Comparison::new(&before, &after, &alike);
    let tools = names.iter().filter_map(|tool| {
        let (gained, lost) = (gains.only(tool), losses.only(tool));
        let described =
            |policy: &CompiledPolicy| policy.rule(tool).map(|rule: &Rule| policy.describe(rule));
        let change = ToolChange {
            tool: (*tool).to_owned(),
            old: described(old),
            new: described(new),
            gained,
            lost,
        };
        (change.widens() || change.narrows()).then_some(change)
    });
    Difference {
        tools: tools.collect(),
        settings: settings::compare(old, new),
        compared: names.len(),
    }
}
