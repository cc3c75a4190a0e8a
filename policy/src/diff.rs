//! Compares two policies by the access that they give, not by their text.
//!
//! The result names, for each tool, resource and prompt and for each condition on its arguments,
//! the grants that newly suffice and those that no longer do. A *grant* is the set of scopes that a
//! token carries. Each policy decides with its own vocabulary and its own `implies` whether a grant
//! suffices.

pub mod accept;
mod causes;
#[cfg(test)]
mod condition_tests;
mod formula;
mod grants;
mod render;
mod rules;
mod settings;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt};

use grants::{ComparedPolicy, GrantComparison};
pub use render::{json, json_judged, judged_markdown, judged_text, markdown, text};
use rules::{Change, Comparison};

use crate::{
    CompiledPolicy, DeclarationIndex, Feature, Registry, Requirement, Scope, effort::Effort,
};

/// The scopes that a token carries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
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
/// Every grant with that property holds all scopes of one of them, unless the list is cut.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// The grants, sorted.
    pub smallest: Vec<Grant>,
    /// Whether there are more than the listed ones. If none is listed, nobody knows whether there is
    /// one, because the search would take too long.
    pub is_cut: bool,
    /// Whether having no token suffices as well.
    pub anonymous: bool,
}

impl Grants {
    /// Whether there is no such grant.
    pub fn is_empty(&self) -> bool {
        self.smallest.is_empty() && !self.is_cut && !self.anonymous
    }

    /// Whether the search for such a grant took too many steps, so that nobody knows whether there is
    /// one.
    fn is_unknown(&self) -> bool {
        self.smallest.is_empty() && self.is_cut
    }

    /// Adds grants, and removes those that hold all scopes of another one.
    fn add(&mut self, more: Self) {
        self.is_cut |= more.is_cut;
        self.anonymous |= more.anonymous;
        for grant in more.smallest {
            if !self.smallest.iter().any(|known| known.0.is_subset(&grant.0)) {
                self.smallest.retain(|known| !grant.0.is_subset(&known.0));
                self.smallest.push(grant);
            }
        }
        self.smallest.sort_unstable();
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
    /// The condition that `when` replaced, if its text changed.
    pub was_when: Option<String>,
    /// The optional scope whose holders the tool answers more to, if the change is about them and not
    /// about who may call it.
    pub more_with: Option<String>,
    /// The requirement of the old rule; `None` if the old policy has no rule.
    pub old: Option<String>,
    /// The requirement of the new rule; `None` if the new policy has no rule.
    pub new: Option<String>,
    /// The grants that newly suffice.
    pub gained: Grants,
    /// The grants that no longer suffice.
    pub lost: Grants,
    /// Whether `gained` depends on how an old and a new condition hold together, which nobody knows.
    pub is_gain_unsure: bool,
    /// Whether `lost` depends on that.
    pub is_loss_unsure: bool,
    /// The changes of `[scopes]` that changed who holds the needed scopes, each as a sentence.
    pub causes: Vec<String>,
    /// The optional scopes of the tool, if its declaration is known: it answers more to their holders.
    pub optional: Vec<String>,
}

impl RuleChange {
    /// The name and the condition for a person: `update_todo when args.done`.
    pub fn title(&self) -> String {
        let name = match self.feature {
            Feature::Prompt => format!("prompt {}", self.name),
            _ => self.name.clone(),
        };
        match (&self.more_with, &self.when) {
            (Some(scope), _) => format!("{name}, more with {scope},"),
            (None, Some(when)) => format!("{name} when {when}"),
            (None, None) => name,
        }
    }

    /// Whether it is known in which direction the change goes. Otherwise it may widen and it may
    /// narrow, and counts as both.
    pub fn is_told(&self) -> bool {
        (self.widens() && !self.is_gain_unsure) || (self.narrows() && !self.is_loss_unsure)
    }

    /// Whether somebody gains access, or may gain it.
    pub fn widens(&self) -> bool {
        !self.gained.is_empty()
    }

    /// Whether somebody loses access, or may lose it.
    pub fn narrows(&self) -> bool {
        !self.lost.is_empty()
    }

