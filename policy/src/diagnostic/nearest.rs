//! "Did you mean": the known name that is most like a wrong one, with bounded work.

use std::cell::Cell;

/// The longest name, in bytes, that a suggestion is looked for. The comparison takes time that grows
/// with the square of the length, and nobody misspells longer names.
const LONGEST: usize = 200;
/// The most steps that one run of a compiler or a lint spends on suggestions: about a tenth of a
/// second. A run with thousands of wrong names has one cause, which the first suggestions show.
const MOST_STEPS: usize = 10_000_000;

/// The known name that is most like `wrong`, for "did you mean"; `None` if no name is like it.
///
/// The work is bounded: there is no suggestion for a name of more than 200 bytes, nor for one that
/// has too many known names to compare with.
///
/// ```
/// use scopeward_policy::diagnostic::nearest;
///
/// assert_eq!(nearest("creat_todo", ["create_todo", "get_todo"]), Some("create_todo"));
/// assert_eq!(nearest("zebra", ["create_todo", "get_todo"]), None);
/// ```
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    Suggestions::default().nearest(wrong, known)
}

/// Finds the nearest names for one run of a compiler or a lint. The run shares one bound, because
/// each wrong name is compared with each known one.
#[derive(Debug)]
pub(crate) struct Suggestions {
    steps_left: Cell<usize>,
}

impl Default for Suggestions {
    fn default() -> Self {
        Self { steps_left: Cell::new(MOST_STEPS) }
    }
}

impl Suggestions {
    /// The known name that is most like `wrong`. `None` if no name is like it, or if the run has no
    /// steps left.
    pub(crate) fn nearest<'a>(
        &self,
        wrong: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        if wrong.len() > LONGEST {
            return None;
        }
        let length = wrong.chars().count();
        let limit = (length / 3).max(2);
        let letters = Letters::of(wrong);
        let mut found: Option<(usize, &str)> = None;
        for name in known {
            if !self.spend(1) {
                return None;
            }
            if name.len() > LONGEST || name.len().abs_diff(wrong.len()) > limit * char::MAX_LEN_UTF8
            {
                continue;
            }
            // Of two names as near, the first one in the order of the alphabet.
            let is_better = |distance| found.is_none_or(|best| (distance, name) < best);
            if !self.spend(name.len() / 8) {
                return None;
            }
            let least = letters.least_distance(&Letters::of(name));
            if least > limit || !is_better(least) {
                continue;
            }
            if !self.spend(length * name.len()) {
                return None;
            }
            let distance = strsim::damerau_levenshtein(wrong, name);
            if distance <= limit && is_better(distance) {
                found = Some((distance, name));
            }
        }
        found.map(|(_, name)| name)
    }

    /// Takes steps from the bound of the run. `false` if not as many are left.
    pub(crate) fn spend(&self, steps: usize) -> bool {
        let left = self.steps_left.get().checked_sub(steps);
        self.steps_left.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// How often each of 32 groups of characters stands in a name. One edit of a name changes two of
/// these numbers by one at most, and so gives a bound of the distance that is quick to compute.
struct Letters([u8; 32]);

impl Letters {
    fn of(name: &str) -> Self {
        let mut counts = [0_u8; 32];
        for character in name.chars() {
            let count = &mut counts[u32::from(character) as usize % 32];
            *count = count.saturating_add(1);
        }
        Self(counts)
    }

    /// The least number of edits that can lie between two names.
    fn least_distance(&self, other: &Self) -> usize {
        let pairs = || self.0.iter().zip(&other.0);
        let more: usize = pairs().map(|(one, two)| usize::from(one.saturating_sub(*two))).sum();
        let less: usize = pairs().map(|(one, two)| usize::from(two.saturating_sub(*one))).sum();
        more.max(less)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_nearest_name_must_be_near() {
        assert_eq!(nearest("creat_todo", ["create_todo", "get_todo"]), Some("create_todo"));
        assert_eq!(nearest("zebra", ["create_todo", "get_todo"]), None);
    }

    #[test]
    fn the_work_is_bounded() {
        let suggestions = Suggestions::default();
        let known: Vec<String> = (0..10_000).map(|n| format!("read_thing_{n}")).collect();
        for n in 0..10_000 {
            let wrong = format!("reed_think_{n}");
            let found = suggestions.nearest(&wrong, known.iter().map(String::as_str));
            assert!(n > 0 || found == Some("read_thing_0"), "{found:?}");
        }
        assert_eq!(suggestions.steps_left.get(), 0);
        let long = "x".repeat(100_000);
        assert_eq!(nearest(&long, ["x", &long]), None);
        assert_eq!(nearest("x", [&*long]), None);
    }

    proptest! {
        /// The bounds leave no name out that is near.
        #[test]
        fn the_answer_is_that_of_a_full_comparison(
            wrong in "[a-dö]{0,9}",
            known in proptest::collection::vec("[a-dö_]{0,9}", 0..12),
        ) {
            let limit = (wrong.chars().count() / 3).max(2);
            let all = known.iter().map(|name| (strsim::damerau_levenshtein(&wrong, name), name));
            let full = all.filter(|(distance, _)| *distance <= limit).min();
            let found = nearest(&wrong, known.iter().map(String::as_str));
            prop_assert_eq!(found, full.map(|(_, name)| name.as_str()));
        }
    }
}
