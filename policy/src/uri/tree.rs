//! The tree of URI templates: finds the narrowest template that a canonical URI matches, and the
//! templates that overlap.
//!
//! Two templates that share a URI are either nested, so that one matches only URIs of the other, or
//! they are refused. So all templates that a URI matches form a chain, and its narrowest end is the
//! one that is found.

use std::collections::HashMap;

/// The pattern of one segment: the text between two `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// This text.
    Literal(Box<str>),
    /// A variable between two texts.
    Variable(Affix),
    /// A variable for the rest of the URI, after a text.
    Rest(Box<str>),
}

/// The texts before and after a variable, within its segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Affix {
    pub(super) before: Box<str>,
    pub(super) after: Box<str>,
}

impl Affix {
    /// The text of the variable in a segment.
    fn value<'u>(&self, segment: &'u str) -> Option<&'u str> {
        let value = segment.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?;
        (!value.is_empty()).then_some(value)
    }

    /// Whether every segment that this matches is one of `other`.
    fn is_within(&self, other: &Self) -> bool {
        self.before.starts_with(&*other.before) && self.after.ends_with(&*other.after)
    }

    fn overlaps(&self, other: &Self) -> bool {
        agree(&self.before, &other.before)
            && (self.after.ends_with(&*other.after) || other.after.ends_with(&*self.after))
    }

    fn length(&self) -> usize {
        self.before.len() + self.after.len()
    }
}

/// Whether a text begins with both of these.
fn agree(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Whether some URI matches both patterns.
pub(super) fn overlap(one: &[Segment], other: &[Segment]) -> bool {
    use Segment::{Literal, Rest, Variable};
    match (one, other) {
        ([], []) => true,
        ([Rest(before), ..], rest) | (rest, [Rest(before), ..]) => match rest {
            [] => false,
            [Literal(text), more @ ..] => {
                text.starts_with(&**before) && (text.len() > before.len() || !more.is_empty())
            }
            [Variable(affix), ..] => agree(&affix.before, before),
            [Rest(other), ..] => agree(other, before),
        },
        ([first, one @ ..], [second, other @ ..]) => {
            let both = match (first, second) {
                (Literal(text), Literal(other)) => text == other,
                (Literal(text), Variable(affix)) | (Variable(affix), Literal(text)) => {
                    affix.value(text).is_some()
                }
                (Variable(affix), Variable(other)) => affix.overlaps(other),
                (Rest(_), _) | (_, Rest(_)) => true,
            };
            both && overlap(one, other)
        }
        ([], _) | (_, []) => false,
    }
}

/// Whether every URI that `one` matches is one of `other`.
pub(super) fn is_within(one: &[Segment], other: &[Segment]) -> bool {
    use Segment::{Literal, Rest, Variable};
    match (one, other) {
        ([], []) => true,
        (rest, [Rest(before), ..]) => match rest {
            [] => false,
            [Literal(text), more @ ..] => {
                text.starts_with(&**before) && (text.len() > before.len() || !more.is_empty())
            }
            [Variable(Affix { before: text, .. }) | Rest(text), ..] => text.starts_with(&**before),
        },
        ([Literal(text), one @ ..], [Literal(same), other @ ..]) => {
            text == same && is_within(one, other)
        }
        ([Literal(text), one @ ..], [Variable(affix), other @ ..]) => {
            affix.value(text).is_some() && is_within(one, other)
        }
        ([Variable(affix), one @ ..], [Variable(wider), other @ ..]) => {
            affix.is_within(wider) && is_within(one, other)
        }
        _ => false,
    }
}

/// Templates by their segments.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    literals: HashMap<Box<str>, Tree>,
    /// The variables, those with the longest texts around them first.
    variables: Vec<(Affix, Tree)>,
    /// The variables for the rest of the URI, those with the longest text before them first.
    rests: Vec<(Box<str>, usize)>,
    /// The template that ends here.
    here: Option<usize>,
}

