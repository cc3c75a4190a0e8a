//! What does not compile, and what the author is told.

#[test]
fn mistakes_are_told_at_their_place() {
    trybuild::TestCases::new().compile_fail("tests/fail/*.rs");
}
