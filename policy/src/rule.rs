//! The rule of one tool, resource or prompt, as decisions read it.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use super::{DecisionCounts, Requirement, condition::Condition};

/// The rule of one tool, resource or prompt.
#[derive(Debug)]
pub struct Rule {
    /// As the policy writes it.
    pub(super) name: Box<str>,
    pub(crate) requirement: Requirement,
    /// What is needed besides under some conditions.
    pub(crate) when: Vec<When>,
    pub(super) relax: Option<String>,
    pub(super) hidden: bool,
    pub(super) span: Range<usize>,
    /// Where that is, for a person: found once.
    pub(super) place: OnceLock<Box<str>>,
    /// Where its uses are counted: found once.
    pub(super) counts: OnceLock<Arc<DecisionCounts>>,
}

/// What else a call needs under a condition on its arguments and its caller's claims.
#[derive(Debug)]
pub(crate) struct When {
    pub(crate) condition: Condition,
    pub(crate) requirement: Requirement,
    /// Where the condition stands.
    pub(crate) span: Range<usize>,
}

impl Rule {
    /// What it is about: a tool, a prompt, a URI or a URI template, as the policy writes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why the rule may ask for less than its author declared, if the operator said so.
    pub fn relax(&self) -> Option<&str> {
        self.relax.as_deref()
    }

    /// The numbers of its decisions. `find` is called once, with the rule's name: whoever keeps
    /// numbers for the whole process finds those of the name, so that they go on when another policy
    /// takes this one's place.
    pub fn counts(&self, find: impl FnOnce(&str) -> Arc<DecisionCounts>) -> &DecisionCounts {
        self.counts.get_or_init(|| find(&self.name))
    }

    /// Whether it is left out of the lists of those who may not use it.
    pub fn is_hidden(&self) -> bool {
        self.hidden
    }

    /// Whether anything more is needed under some condition.
    pub fn has_conditions(&self) -> bool {
        !self.when.is_empty()
    }

    /// Whether one of its conditions is about arguments.
    pub fn asks_for_arguments(&self) -> bool {
        self.when.iter().any(|when| when.condition.needs_arguments())
    }

    /// Where the rule stands in the source.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}
