//! The difference between two policies: not of their text but of the access that they give.
//!
//! For each tool, resource and prompt, and for each condition on its arguments: which grants newly
//! suffice, and which no longer do. A *grant* is a set of scopes as a token carries them. Whether a grant suffices is asked of the policies themselves
//! ([`CompiledPolicy::decide`](crate::CompiledPolicy::decide)), each with its own
//! vocabulary and its own `implies`.

mod grants;
mod render;
mod settings;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt};

use grants::{Comparison, Side};
pub use render::{json, markdown, text};

use crate::{CompiledPolicy, Feature, Requirement, Scope};

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

/// What changed for one tool, resource or prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleChange {
    /// What it is.
    pub feature: Feature,
    /// Its name.
    pub name: String,
    /// The condition under which access changed, if it is not all access.
    pub when: Option<String>,
    /// What the old rule needs; `None` if the old policy does not name it.
    pub old: Option<String>,
    /// What the new rule needs; `None` if the new policy does not name it.
    pub new: Option<String>,
    /// Who gains access.
    pub gained: Grants,
    /// Who loses access.
    pub lost: Grants,
}

impl RuleChange {
    /// Its name for people: `update_todo when args.done`.
    pub fn title(&self) -> String {
        let name = match self.feature {
            Feature::Prompt => format!("prompt {}", self.name),
            _ => self.name.clone(),
        };
        self.when.as_ref().map_or_else(|| name.clone(), |when| format!("{name} when {when}"))
    }

    /// Somebody may newly use it.
    pub fn widens(&self) -> bool {
        !self.gained.is_empty()
    }

    /// Somebody may no longer use it.
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
    /// Such as `[server] list`.
    pub setting: String,
    /// Before.
    pub old: String,
    /// After.
    pub new: String,
}

/// The difference between two policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Each rule whose access changed, by feature and name.
    pub rules: Vec<RuleChange>,
    /// Each other setting that changed.
    pub settings: Vec<SettingChange>,
    /// How many tools, resources and prompts either policy names.
    pub compared: usize,
}

impl Difference {
    /// Whether everybody may call what they could, in the same way.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.settings.is_empty()
    }

    /// Whether somebody may newly call something.
    pub fn widens(&self) -> bool {
        self.rules.iter().any(RuleChange::widens)
    }

    /// Whether somebody may no longer call something.
    pub fn narrows(&self) -> bool {
        self.rules.iter().any(RuleChange::narrows)
    }
}

/// Compares two policies.
///
/// ```
/// use scopeward_policy::{CompiledPolicy, diagnostic::Source, diff};
///
/// let policy = |rule: &str| {
///     let text = format!(
///         "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n\
///          [scopes]\n\"a:read\" = \"Look\"\n\"a:write\" = \"Change\"\n\
///          [tools]\nedit = {{ {rule} = \"a\" }}\n"
///     );
///     CompiledPolicy::compile(Source::new("policy.toml", text))
/// };
/// let difference = diff::compare(&policy("write")?, &policy("read")?);
/// assert!(difference.widens() && difference.narrows());
/// assert_eq!(difference.rules[0].gained.smallest[0].to_string(), "`a:read`");
/// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
/// ```
pub fn compare(old: &CompiledPolicy, new: &CompiledPolicy) -> Difference {
    let named = old.rules().chain(new.rules()).map(|(feature, name, _)| (feature, name));
    let named: BTreeSet<(Feature, &str)> = named.collect();
    let (before, after) = (Side::new(old), Side::new(new));
    let alike = grants::alike(&before, &after);
    let gains = Comparison::new(&after, &before, &alike);
    let losses = Comparison::new(&before, &after, &alike);
    let mut rules = vec![];
    for (feature, name) in &named {
        // Under a condition a call needs what the rule asks for and what the condition adds. Several
        // conditions at once add nothing to that: who gains or loses then does so under one of them.
        for when in std::iter::once(None).chain(conditions(*feature, name, [old, new])) {
            let (ours, theirs) =
                (needed(new, *feature, name, when), needed(old, *feature, name, when));
            let gained = gains.only(ours.as_ref(), theirs.as_ref());
            let lost = losses.only(theirs.as_ref(), ours.as_ref());
            let described = |policy: &CompiledPolicy, needed: Option<&Requirement>| {
                needed.map(|needed| policy.describe_requirement(needed))
            };
            let change = RuleChange {
                feature: *feature,
                name: (*name).to_owned(),
                when: when.map(str::to_owned),
                old: described(old, theirs.as_ref()),
                new: described(new, ours.as_ref()),
                gained,
                lost,
            };
            let is_changed = change.widens() || change.narrows();
            // What changes for every call is said once.
            let is_said = rules.last().is_some_and(|said: &RuleChange| {
                said.name == change.name
                    && said.feature == change.feature
                    && said.when.is_none()
                    && (&said.gained, &said.lost) == (&change.gained, &change.lost)
            });
            if is_changed && !is_said {
                rules.push(change);
            }
        }
    }
    Difference { rules, settings: settings::compare(old, new), compared: named.len() }
}

/// The conditions that either policy has for it, each once.
fn conditions<'p>(
    feature: Feature,
    name: &str,
    policies: [&'p CompiledPolicy; 2],
) -> impl Iterator<Item = Option<&'p str>> {
    let rules = policies.into_iter().filter_map(|policy| policy.rule(feature, name));
    let conditions = rules.flat_map(|rule| &rule.when).map(|when| when.condition.as_str());
    conditions.collect::<BTreeSet<_>>().into_iter().map(Some)
}

/// What a call needs under a condition; `None` if the policy does not name it.
fn needed(
    policy: &CompiledPolicy,
    feature: Feature,
    name: &str,
    when: Option<&str>,
) -> Option<Requirement> {
    let rule = policy.rule(feature, name)?;
    let met = rule.when.iter().filter(|one| when == Some(one.condition.as_str()));
    Some(met.fold(rule.requirement.clone(), |all, one| all.and(&one.requirement)))
}
