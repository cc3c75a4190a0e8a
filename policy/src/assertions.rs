//! The tests (`[[test]]`) and invariants (`[[invariant]]`) of a policy, compiled.
//!
//! An invariant is proved for every set of scopes, not sampled: see [`CompiledPolicy::entails`].

pub(crate) mod fit;

use std::ops::Range;

use super::{
    CompiledPolicy, Feature, Requirement, Scope,
    manifest::{self, CaseEntry, GivenObject, InvariantEntry, Selection, Tried},
    reader::Located,
    syntax,
    vocabulary::Vocabulary,
};
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Suggestions};

/// Tests and invariants whose scopes are all defined.
///
/// ```
/// use scopeward_policy::{Assertions, CompiledPolicy, Registry, diagnostic::Source, lint::verify};
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
/// let tests = Source::new("policy.test.toml", r#"
///     [[test]]
///     scopes = ["note:read"]
///     can = ["list_notes"]
///     cannot = ["save_note"]
/// "#);
/// let assertions = Assertions::read(&tests, &policy)?;
/// let verified = verify::verify(&tests, &assertions, &policy, &Registry::new(&[]));
/// assert!(verified.iter().all(|one| one.failures.is_empty()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Assertions {
    pub(crate) cases: Vec<Case>,
    pub(crate) invariants: Vec<Invariant>,
}

/// One `[[test]]`: what a caller with these scopes can and cannot use.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: Option<String>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) scopes_at: Range<usize>,
    /// Whether the caller has no token.
    pub(crate) is_anonymous: bool,
    /// The claims of the caller. `None` stands for any claims.
    pub(crate) claims: Option<GivenObject>,
    /// The operations that the test tries, and whether the caller may do each.
    pub(crate) tried: Vec<Tried>,
}

/// One `[[invariant]]`: what must hold for every set of scopes.
#[derive(Debug)]
pub(crate) struct Invariant {
    pub(crate) at: Range<usize>,
    pub(crate) name: Option<String>,
    pub(crate) about: Vec<(Feature, Located<Selection>)>,
    /// The claims of the callers that it is about. `None` stands for any claims.
    pub(crate) claims: Option<GivenObject>,
    /// The arguments of the calls that it is about. `None` stands for any arguments.
    pub(crate) arguments: Option<GivenObject>,
    /// The scopes without which nobody may use what the invariant is about.
    pub(crate) needs: Option<Located<Requirement>>,
    /// The scopes with which everybody may use what the invariant is about.
    pub(crate) enough: Option<Located<Requirement>>,
}

impl Assertions {
    /// Reads the tests and invariants about `policy` from a separate file.
    pub fn read(source: &Source, policy: &CompiledPolicy) -> Result<Self, Diagnostics> {
        let mut errors = vec![];
        let (readable, repaired) = syntax::repair(source);
        let (cases, invariants) = manifest::read_test_file(&readable, &mut errors);
        let assertions = {
            let suggestions = Suggestions::default();
            let vocabulary = policy.vocabulary(&suggestions).reading(readable.text());
            Self::compile(&cases, &invariants, vocabulary, &mut errors)
        };
        let errors = repaired.restore(errors);
        if errors.is_empty() {
            Ok(assertions)
        } else {
            Err(Diagnostics::new(source.clone(), errors))
        }
    }

    pub(super) fn compile(
        cases: &[CaseEntry],
        invariants: &[InvariantEntry],
        vocabulary: Vocabulary<'_>,
        errors: &mut Vec<Diagnostic>,
    ) -> Self {
        let cases = cases.iter().map(|entry| {
            // A misspelt scope is a mistake, because a caller with it could call nothing, and every
            // `cannot` would pass.
            vocabulary.ids(&entry.scopes.value, errors);
            Case {
                name: entry.name.clone(),
                scopes: entry.scopes.value.iter().map(|scope| scope.value.clone()).collect(),
                scopes_at: entry.scopes.span.clone(),
                is_anonymous: entry.is_anonymous,
                claims: entry.claims.clone(),
                tried: entry.tried.clone(),
            }
        });
        let cases = cases.collect();
        let invariants = invariants.iter().map(|entry| {
            let mut requirement = |rule: &Option<Located<manifest::RuleEntry>>| {
                let rule = rule.as_ref()?;
                let requirement = vocabulary.requirement(&rule.value, errors)?;
                Some(Located::new(requirement, rule.span.clone()))
            };
            Invariant {
                at: entry.at.clone(),
                name: entry.name.clone(),
                about: entry.about.clone(),
                claims: entry.claims.clone(),
                arguments: entry.arguments.clone(),
                needs: requirement(&entry.needs),
                enough: requirement(&entry.enough),
            }
        });
        let invariants = invariants.collect();
        Self { cases, invariants }
    }
}
