//! Medians with their spread, and ratios.

use std::fmt;

/// The results of several rounds, one number for each.
#[derive(Debug, Clone)]
pub struct Rounds(Vec<f64>);

impl Rounds {
    /// Sorts the results, one number for each round.
    pub fn new(mut rounds: Vec<f64>) -> Self {
        rounds.sort_unstable_by(f64::total_cmp);
        Self(rounds)
    }

    /// The median of the rounds.
    pub fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        match &*self.0 {
            [] => f64::NAN,
            all if all.len() % 2 == 1 => all[middle],
            all => f64::midpoint(all[middle - 1], all[middle]),
        }
    }
}

/// Prints the median, the lowest and the highest result.
impl fmt::Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(0);
        let ends = |of: Option<&f64>| of.copied().unwrap_or(f64::NAN);
        write!(
            f,
            "{:>10.digits$}  ({:.digits$} … {:.digits$})",
            self.median(),
            ends(self.0.first()),
            ends(self.0.last())
        )
    }
}
