//! Tests that each kind of bad change is found, with a message that names the place and the fix.

use crate::check;

/// The messages for a crate of these files, the root file first.
pub(crate) fn findings(files: &[(&str, &str)]) -> Vec<String> {
    let text_of = |path: &str| {
        files.iter().find(|(file, _)| *file == path).map(|(_, text)| (*text).to_owned())
    };
    check::findings(files[0].0, &text_of)
}

const ADVICE: &str = "Move what they share into a module below them, or pass it in as an argument.";

#[test]
fn two_modules_that_use_each_other() {
    let found = findings(&[
        ("policy/src/lib.rs", "mod a;\nmod b;"),
        ("policy/src/a.rs", "\nuse crate::b::{one, two as deux};\n\npub struct Thing;"),
        ("policy/src/b.rs", "use super::a::Thing;\n\npub fn one() {}\npub fn two() {}"),
    ]);
    assert_eq!(
        found,
        [format!(
            "`a` and `b` use each other:\n  \
               `policy/src/a.rs:2` takes `one` and `two` from `b`\n  \
               `policy/src/b.rs:1` takes `Thing` from `a`\n\
             {ADVICE} Fewest names: `Thing`, which `b` takes from `a`."
        )]
    );
}

#[test]
fn a_circle_through_re_exports() {
    let found = findings(&[
        ("policy/src/lib.rs", "mod a;\nmod b;\npub use a::*;\npub(crate) use b::inner::Other;"),
        ("policy/src/a.rs", "use crate::Other;\n\npub struct Thing;"),
        ("policy/src/b.rs", "pub(crate) mod inner;"),
        ("policy/src/b/inner.rs", "use crate::Thing as It;\n\npub(crate) struct Other(It);"),
    ]);
    assert_eq!(
        found,
        [format!(
            "`a` and `b` use each other:\n  \
               `policy/src/a.rs:1` takes `Other` from `b::inner`\n  \
               `policy/src/b/inner.rs:1` takes `Thing` from `a`\n\
             {ADVICE} Fewest names: `Other`, which `a` takes from `b`."
        )]
    );
}

#[test]
fn a_circle_of_three_between_children() {
    let found = findings(&[
        ("policy/src/lib.rs", "mod lint;"),
        ("policy/src/lint.rs", "mod a;\nmod b;\nmod c;"),
        ("policy/src/lint/a.rs", "use super::b::B;\n\npub struct A;\npub const MOST: u8 = 1;"),
        ("policy/src/lint/b.rs", "use super::c;\n\npub struct B(c::C);"),
        ("policy/src/lint/c.rs", "use super::a::{A, MOST};\n\npub struct C;"),
    ]);
    assert_eq!(
        found,
        [format!(
            "`lint::a`, `lint::b` and `lint::c` use each other in a circle:\n  \
               `policy/src/lint/a.rs:1` takes `B` from `lint::b`\n  \
               `policy/src/lint/b.rs:1` takes `C` from `lint::c`\n  \
               `policy/src/lint/c.rs:1` takes `A` and `MOST` from `lint::a`\n\
             {ADVICE} Fewest names: `B`, which `lint::a` takes from `lint::b`."
        )]
    );
}

#[test]
fn the_shortest_circle_is_named_and_the_others_are_mentioned() {
    let found = findings(&[
        ("policy/src/lib.rs", "mod a;\nmod b;\nmod c;"),
        ("policy/src/a.rs", "use crate::b::B;\n\npub struct A;"),
        ("policy/src/b.rs", "use crate::c::C;\n\npub struct B;"),
        ("policy/src/c.rs", "use crate::{a::A, b::B};\n\npub struct C;"),
    ]);
    assert_eq!(
        found,
        [format!(
            "`b` and `c` use each other:\n  \
               `policy/src/b.rs:1` takes `C` from `c`\n  \
               `policy/src/c.rs:1` takes `B` from `b`\n\
             {ADVICE} Fewest names: `C`, which `b` takes from `c`. More circles go through `a`."
        )]
    );
}

#[test]
fn a_long_list_of_imports_is_cut() {
    let found = findings(&[
        ("policy/src/lib.rs", "mod a;\nmod b;"),
        ("policy/src/a.rs", "use crate::b::{\nA,\nB,\nC,\nD,\nE,\nF,\nG\n};\n\npub struct Thing;"),
        ("policy/src/b.rs", "use crate::a::Thing;\n\nitems! { A B C D E F G }"),
    ]);
    let [message] = &found[..] else { panic!("{found:?}") };
    let lines: Vec<_> = message.lines().skip(5).take(3).collect();
    assert_eq!(
        lines,
        [
            "  `policy/src/a.rs:6` takes `E` from `b`",
            "  … and 2 more like these",
            "  `policy/src/b.rs:1` takes `Thing` from `a`",
        ]
    );
}

