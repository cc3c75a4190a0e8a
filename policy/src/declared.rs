//! The declared scopes: what authors wrote in `#[scoped_tool]` and its siblings, as plain data.

use std::{fmt, sync::Arc};

use super::{Feature, Object, Scope};

/// The place in a Rust source file where a tool, resource or prompt was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    file: &'static str,
    line: u32,
    column: u32,
}

impl Location {
    /// Makes a place in a source file. Line and column count from 1.
    pub const fn new(file: &'static str, line: u32, column: u32) -> Self {
        Self { file, line, column }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One annotated tool, resource or prompt with its declared scopes. The policy may ask for more than
/// the declared scopes, and for less only with a reason (`relax`).
#[derive(Debug, Clone, Copy)]
pub struct Declaration {
    feature: Feature,
    name: &'static str,
    scopes: &'static [&'static str],
    optional: &'static [&'static str],
    read_only: Option<bool>,
    destructive: Option<bool>,
    location: Location,
    arguments: Option<fn() -> Arc<Object>>,
    only_answers: bool,
}

impl Declaration {
    /// Makes a declaration. `#[scoped_tools]` calls this in a constant, so that a scope that is not
    /// an RFC 6749 scope-token does not compile.
    ///
    /// # Panics
    ///
    /// If a scope is not a scope-token.
    pub const fn new(
        feature: Feature,
        name: &'static str,
        scopes: &'static [&'static str],
        optional: &'static [&'static str],
        location: Location,
    ) -> Self {
        assert_scopes(scopes);
        assert_scopes(optional);
        Self {
            feature,
            name,
            scopes,
            optional,
            read_only: None,
            destructive: None,
            location,
            arguments: None,
            only_answers: false,
        }
    }

    /// The same tool, marked as sending nothing before its result, because no parameter of its method
    /// lets it send a notification or a question.
    #[must_use]
    pub const fn answering_only(self) -> Self {
        Self { only_answers: true, ..self }
    }

    /// The same tool with its annotations: MCP's `readOnlyHint` and `destructiveHint`.
    #[must_use]
    pub const fn with_hints(self, read_only: Option<bool>, destructive: Option<bool>) -> Self {
        Self { read_only, destructive, ..self }
    }

    /// The same declaration with the JSON Schema of its arguments. The lint checks the conditions of
    /// the rule against that schema.
    #[must_use]
    pub const fn with_arguments(self, arguments: fn() -> Arc<Object>) -> Self {
        Self { arguments: Some(arguments), ..self }
    }

    /// Whether this is a tool, a resource or a prompt.
    pub const fn feature(&self) -> Feature {
        self.feature
    }

    /// The name in MCP; for a resource, the URI or URI template.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The declared scopes: by its author, a caller must hold all of them.
    pub const fn scopes(&self) -> &'static [&'static str] {
        self.scopes
    }

    /// The scopes that the tool asks about itself (`optional`), to answer more to some callers.
    pub const fn optional(&self) -> &'static [&'static str] {
        self.optional
    }

    /// Whether a use changes nothing. A tool changes nothing only if its annotations say so, as in
    /// MCP; resources and prompts never change anything.
    pub const fn is_read_only(&self) -> bool {
        !matches!(self.feature, Feature::Tool) || matches!(self.read_only, Some(true))
    }

    /// Whether a use may destroy something: MCP's default for a tool that is not read-only.
    pub const fn is_destructive(&self) -> bool {
        !self.is_read_only() && !matches!(self.destructive, Some(false))
    }

    /// Whether it is known what a use changes: from the annotations of a tool; always for the others.
    pub const fn says_what_it_changes(&self) -> bool {
        !matches!(self.feature, Feature::Tool)
            || self.read_only.is_some()
            || self.destructive.is_some()
    }

    /// Whether the tool sends nothing before its result: no notification and no question.
    pub const fn only_answers(&self) -> bool {
        self.only_answers
    }

    /// The place of the declaration in its source file.
    pub const fn location(&self) -> Location {
        self.location
    }

    /// The JSON Schema of the arguments, if it is known.
    pub fn arguments(&self) -> Option<Arc<Object>> {
        self.arguments.map(|schema| schema())
    }
}

const fn assert_scopes(scopes: &[&str]) {
    let mut index = 0;
    while index < scopes.len() {
        assert!(Scope::is_valid(scopes[index]), "not a scope-token (RFC 6749, section 3.3)");
        index += 1;
    }
}

/// Every tool, resource and prompt that a server offers, as declared.
#[derive(Debug, Clone, Copy)]
pub struct Registry(&'static [Declaration]);

impl Registry {
    /// Makes a registry. `#[scoped_tools]` calls this in a constant.
    pub const fn new(declarations: &'static [Declaration]) -> Self {
        Self(declarations)
    }

    /// All declarations, in the order of the methods in the source.
    pub const fn all(&self) -> &'static [Declaration] {
        self.0
    }

    /// The declarations of one feature.
    pub fn of(&self, feature: Feature) -> impl Iterator<Item = &'static Declaration> + Clone {
        self.0.iter().filter(move |declaration| declaration.feature == feature)
    }

    /// The declaration of a feature and name.
    pub fn get(&self, feature: Feature, name: &str) -> Option<&'static Declaration> {
        self.of(feature).find(|declaration| declaration.name == name)
    }
}
