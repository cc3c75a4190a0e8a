//! Explains why a caller may or may not use a tool, resource or prompt: the decision, the line of the
//! policy that made it, and the fewest scopes that are missing.

use serde_json::json;

use crate::{
    CompiledPolicy, Decision, Declaration, Feature, Operation, Rule, Scope, ScopeSet, When,
    operation::Given,
};

/// The most alternatives of a rule and its conditions together, multiplied out, that are compared to
/// find the smallest. The comparison takes the square of them, and nobody reads more.
const MOST_ALTERNATIVES: usize = 1_000;

/// The decision about one caller and one operation, with the reasons.
///
/// ```
/// use scopeward_policy::{CompiledPolicy, Operation, Scope, diagnostic::Source, explain::Explanation};
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
/// let granted = vec![Scope::parse("note:write")?, Scope::parse("mail:read")?];
/// let explanation = Explanation::new(&policy, Operation::tool("save_note"), granted);
/// let explanation = explanation.with_declared(None);
/// assert!(explanation.is_allowed());
/// assert_eq!(explanation.implied(), [&Scope::parse("note:read")?]);
/// assert_eq!(explanation.unknown().count(), 1);
/// assert!(explanation.text().contains("save_note") && explanation.json().contains("save_note"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Explanation<'p> {
    policy: &'p CompiledPolicy,
    feature: Feature,
    name: String,
    granted: Vec<Scope>,
    held: ScopeSet,
    /// Each condition of the rule, and whether it holds.
    conditions: Vec<(&'p When, Holds)>,
    optional: &'static [&'static str],
    decision: Decision<'p>,
}

/// Whether a condition of a rule holds for the use that is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    /// It depends on arguments or claims that were not given.
    Depends,
}

impl Holds {
    /// Asks under both readings of what is not given: as if every condition on it held, and as if
    /// none did.
    fn of(when: &When, arguments: Option<Given<'_>>, claims: Option<Given<'_>>) -> Self {
        let met = |unknown: Given<'static>| {
            when.condition.is_met(arguments.unwrap_or(unknown), claims.unwrap_or(unknown))
        };
        match (met(Given::All), met(Given::Some)) {
            (true, true) => Self::Yes,
            (false, false) => Self::No,
            _ => Self::Depends,
        }
    }

    /// What the text says about it.
    fn note(self, when: &When) -> String {
        match self {
            Self::Yes => "holds here".to_owned(),
            Self::No => "does not hold here".to_owned(),
            Self::Depends => {
                let needs = [
                    (when.condition.needs_arguments(), "arguments"),
                    (when.condition.needs_claims(), "claims"),
                ];
                let needs = needs.iter().filter(|(needs, _)| *needs).map(|(_, word)| *word);
                format!("depends on the {}", needs.collect::<Vec<_>>().join(" and "))
            }
        }
    }
}

impl<'p> Explanation<'p> {
    /// Asks the policy for its decision, as the server does.
    ///
    /// ```
    /// use scopeward_policy::{
    ///     CompiledPolicy, Operation, Scope, diagnostic::Source, explain::Explanation,
    /// };
    ///
    /// let text = "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n\
    ///             [scopes]\n\"a:read\" = \"Look\"\n[tools]\nlook = { read = \"a\" }\n";
    /// let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
    /// let explanation = Explanation::new(&policy, Operation::tool("look"), vec![]);
    /// assert!(!explanation.is_allowed());
    /// assert_eq!(explanation.additions()[0][0].as_str(), "a:read");
    /// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
    /// ```
    pub fn new(
        policy: &'p CompiledPolicy,
        operation: Operation<'_>,
        mut granted: Vec<Scope>,
    ) -> Self {
        granted.sort_unstable();
        let held = policy.hold(granted.iter().map(Scope::as_str));
        Self::of(policy, operation, granted, held)
    }

