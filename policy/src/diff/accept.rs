//! Which widenings a commit message accepts.
//!
//! A line `Widens: tools.share_note: why` of a commit message accepts the widening of that one rule.
//! The key is written as in the policy. The line must stand in a commit of the compared range, so it
//! ends with the change that it was written for; one that accepts nothing is a problem.

use std::{collections::BTreeSet, fmt};

use super::{Difference, RuleChange};
use crate::{Feature, toml_key::toml_key};

/// The beginning of a line that accepts a widening.
const WORD: &str = "widens:";
/// Stands for the reason in the line that is shown, and is no reason.
const BLANK: &str = "<why>";

/// The rule of one tool, resource or prompt, which is shown as its key: `tools.share_note`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleKey {
    feature: Feature,
    name: String,
}

impl RuleKey {
    fn of(change: &RuleChange) -> Self {
        Self { feature: change.feature, name: change.name.clone() }
    }

    fn parse(text: &str) -> Option<Self> {
        let keys = toml_edit::Key::parse(text).ok()?;
        let [table, name] = keys.as_slice() else { return None };
        let feature = Feature::ALL.into_iter().find(|feature| feature.table() == table.get())?;
        Some(Self { feature, name: name.get().to_owned() })
    }

    /// The line that accepts a widening of the rule, without its reason.
    pub fn line(&self) -> String {
        format!("Widens: {self}: {BLANK}")
    }
}

impl fmt::Display for RuleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.feature.table(), toml_key(&self.name))
    }
}

/// A widening that a commit accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The rule that may widen.
    pub rule: RuleKey,
    /// Why, in the words of the commit.
    pub reason: String,
    /// The commit.
    pub commit: String,
}

/// The widenings of a difference, after the commits have been asked.
///
/// ```
/// use scopeward_policy::diff::{self, Difference, accept::{Accepted, Commit, Judgement, RuleKey, judge}};
///
/// /// The report of a pull request, and whether it may be merged.
/// fn review(difference: &Difference, commits: &[Commit]) -> (String, bool) {
///     let judgement: Judgement = judge(difference, commits);
///     for Accepted { rule, reason, commit } in &judgement.accepted {
///         println!("{commit} accepts {rule}: {reason}");
///     }
///     for rule in &judgement.refused {
///         let rule: &RuleKey = rule;
///         println!("write into a commit: {} …", rule.line());
///     }
///     println!("{}{}", diff::judged_text(&judgement), diff::json_judged(difference, &judgement));
///     (diff::markdown(difference) + &diff::judged_markdown(&judgement), judgement.is_good())
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judgement {
    /// The accepted widenings.
    pub accepted: Vec<Accepted>,
    /// The widened rules that no commit accepts.
    pub refused: Vec<RuleKey>,
    /// The lines of commits that accept nothing, each as a sentence with the next step.
    pub problems: Vec<String>,
}

impl Judgement {
    /// Whether every widening is accepted, and every line accepts one.
    pub fn is_good(&self) -> bool {
        self.refused.is_empty() && self.problems.is_empty()
    }
}

/// A commit of the compared range.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit {
    /// The name that people know the commit by.
    pub id: String,
    /// The whole message.
    pub message: String,
    /// Whether the commit may be about another policy of the same repository: it changes another TOML
    /// file, and not this policy. Then a line that accepts nothing here is no problem.
    pub may_be_about_another: bool,
}

impl Commit {
    /// A commit that is about this policy.
    ///
    /// ```
    /// use scopeward_policy::diff::accept::Commit;
    ///
    /// let commit = Commit::new("c0ffee", "Let readers in\n\nWidens: tools.create_note: they ask");
    /// assert!(!commit.may_be_about_another);
    /// ```
    pub fn new(id: impl Into<String>, message: impl Into<String>) -> Self {
        Self { id: id.into(), message: message.into(), may_be_about_another: false }
    }
}

/// Judges each widening by the messages of the commits that made it.
pub fn judge<'m>(
    difference: &Difference,
    commits: impl IntoIterator<Item = &'m Commit>,
) -> Judgement {
    let widened = difference.rules.iter().filter(|change| change.widens()).map(RuleKey::of);
    let widened: BTreeSet<RuleKey> = widened.collect();
    let mut judgement = Judgement::default();
    for Commit { id: commit, message, may_be_about_another } in commits {
        for line in message.lines() {
            match read(line, commit) {
                None => {}
                Some(Ok(accepted))
                    if *may_be_about_another && !widened.contains(&accepted.rule) => {}
                Some(Err(problem)) => judgement.problems.push(problem),
                Some(Ok(accepted)) if widened.contains(&accepted.rule) => {
                    judgement.accepted.push(accepted);
                }
                Some(Ok(Accepted { rule, .. })) => judgement.problems.push(format!(
                    "commit {commit} accepts a widening of `{rule}`, and this change does not widen \
                     it: remove the line `Widens: {rule}` from the message"
                )),
            }
        }
    }
    let is_accepted = |rule: &RuleKey| judgement.accepted.iter().any(|one| one.rule == *rule);
    judgement.refused = widened.into_iter().filter(|rule| !is_accepted(rule)).collect();
    judgement
}

