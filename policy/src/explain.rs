//! Explains why a caller may or may not use a tool, resource or prompt: the decision, the line of the
//! policy that made it, and the fewest scopes that are missing.

use serde_json::json;

use crate::{CompiledPolicy, Decision, Feature, Operation, Rule, Scope, ScopeSet};

/// The decision about one caller and one operation, with the reasons.
#[derive(Debug)]
pub struct Explanation<'p> {
    policy: &'p CompiledPolicy,
    feature: Feature,
    name: String,
    granted: Vec<Scope>,
    held: ScopeSet,
    decision: Decision<'p>,
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
        let decision = policy.decide(operation, &held);
        let (feature, name) = (operation.feature(), operation.name().to_owned());
        Self { policy, feature, name, granted, held, decision }
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
        held.filter(|scope| !self.granted.contains(scope)).collect()
    }

    fn rule(&self) -> Option<&'p Rule> {
        match &self.decision {
            Decision::Allow(rule) => Some(rule),
            Decision::Deny(denial) => Some(denial.rule()),
            Decision::Unknown => None,
        }
    }

    /// The smallest sets of scopes with which the operation would be allowed, if they were granted
    /// too. None of them gives all that another one gives. The shortest comes first.
    pub fn additions(&self) -> Vec<Vec<&'p Scope>> {
        let Decision::Deny(denial) = &self.decision else { return vec![] };
        let mut additions: Vec<(ScopeSet, Vec<&Scope>)> = vec![];
        for all in denial.requirement().alternatives() {
            let missing: Vec<&Scope> = all
                .iter()
                .filter(|id| !self.held.contains(**id))
                .map(|id| self.policy.scope(*id).name())
                .collect();
            // One missing scope may imply another, which then need not be granted.
            let needed = missing.iter().copied().filter(|scope| {
                let others = missing.iter().filter(|other| other != &scope);
                let given = self.policy.hold(others.map(|other| other.as_str()));
                self.policy.scope_id(scope.as_str()).is_none_or(|id| !given.contains(id))
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
        let verdict = if self.is_allowed() { "allowed" } else { "not allowed" };
        let mut text = format!("{name}: {verdict}\n\n");
        text.push_str(&format!("  granted  {}\n", join(&self.granted, "nothing")));
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
        text.push_str(&format!("  needs    {}\n", self.policy.describe(rule)));
        let place = self.policy.place(rule);
        text.push_str(&format!("  rule     {place}  {written}\n"));
        let additions = self.additions();
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
            "granted": self.granted,
            "implied": self.implied(),
            "unknown": self.unknown().collect::<Vec<_>>(),
            "needs": self.rule().map(|rule| self.policy.describe(rule)),
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