/// A crate of two rooms, where `identity` has this text.
fn identity(text: &str) -> Vec<String> {
    findings(&[
        (
            "scopeward/src/lib.rs",
            "extern crate self as scopeward;\nmod identity;\nmod mcp;\npub use mcp::Refusal;",
        ),
        ("scopeward/src/identity.rs", text),
        ("scopeward/src/mcp.rs", "pub struct Refusal;\npub fn call() {}"),
    ])
}

/// The message for an import that goes up from `identity` to `mcp`.
fn upward(line: usize, name: &str) -> String {
    format!(
        "`scopeward/src/identity.rs:{line}` takes `{name}` from `mcp`, which stands above \
         `identity`: move what it needs down into `identity` or below, or give it what it needs \
         as an argument."
    )
}

#[test]
fn an_import_that_goes_up() {
    assert_eq!(identity("use crate::mcp::Refusal;"), [upward(1, "Refusal")]);
    assert_eq!(identity("use crate::Refusal;"), [upward(1, "Refusal")]);
    assert_eq!(identity("use super::mcp::*;\nfn f() {\n    call()\n}"), [upward(1, "call")]);
    assert_eq!(identity("use super::*;\nfn f(_: Refusal) {}"), [upward(1, "Refusal")]);
}

#[test]
fn a_path_that_goes_up() {
    assert_eq!(identity("fn f() {\n    crate::mcp::call();\n}"), [upward(2, "call")]);
    assert_eq!(
        identity("fn f() {\n    use crate::mcp as it;\n    it::call();\n}"),
        [upward(2, "call")]
    );
    assert_eq!(identity("struct S(Vec<super::mcp::Refusal>);"), [upward(1, "Refusal")]);
    assert_eq!(identity("impl From<S> for scopeward::Refusal {}"), [upward(1, "Refusal")]);
    assert_eq!(
        identity("fn f(s: S) {\n    let ::scopeward::Refusal = s;\n}"),
        [upward(2, "Refusal")]
    );
}

#[test]
fn a_path_in_a_macro_or_an_attribute_that_goes_up() {
    assert_eq!(
        identity("fn f() {\n    log!(\"{}\", [crate::mcp::call()]);\n}"),
        [upward(2, "call")]
    );
    assert_eq!(identity("macro_rules! m { () => { $crate::mcp::call() } }"), [upward(1, "call")]);
    assert_eq!(
        identity("struct S {\n    #[serde(with = \"crate::mcp::call\")]\n    a: u8,\n}"),
        [upward(2, "call")]
    );
}

#[test]
fn a_name_that_only_a_macro_defines() {
    assert_eq!(identity("use crate::mcp::Generated;"), [upward(1, "Generated")]);
}

#[test]
fn rooms_of_one_row() {
    let found = findings(&[
        ("scopeward/src/lib.rs", "mod gate;\nmod issuer;"),
        ("scopeward/src/gate.rs", "pub mod challenge {\n    use crate::issuer::Issuer;\n}"),
        ("scopeward/src/issuer.rs", "pub struct Issuer;"),
    ]);
    assert_eq!(
        found,
        ["`scopeward/src/gate.rs:2` takes `Issuer` from `issuer`, which stands beside `gate`: \
             move what it needs down into `gate` or below, or give it what it needs as an argument."]
    );
}

#[test]
fn a_room_without_a_place() {
    let found = findings(&[
        ("scopeward/src/lib.rs", "mod gate;\nmod manager;"),
        ("scopeward/src/gate.rs", ""),
        ("scopeward/src/manager.rs", ""),
    ]);
    assert_eq!(
        found,
        ["The room `manager` has no place: add it to `ORDER` in `tests/architecture/rooms.rs`."]
    );
}

#[test]
fn a_file_that_cannot_be_read() {
    let found = findings(&[("policy/src/lib.rs", "mod a;\nmod b;"), ("policy/src/b.rs", "\n}")]);
    let [missing, wrong] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        missing,
        "`policy/src/lib.rs` declares `mod a;`, but has no `policy/src/a.rs` or \
         `policy/src/a/mod.rs`."
    );
    assert!(wrong.starts_with("`policy/src/b.rs:2` is not Rust: "), "{wrong}");
}