/// A line of a commit message, if it accepts a widening or is meant to. An indented line is not,
/// so that a message can quote one.
fn read(line: &str, commit: &str) -> Option<Result<Accepted, String>> {
    let word = line.get(..WORD.len())?;
    if !word.eq_ignore_ascii_case(WORD) {
        return None;
    }
    let rest = line[WORD.len()..].trim();
    let example = "write it as `Widens: tools.share_note: why`, with the key as in the policy";
    // A colon may also stand in a quoted name, so the key ends at the first one that ends a key.
    let ends = rest.match_indices(':').map(|(end, _)| end);
    let ends: Vec<usize> = ends.chain([rest.len()]).collect();
    let found = ends.iter().find_map(|end| RuleKey::parse(&rest[..*end]).map(|rule| (rule, *end)));
    let Some((rule, end)) = found else {
        return Some(Err(format!("commit {commit} has `Widens:` without a rule: {example}")));
    };
    let reason = rest.get(end + 1..).unwrap_or_default().trim();
    if reason.is_empty() || reason == BLANK {
        let problem = format!("commit {commit} accepts a widening of `{rule}` without a reason");
        return Some(Err(format!("{problem}: {example}")));
    }
    Some(Ok(Accepted { rule, reason: reason.to_owned(), commit: commit.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CompiledPolicy, diagnostic::Source, diff::compare};

    /// Two tools and a resource whose rules all widen, and a tool whose rule does not.
    fn widened() -> Difference {
        let policy = |rule: &str| {
            let text = format!(
                "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n\
                 \"a:read\" = \"R\"\n\"a:write\" = \"W\"\n[tools]\n\
                 one = {{ {rule} = \"a\" }}\n\"x.two\" = {{ {rule} = \"a\" }}\nsame = {{ read = \"a\" }}\n\
                 [resources]\n\"note://all\" = {{ {rule} = \"a\" }}\n"
            );
            CompiledPolicy::compile(Source::new("policy.toml", text)).unwrap()
        };
        compare(&policy("write"), &policy("read"))
    }

    fn refused(message: &str) -> (Vec<String>, usize) {
        let judgement = judge(&widened(), &[Commit::new("c0ffee", message)]);
        let refused = judgement.refused.iter().map(ToString::to_string).collect();
        (refused, judgement.problems.len())
    }

    #[test]
    fn a_line_accepts_exactly_one_rule() {
        let all = ["tools.one", "tools.\"x.two\"", "resources.\"note://all\""];
        assert_eq!(refused("Let readers in"), (all.map(str::to_owned).to_vec(), 0));
        for accepted in all {
            let message =
                format!("Let readers in\n\nBecause.\n\nWidens: {accepted}: they ask: often");
            let (refused, problems) = refused(&message);
            assert_eq!((refused.len(), problems), (2, 0), "{message}");
            assert!(!refused.iter().any(|rule| rule == accepted));
        }
        let both =
            "widens: tools.one: a\nWidens:tools.\"x.two\":b\nWidens: resources.'note://all': c";
        assert!(
            judge(&widened(), &[Commit::new("c", both)]).is_good(),
            "other spellings of the same"
        );
        let line = judge(&widened(), &[]).refused[2].line();
        assert!(
            !judge(&widened(), &[Commit::new("c", &*line)]).is_good(),
            "the shown line has no reason"
        );
        let filled = line.replace(BLANK, "they ask");
        assert_eq!(refused(&filled).0.len(), 2, "the shown line is read");
    }

    #[test]
    fn a_line_about_another_policy_is_no_problem() {
        let about_another =
            |message: &str| Commit { may_be_about_another: true, ..Commit::new("c0ffee", message) };
        let other = judge(&widened(), &[about_another("Widens: tools.gone: there")]);
        assert_eq!((other.problems.len(), other.refused.len()), (0, 3));
        let both = judge(&widened(), &[about_another("Widens: tools.one: here")]);
        assert_eq!((both.problems.len(), both.refused.len()), (0, 2), "it accepts what it names");
        let unread = judge(&widened(), &[about_another("Widens: tools.one")]);
        assert_eq!(unread.problems.len(), 1, "a line without a reason accepts nothing anywhere");
    }

    #[test]
    fn a_line_that_accepts_nothing_is_a_problem() {
        for line in [
            "Widens: tools.same: it did before",
            "Widens: tools.gone: no such tool",
            "Widens: prompts.one: another feature",
            "Widens: tools.one",
            "Widens: tools.one:",
            "Widens: tools.one:   ",
            "Widens: tools.one: <why>",
            "Widens: one: no table",
            "Widens: tools.x.two: not quoted",
            "Widens: tools: all of them",
            "Widens: tools.*: all of them",
            "Widens:",
        ] {
            assert_eq!(refused(line).1, 1, "{line}");
            assert_eq!(refused(line).0.len(), 3, "{line}");
        }
        for quoted in ["  Widens: tools.one: quoted", "It widens: tools.one", "Widens", "Größe"] {
            assert_eq!(refused(quoted).1, 0, "{quoted}");
        }
    }
}