    /// Asks about a caller without a token.
    ///
    /// ```
    /// use scopeward_policy::{CompiledPolicy, Operation, diagnostic::Source, explain::Explanation};
    ///
    /// let text = "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n\
    ///             [tools]\nlook = { anonymous = true }\nwhoami = { authenticated = true }\n";
    /// let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
    /// assert!(Explanation::anonymous(&policy, Operation::tool("look")).is_allowed());
    /// let whoami = Explanation::anonymous(&policy, Operation::tool("whoami"));
    /// assert!(whoami.text().contains("missing  a token"));
    /// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
    /// ```
    pub fn anonymous(policy: &'p CompiledPolicy, operation: Operation<'_>) -> Self {
        Self::of(policy, operation, vec![], ScopeSet::anonymous())
    }

    fn of(
        policy: &'p CompiledPolicy,
        operation: Operation<'_>,
        granted: Vec<Scope>,
        held: ScopeSet,
    ) -> Self {
        let decision = policy.decide(operation, &held);
        let (feature, name) = (operation.feature(), operation.name().to_owned());
        let mut explanation = Self {
            policy,
            feature,
            name,
            granted,
            held,
            conditions: vec![],
            optional: &[],
            decision,
        };
        if let Some(rule) = explanation.rule() {
            // The values in a URI are the arguments of a resource, as in a decision.
            let values = match feature {
                Feature::Resource => policy.find_resource(operation.name()).and_then(|(_, v)| v),
                _ => None,
            };
            let known = |given: Given<'_>| given.object().is_some();
            let arguments = match &values {
                Some(values) => Some(Given::These(values)),
                None => Some(operation.arguments()).filter(|given| known(*given)),
            };
            let claims = Some(operation.claims()).filter(|given| known(*given));
            let each = rule.when.iter();
            explanation.conditions =
                each.map(|when| (when, Holds::of(when, arguments, claims))).collect();
        }
        explanation
    }

    /// The same explanation, with the scopes that the author declared as `optional`.
    #[must_use]
    pub fn with_declared(self, declaration: Option<&Declaration>) -> Self {
        Self { optional: declaration.map_or(&[], Declaration::optional), ..self }
    }

    /// Whether arguments or claims that were not given could make a condition hold that this caller
    /// does not meet.
    fn depends(&self) -> bool {
        self.conditions.iter().any(|(when, holds)| {
            *holds == Holds::Depends && !when.requirement.is_met_by(&self.held)
        })
    }

    /// Whether the operation is allowed.
    pub fn is_allowed(&self) -> bool {
        self.decision.is_allow()
    }

    /// The granted scopes that `[scopes]` does not define, so that they give no access.
    pub fn unknown(&self) -> impl Iterator<Item = &Scope> {
        self.granted.iter().filter(|scope| self.policy.scope_id(scope.as_str()).is_none())
    }

