//! Compares two policies by the access that they give, not by their text.
//!
//! The result names, for each tool, resource and prompt and for each condition on its arguments,
//! the grants that newly suffice and those that no longer do. A *grant* is the set of scopes that a
//! token carries. Each policy decides with its own vocabulary and its own `implies` whether a grant
//! suffices.

mod grants;
mod render;
mod settings;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt};

use grants::{ComparedPolicy, GrantComparison};
pub use render::{json, markdown, text};

use crate::{CompiledPolicy, Feature, Requirement, Scope};

/// The scopes that a token carries.
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

/// The smallest grants that suffice under one policy and not under the other.
///
/// Every grant with that property holds all scopes of one of them. The list is empty if and only if
/// there is no such grant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// The grants, sorted.
    pub smallest: Vec<Grant>,
    /// Whether there are more than the listed ones.
    pub is_cut: bool,
}

impl Grants {
    /// Whether there is no such grant.
    pub fn is_empty(&self) -> bool {
        self.smallest.is_empty()
    }
}

/// The change of access to one tool, resource or prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleChange {
    /// Whether it is a tool, a resource or a prompt.
    pub feature: Feature,
    /// The name of the tool or prompt, or the URI of the resource.
    pub name: String,
    /// The condition under which access changed; `None` if it changed for every call.
    pub when: Option<String>,
    /// The requirement of the old rule; `None` if the old policy has no rule.
    pub old: Option<String>,
    /// The requirement of the new rule; `None` if the new policy has no rule.
    pub new: Option<String>,
    /// The grants that newly suffice.
    pub gained: Grants,
    /// The grants that no longer suffice.
    pub lost: Grants,
}

impl RuleChange {
    /// The name and the condition for a person: `update_todo when args.done`.
    pub fn title(&self) -> String {
        let name = match self.feature {
            Feature::Prompt => format!("prompt {}", self.name),
            _ => self.name.clone(),
        };
        self.when.as_ref().map_or_else(|| name.clone(), |when| format!("{name} when {when}"))
    }

    /// Whether somebody gains access.
    pub fn widens(&self) -> bool {
        !self.gained.is_empty()
    }

    /// Whether somebody loses access.
    pub fn narrows(&self) -> bool {
        !self.lost.is_empty()
    }

    /// The direction of the change in words.
    pub fn direction(&self) -> &'static str {
        match (self.widens(), self.narrows()) {
            (true, true) => "widens and narrows",
            (true, false) => "widens",
            (false, true) => "narrows",
            (false, false) => "same access",
        }
    }
}

/// A changed setting that gives or takes no access, but that a reviewer should see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    /// Such as `[server] list`.
    pub setting: String,
    /// The value under the old policy.
    pub old: String,
    /// The value under the new policy.
    pub new: String,
}

/// The result of [`compare`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Each change of access, by feature and name.
    pub rules: Vec<RuleChange>,
    /// Each changed setting.
    pub settings: Vec<SettingChange>,
    /// How many tools, resources and prompts have a rule in at least one of the policies.
    pub compared: usize,
}

impl Difference {
    /// Whether neither access nor a setting changed.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.settings.is_empty()
    }

    /// Whether somebody gains access to something.
    pub fn widens(&self) -> bool {
        self.rules.iter().any(RuleChange::widens)
    }

    /// Whether somebody loses access to something.
    pub fn narrows(&self) -> bool {
        self.rules.iter().any(RuleChange::narrows)
    }
}

/// Compares two policies, exactly: over all sets of scopes.
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
    let (before, after) = (ComparedPolicy::new(old), ComparedPolicy::new(new));
    let same_scopes = grants::with_same_givers(&before, &after);
    let gains = GrantComparison::new(&after, &before, &same_scopes);
    let losses = GrantComparison::new(&before, &after, &same_scopes);
    let mut rules = vec![];
    for (feature, name) in &named {
        // Under a condition a call needs what the rule needs and what the condition adds. Sets of
        // conditions need no comparison, because a caller who gains or loses access under several
        // conditions also does so under one of them.
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
            // A change for every call is not repeated for each condition.
            let is_repetition = rules.last().is_some_and(|last: &RuleChange| {
                last.name == change.name
                    && last.feature == change.feature
                    && last.when.is_none()
                    && (&last.gained, &last.lost) == (&change.gained, &change.lost)
            });
            if is_changed && !is_repetition {
                rules.push(change);
            }
        }
    }
    Difference { rules, settings: settings::compare(old, new), compared: named.len() }
}

/// The conditions that the rules of the two policies have, each once.
fn conditions<'p>(
    feature: Feature,
    name: &str,
    policies: [&'p CompiledPolicy; 2],
) -> impl Iterator<Item = Option<&'p str>> {
    let rules = policies.into_iter().filter_map(|policy| policy.rule(feature, name));
    let conditions = rules.flat_map(|rule| &rule.when).map(|when| when.condition.as_str());
    conditions.collect::<BTreeSet<_>>().into_iter().map(Some)
}

/// The requirement of a call under a condition; `None` if the policy has no rule.
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
