//! The Rust code of the README and of the book, compiled as doctests.
//!
//! Each block must compile without any feature of this crate, because CI builds it without them too.

macro_rules! pages {
    ($($name:ident = $path:literal,)+) => {$(
        #[doc = include_str!(concat!("../../", $path))]
        struct $name;
    )+};
}

pages! {
    Readme = "README.md",
    Tools = "docs/src/authors/tools.md",
    ResourcesAndPrompts = "docs/src/authors/resources-and-prompts.md",
    LongerCalls = "docs/src/authors/longer-calls.md",
    Testing = "docs/src/authors/testing.md",
    Mounting = "docs/src/authors/mounting.md",
}