    /// The scopes that the granted ones imply.
    pub fn implied(&self) -> Vec<&'p Scope> {
        let held = self.policy.scopes().iter().map(crate::ScopeInfo::name).filter(|scope| {
            self.policy.scope_id(scope.as_str()).is_some_and(|id| self.held.contains(id))
        });
        // The granted scopes are sorted.
        held.filter(|scope| self.granted.binary_search(scope).is_err()).collect()
    }

    fn rule(&self) -> Option<&'p Rule> {
        match &self.decision {
            Decision::Allow(rule) => Some(rule),
            Decision::Deny(denial) => Some(denial.rule()),
            Decision::Unknown => None,
        }
    }

    /// The smallest sets of scopes with which the operation would be allowed, if they were granted
    /// too. None of them gives all that another one gives. The shortest comes first. Where conditions
    /// and alternatives make more than a thousand such sets, only one of the shortest is there.
    pub fn additions(&self) -> Vec<Vec<&'p Scope>> {
        let Decision::Deny(denial) = &self.decision else { return vec![] };
        let mut additions: Vec<(ScopeSet, Vec<&Scope>)> = vec![];
        let requirement = denial.requirement(MOST_ALTERNATIVES);
        for all in requirement.alternatives() {
            let missing: Vec<&Scope> = all
                .iter()
                .filter(|id| !self.held.contains(**id))
                .map(|id| self.policy.scope(*id).name())
                .collect();
            // One missing scope may imply another, which then need not be granted.
            let mut implied = ScopeSet::default();
            for id in all.iter().filter(|id| !self.held.contains(**id)) {
                let mut more = self.policy.scope(*id).closure.clone();
                more.remove(*id);
                implied.extend(&more);
            }
            let needed = missing.iter().copied().filter(|scope| {
                self.policy.scope_id(scope.as_str()).is_none_or(|id| !implied.contains(id))
            });
            let needed: Vec<&Scope> = needed.collect();
            let gives = self.policy.hold(needed.iter().map(|scope| scope.as_str()));
            additions.push((gives, needed));
        }
        additions.sort_by_key(|(_, scopes)| scopes.len());
        let is_smallest = |index: usize| {
            let (mine, _) = &additions[index];
            !additions.iter().enumerate().any(|(other, (theirs, _))| {
                theirs.is_subset(mine) && (theirs != mine || other < index)
            })
        };
        let smallest: Vec<usize> =
            (0..additions.len()).filter(|index| is_smallest(*index)).collect();
        smallest.into_iter().map(|index| additions[index].1.clone()).collect()
    }

    /// The explanation for a person.
    pub fn text(&self) -> String {
        let name = &self.name;
        let verdict = match (self.is_allowed(), self.depends()) {
            (true, true) => "allowed, unless a condition asks for more",
            (true, false) => "allowed",
            (false, _) => "not allowed",
        };
        let mut text = format!("{name}: {verdict}\n\n");
        let nothing = if self.held.is_anonymous() { "no token" } else { "nothing" };
        text.push_str(&format!("  granted  {}\n", join(&self.granted, nothing)));
        let implied = self.implied();
        if !implied.is_empty() {
            text.push_str(&format!("  implied  {}\n", join(implied, "")));
        }
        let unknown: Vec<&Scope> = self.unknown().collect();
        if !unknown.is_empty() {
            text.push_str(&format!(
                "  unknown  {} (not in `[scopes]`, gives nothing)\n",
                join(unknown, "")
            ));
        }
        let source = self.policy.source();
        let Some(rule) = self.rule() else {
            let (path, verb) = (source.path(), self.feature.verb());
            text.push_str(&format!(
                "  rule     {path} does not name `{name}`: nobody can {verb} it\n"
            ));
            return text;
        };
        let (line, _) = source.position(rule.span().start);
        let written = source.text().lines().nth(line - 1).unwrap_or_default().trim();
        text.push_str(&format!("  needs    {}\n", self.policy.needs(rule)));
        for (when, holds) in &self.conditions {
            let (condition, note) = (when.condition.as_str(), holds.note(when));
            let needs = self.policy.describe_requirement(&when.requirement);
            text.push_str(&format!("  when     {condition}: also {needs} ({note})\n"));
        }
        if !self.optional.is_empty() {
            let held = |scope: &str| self.policy.is_held(scope, &self.held);
            let note =
                if self.optional.iter().any(|scope| held(scope)) { "held" } else { "not held" };
            text.push_str(&format!(
                "  optional {} ({note}; the {} answers more to its holder)\n",
                self.optional.join(" or "),
                self.feature
            ));
        }
        let place = self.policy.place(rule);
        text.push_str(&format!("  rule     {place}  {written}\n"));
        let additions = self.additions();
        if self.held.is_anonymous() && !self.is_allowed() {
            let with = if additions.is_empty() { "" } else { ", with" };
            text.push_str(&format!("  missing  a token{with}\n"));
        }
        for (index, addition) in additions.iter().enumerate() {
            let what = if index == 0 { "missing" } else { "or" };
            let note = self.registration(addition);
            text.push_str(&format!("  {what:7}  {}{note}\n", join(addition.iter().copied(), "")));
        }
        text
    }

    /// A note about the scopes that the authorization server cannot grant, if there are any.
    fn registration(&self, scopes: &[&Scope]) -> String {
        let missing = scopes.iter().copied().filter(|scope| !self.policy.is_registered(scope));
        match join(missing, "") {
            none if none.is_empty() => none,
            some => format!(" (not registered: {some})"),
        }
    }

    /// The explanation as JSON, for programs.
    pub fn json(&self) -> String {
        let place = self.rule().map(|rule| {
            let (line, column) = self.policy.source().position(rule.span().start);
            json!({ "path": self.policy.source().path(), "line": line, "column": column })
        });
        let document = json!({
            (self.feature.word()): self.name,
            "allowed": self.is_allowed(),
            "anonymous": self.held.is_anonymous(),
            "granted": self.granted,
            "implied": self.implied(),
            "unknown": self.unknown().collect::<Vec<_>>(),
            "needs": self.rule().map(|rule| self.policy.needs(rule)),
            "when": self.conditions.iter().map(|(when, holds)| json!({
                "if": when.condition.as_str(),
                "needs": self.policy.describe_requirement(&when.requirement),
                "holds": match holds {
                    Holds::Yes => Some(true),
                    Holds::No => Some(false),
                    Holds::Depends => None,
                },
            })).collect::<Vec<_>>(),
            "optional": self.optional,
            "rule": place,
            "additions": self.additions(),
            "revision": self.policy.revision().to_string(),
        });
        format!("{document:#}\n")
    }
}

