//! Tests that changes which the rules allow are not reported.

use crate::bad_changes::findings;

#[test]
fn an_import_that_only_tests_have() {
    let test_only = "use crate::b::other;\n#[cfg(test)]\nmod tests;\n\
        #[cfg(any(test, doctest))]\nmod more { use crate::a::Thing; }\n\
        #[cfg(all(test, unix))]\nuse crate::a::Thing;\n\
        struct S;\nimpl S {\n    #[cfg(test)]\n    fn f() -> crate::a::Thing {}\n}\n\
        fn g() {\n    #[cfg(test)]\n    crate::a::h();\n}\n\
        #[test]\nfn t() { crate::a::h(); }";
    assert_eq!(
        findings(&[
            ("policy/src/lib.rs", "mod a;\nmod b;"),
            ("policy/src/a.rs", "use crate::b::other;\n\npub struct Thing;\npub fn h() {}"),
            ("policy/src/b.rs", test_only),
            ("policy/src/b/tests.rs", "use crate::a::Thing;"),
        ]),
        [] as [&str; 0]
    );
}

#[test]
fn a_parent_and_its_child() {
    assert_eq!(
        findings(&[
            ("policy/src/lib.rs", "mod a;\npub struct Root(a::A);"),
            ("policy/src/a.rs", "mod child;\n\npub struct A(child::C);\npub use child::C;"),
            ("policy/src/a/child.rs", "use super::A;\n\npub struct C(Box<A>, crate::Root);"),
        ]),
        [] as [&str; 0]
    );
}

#[test]
fn a_parent_that_re_exports() {
    // `b` names `a` only to reach `c`, which `a` re-exports.
    assert_eq!(
        findings(&[
            ("policy/src/lib.rs", "mod a;\nmod b;\nmod c;\npub use self::{a::A, b::B};"),
            ("policy/src/a.rs", "use crate::B;\npub(crate) use crate::c::C;\n\npub struct A(B);"),
            ("policy/src/b.rs", "use crate::{a, a::C as D};\n\npub struct B(a::C, D);"),
            ("policy/src/c.rs", "pub(crate) struct C;"),
        ]),
        [] as [&str; 0]
    );
}

#[test]
fn an_import_that_goes_down() {
    assert_eq!(
        findings(&[
            (
                "scopeward/src/lib.rs",
                "mod cli;\nmod gate;\nmod http;\nmod mcp;\nmod file;\n\
                 pub use scopeward_policy as policy;\npub use rmcp;\n\
                 pub mod __private { pub use crate::mcp::Handler; }",
            ),
            ("scopeward/src/cli.rs", "use crate::{gate::Gate, mcp::Handler};"),
            ("scopeward/src/gate.rs", "use crate::{mcp::*, policy::Scope};\n\npub struct Gate;"),
            ("scopeward/src/mcp.rs", "use crate::http;\n\npub struct Handler(http::Peer);"),
            ("scopeward/src/http.rs", "use crate::file::trim;\n\npub struct Peer;"),
            ("scopeward/src/file.rs", "use crate::policy::cli;\n\npub fn trim() {}"),
        ]),
        [] as [&str; 0]
    );
}

#[test]
fn a_local_variable_with_the_name_of_an_import() {
    assert_eq!(
        findings(&[
            ("policy/src/lib.rs", "mod a;\nmod b;"),
            ("policy/src/a.rs", "use crate::b::*;\n\npub fn list() {}\npub fn f() { other() }"),
            ("policy/src/b.rs", "pub fn other() {}\nfn f(a: u8) -> u8 { dbg!(a) + a }"),
        ]),
        [] as [&str; 0]
    );
}

#[test]
fn files_in_other_places() {
    assert_eq!(
        findings(&[
            (
                "policy/src/lib.rs",
                "mod a;\nmod inner {\n    mod b;\n}\n#[path = \"other/c.rs\"]\nmod c;",
            ),
            ("policy/src/a/mod.rs", "mod child;"),
            ("policy/src/a/child.rs", "use std::fmt;"),
            ("policy/src/inner/b.rs", ""),
            ("policy/src/other/c.rs", ""),
        ]),
        [] as [&str; 0]
    );
}
