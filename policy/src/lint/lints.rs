//! The list of the lints; each lint is one file in this folder.

mod prelude;

use super::Lint;

/// Declares a module for each file, and lists the `LINT` of each.
macro_rules! lints {
    ($($file:ident,)*) => {
        $(pub(in crate::lint) mod $file;)*

        /// Every lint, in the order of the ids.
        pub static LINTS: &[&Lint] = &[$(&$file::LINT),*];
    };
}

// To add a lint: write its file in `lints/`, and add its name here. The order is that of the ids.
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
    unfilled_field,
    declared_twice,
    narrower_resource,
    unread_variable,
    provider_setup,
    provider_sign_in,
    undeclared_anonymous,
    anonymous_change,
}