    /// The direction of the change in words.
    pub fn direction(&self) -> &'static str {
        match (self.widens(), self.narrows()) {
            (true, true) if !self.is_told() => "changed, and whether it widens cannot be told",
            (true, true) if self.is_gain_unsure => "narrows, and may widen",
            (true, true) if self.is_loss_unsure => "widens, and may narrow",
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
///
/// ```
/// use scopeward_policy::{CompiledPolicy, Registry, diagnostic::Source, diff};
/// use diff::{Difference, Grant, Grants, RuleChange, SettingChange};
///
/// let policy = |rule: &str| {
///     let text = format!(
///         "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n\"a:read\" = \"Look\"\n\
///          \"a:write\" = {{ title = \"Change\", implies = [\"a:read\"] }}\n[tools]\nedit = {{ {rule} = \"a\" }}\n"
///     );
///     CompiledPolicy::compile(Source::new("policy.toml", text))
/// };
/// let (old, new) = (policy("write")?, policy("read")?);
/// let declared = Registry::new(&[]);
/// let difference: Difference = diff::compare_declared(&old, &new, &declared);
/// assert!(difference.widens() && !difference.narrows() && !difference.is_empty());
/// let change: &RuleChange = &difference.rules[0];
/// assert_eq!((change.title().as_str(), change.direction()), ("edit", "widens"));
/// assert!(change.is_told() && change.widens() && !change.narrows());
/// let gained: &Grants = &change.gained;
/// let smallest: &Grant = gained.smallest.first().ok_or("nobody")?;
/// assert!(!gained.is_empty() && smallest.scopes().any(|scope| scope.as_str() == "a:read"));
/// let settings: &[SettingChange] = &difference.settings;
/// assert!(settings.is_empty());
/// // For a terminal, for a pull request, and for programs.
/// assert!(diff::text(&difference).contains("edit"));
/// assert!(diff::markdown(&difference).contains("edit"));
/// assert!(diff::json(&difference).contains("edit"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Each change of access, by feature and name.
    pub rules: Vec<RuleChange>,
    /// Each changed setting.
    pub settings: Vec<SettingChange>,
    /// Each changed reason (`relax`) for a rule that asks for less than declared.
    pub reasons: Vec<SettingChange>,
    /// How many tools, resources and prompts have a rule in at least one of the policies.
    pub compared: usize,
}

impl Difference {
    /// Whether neither access nor a setting nor a reason changed.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.settings.is_empty() && self.reasons.is_empty()
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

/// Compares two policies, exactly: over all sets of scopes. Where that would take too many steps, a
/// change counts as one that may widen and may narrow.
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
    compare_declared(old, new, &Registry::new(&[]))
}

/// Compares two policies of a server whose declarations are known, so that a change of who holds an
/// optional scope is seen too.
pub fn compare_declared(
    old: &CompiledPolicy,
    new: &CompiledPolicy,
    registry: &Registry,
) -> Difference {
    let named = old.rules().chain(new.rules()).map(|(feature, name, _)| (feature, name));
    let named: BTreeSet<(Feature, &str)> = named.collect();
    let (before, after) = (ComparedPolicy::new(old), ComparedPolicy::new(new));
    let same_scopes = grants::with_same_givers(&before, &after);
    let effort = Effort::new(grants::STEPS);
    let comparison = Comparison {
        gains: GrantComparison::new(&after, &before, &same_scopes, &effort),
        losses: GrantComparison::new(&before, &after, &same_scopes, &effort),
    };
    let index = DeclarationIndex::new(registry);
    let links = causes::changed_links(old, new);
    let mut rules = vec![];
    for (feature, name) in &named {
        let declared = index.get(*feature, name);
        let optional = declared.map_or(&[][..], |declared| declared.optional());
        let (was, is) = (old.rule(*feature, name), new.rule(*feature, name));
        let finish = |change: Change, more_with: Option<&str>| {
            let described = |policy: &CompiledPolicy, needed: &Option<Requirement>| {
                needed.as_ref().map(|needed| policy.describe_requirement(needed))
            };
            let scopes = causes::scopes(old, change.old.as_ref())
                .chain(causes::scopes(new, change.new.as_ref()))
                .filter(|scope| !same_scopes.contains(scope));
            RuleChange {
                feature: *feature,
                name: (*name).to_owned(),
                old: described(old, &change.old),
                new: described(new, &change.new),
                when: change.when,
                was_when: change.was_when,
                more_with: more_with.map(str::to_owned),
                is_gain_unsure: change.is_gain_unsure || change.gained.is_unknown(),
                is_loss_unsure: change.is_loss_unsure || change.lost.is_unknown(),
                gained: change.gained,
                lost: change.lost,
                causes: causes::causes(old, new, &links, &scopes.collect()),
                optional: optional.iter().map(|scope| (*scope).to_owned()).collect(),
            }
        };
        rules.extend(comparison.rules(was, is).into_iter().map(|change| finish(change, None)));
        for scope in optional {
            let is_defined = |policy: &CompiledPolicy| policy.scope_id(scope).is_some();
            let is_same = is_defined(old) == is_defined(new) && same_scopes.contains(scope);
            // A new or a removed rule already says who gains or loses all of it.
            if !is_same && was.is_some() && is.is_some() {
                let change = comparison.optional((old, was), (new, is), scope);
                rules.extend(change.map(|change| finish(change, Some(*scope))));
            }
        }
    }
    let reasons = settings::reasons(old, new);
    Difference { rules, settings: settings::compare(old, new), reasons, compared: named.len() }
}