fn join<'a>(scopes: impl IntoIterator<Item = &'a Scope>, nothing: &str) -> String {
    let names: Vec<&str> = scopes.into_iter().map(Scope::as_str).collect();
    if names.is_empty() { nothing.to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Location, diagnostic::Source};

    const POLICY: &str = r#"version = 1
[server]
url = "http://localhost/mcp"
[scopes]
"n:write" = "W"
"n:share" = "S"
"x:admin" = "X"
[tools]
share = { write = "n", when = [{ if = "args.public", all_of = ["n:share"] }, { if = "claims.guest && args.n > 1", all_of = ["x:admin"] }] }
[resources]
"note://{id}" = { write = "n", when = [{ if = "args.id == 'all'", all_of = ["x:admin"] }] }
"#;

    #[test]
    fn conditions_say_whether_they_hold_and_optional_scopes_whether_they_are_held() {
        let policy = CompiledPolicy::compile(Source::new("policy.toml", POLICY)).unwrap();
        let declared = Declaration::new(
            Feature::Tool,
            "share",
            &["n:write"],
            &["x:admin"],
            Location::new("a.rs", 1, 1),
        );
        let object = |value: serde_json::Value| value.as_object().unwrap().clone();
        let (public, private) =
            (object(json!({ "public": true, "n": 1 })), object(json!({ "public": false, "n": 9 })));
        let (guest, nobody) = (object(json!({ "guest": true })), object(json!({})));
        let share = || Operation::tool("share").for_some_arguments().for_some_claims();
        let mut said = String::new();
        for (operation, scopes) in [
            (share(), "n:write"),
            (share(), "n:write n:share x:admin"),
            (share().with_arguments(&public), "n:write"),
            (share().with_arguments(&private), "n:write x:admin"),
            (share().with_arguments(&private).with_claims(&guest), "n:write"),
            (share().with_arguments(&private).with_claims(&nobody), "n:write"),
            (Operation::resource("note://all").for_some_claims(), "n:write"),
            (Operation::resource("note://7").for_some_claims(), "n:write"),
        ] {
            let granted = scopes.split(' ').map(|scope| Scope::parse(scope).unwrap()).collect();
            let declared = Some(&declared).filter(|_| operation.feature() == Feature::Tool);
            let explanation = Explanation::new(&policy, operation, granted).with_declared(declared);
            let json: serde_json::Value = serde_json::from_str(&explanation.json()).unwrap();
            said += &format!("{}{}\n\n", explanation.text(), json["when"]);
        }
        insta::assert_snapshot!("conditions", said);
    }
}
