//! Numbers of things, as sentences write them.

use std::fmt::Display;

/// A number with its noun in the right form: "1 rule", "2 rules". The plural has an `s` at its end.
///
/// ```
/// use scopeward_policy::diagnostic::counted;
///
/// assert_eq!(counted(1, "rule"), "1 rule");
/// assert_eq!(counted(0, "rule"), "0 rules");
/// ```
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    let plural = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