impl Tree {
    /// Adds a template, which must not match exactly the URIs of another.
    pub(super) fn add(&mut self, pattern: &[Segment], number: usize) {
        let mut tree = self;
        for segment in pattern {
            tree = match segment {
                Segment::Literal(text) => tree.literals.entry(text.clone()).or_default(),
                Segment::Variable(affix) => {
                    let known = tree.variables.iter().position(|(other, _)| other == affix);
                    let at = known.unwrap_or_else(|| {
                        let longer = |(other, _): &(Affix, _)| other.length() >= affix.length();
                        let at = tree.variables.partition_point(longer);
                        tree.variables.insert(at, (affix.clone(), Self::default()));
                        at
                    });
                    &mut tree.variables[at].1
                }
                Segment::Rest(before) => {
                    let longer = |(other, _): &(Box<str>, _)| other.len() >= before.len();
                    let at = tree.rests.partition_point(longer);
                    tree.rests.insert(at, (before.clone(), number));
                    return;
                }
            };
        }
        tree.here = Some(number);
    }

    /// The narrowest template that a canonical URI matches, and the texts of its variables.
    pub(super) fn find<'u>(&self, uri: &'u str) -> Option<(usize, Vec<&'u str>)> {
        let mut values = vec![];
        let number = self.descend(Some(uri), &mut values)?;
        Some((number, values))
    }

    /// Each node is visited at most once, because its depth is the number of segments before it.
    fn descend<'u>(&self, uri: Option<&'u str>, values: &mut Vec<&'u str>) -> Option<usize> {
        let Some(uri) = uri else { return self.here };
        let (segment, rest) = match uri.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (uri, None),
        };
        if let Some(tree) = self.literals.get(segment)
            && let Some(found) = tree.descend(rest, values)
        {
            return Some(found);
        }
        for (affix, tree) in &self.variables {
            let Some(value) = affix.value(segment) else { continue };
            values.push(value);
            if let Some(found) = tree.descend(rest, values) {
                return Some(found);
            }
            values.pop();
        }
        self.rests.iter().find_map(|(before, number)| {
            let value = uri.strip_prefix(&**before).filter(|value| !value.is_empty())?;
            values.push(value);
            Some(*number)
        })
    }

    /// The templates that share a URI with this pattern.
    pub(super) fn overlapping(&self, pattern: &[Segment], found: &mut Vec<usize>) {
        match pattern {
            [] => found.extend(self.here),
            [first, rest @ ..] => {
                let mut below = |tree: &Self, segment: &Segment| {
                    match first {
                        // The rest of the pattern matches whatever follows.
                        Segment::Rest(before) => {
                            let text = match segment {
                                Segment::Literal(text) => text.starts_with(&**before),
                                Segment::Variable(affix) => agree(&affix.before, before),
                                Segment::Rest(_) => false,
                            };
                            if text {
                                tree.all(found);
                            }
                        }
                        _ if overlap(
                            std::slice::from_ref(first),
                            std::slice::from_ref(segment),
                        ) =>
                        {
                            tree.overlapping(rest, found);
                        }
                        _ => {}
                    }
                };
                if let Segment::Literal(text) = first {
                    if let Some(tree) = self.literals.get(text) {
                        below(tree, first);
                    }
                } else {
                    for (text, tree) in &self.literals {
                        below(tree, &Segment::Literal(text.clone()));
                    }
                }
                for (affix, tree) in &self.variables {
                    below(tree, &Segment::Variable(affix.clone()));
                }
                for (before, number) in &self.rests {
                    if overlap(pattern, &[Segment::Rest(before.clone())]) {
                        found.push(*number);
                    }
                }
            }
        }
    }

    /// All templates.
    fn all(&self, found: &mut Vec<usize>) {
        found.extend(self.here);
        found.extend(self.rests.iter().map(|(_, number)| *number));
        let literals = self.literals.values();
        for tree in literals.chain(self.variables.iter().map(|(_, tree)| tree)) {
            tree.all(found);
        }
    }
}
