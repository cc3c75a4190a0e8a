//! One file for each lint, and the list of them.

mod prelude;

use super::Lint;

/// Declares a file of each name as a module, whose lint is its `LINT`, and lists them.
macro_rules! lints {
    ($($file:ident,)*) => {
        $(pub(in crate::lint) mod $file;)*

        /// Every lint, in the order of their ids.
        pub static LINTS: &[&Lint] = &[$(&$file::LINT),*];
    };
}

// A new lint is a file in `lints/` and a line here. The order is that of the ids.
lints! {
    tool_without_policy,
    unknown_tool,
    weakened,
    unreachable_tool,
    undeclared_scope,
    failed_test,
    broken_invariant,
    wrong_condition,
    absent_argument,
    unregistered_scope,
    unused_scope,
    idle_scope,
    stale_relax,
    stale_allow,
    redundant_implies,
    redundant_scope,
    covered_alternative,
    read_scope_for_change,
    admin_for_reading,
    open_destructive_tool,
    look_alike_names,
    broad_scope,
    step_up_bypassed,
    deprecated_key,
    old_snapshot,
}
