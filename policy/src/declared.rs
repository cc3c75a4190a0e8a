//! What the authors of tools, resources and prompts declared: readable without running anything.

use std::{fmt, sync::Arc};

use super::{Feature, Object, Scope};

/// Where something was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    file: &'static str,
    line: u32,
    column: u32,
}

impl Location {
    /// A place in a source file; line and column count from 1.
    pub const fn new(file: &'static str, line: u32, column: u32) -> Self {
        Self { file, line, column }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One annotated tool, resource or prompt and the scopes that it declares: the floor that the policy
/// may raise, and may lower only with a reason.
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
    /// Made by `#[scoped_tools]`, in a constant: a scope that is not an RFC 6749 scope-token does
    /// not compile.
    ///
    /// # Panics
    ///
    /// On such a scope, at compile time.
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

    /// The same tool, whose parameters are known to have nothing in them by which it could tell or
    /// ask its caller something before it answers.
    #[must_use]
    pub const fn answering_only(self) -> Self {
        Self { only_answers: true, ..self }
    }

    /// The same tool with what its annotations say: MCP's `readOnlyHint` and `destructiveHint`.
    #[must_use]
    pub const fn with_hints(self, read_only: Option<bool>, destructive: Option<bool>) -> Self {
        Self { read_only, destructive, ..self }
    }

    /// The same with the JSON Schema of its arguments, against which the conditions of its rule
    /// are checked.
    #[must_use]
    pub const fn with_arguments(self, arguments: fn() -> Arc<Object>) -> Self {
        Self { arguments: Some(arguments), ..self }
    }

    /// Whether it is a tool, a resource or a prompt.
    pub const fn feature(&self) -> Feature {
        self.feature
    }

    /// Its name as MCP sees it; of a resource its URI or URI template.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The scopes that the author says a caller must hold, all of them.
    pub const fn scopes(&self) -> &'static [&'static str] {
        self.scopes
    }

    /// The scopes that it asks for itself, to answer more.
    pub const fn optional(&self) -> &'static [&'static str] {
        self.optional
    }

    /// Whether it changes nothing: a tool whose annotations say so (MCP's default is that it may);
    /// resources and prompts never do.
    pub const fn is_read_only(&self) -> bool {
        !matches!(self.feature, Feature::Tool) || matches!(self.read_only, Some(true))
    }

    /// Whether it may destroy something: MCP's default for a tool that is not read-only.
    pub const fn is_destructive(&self) -> bool {
        !self.is_read_only() && !matches!(self.destructive, Some(false))
    }

    /// Whether anything says what it changes.
    pub const fn says_what_it_changes(&self) -> bool {
        !matches!(self.feature, Feature::Tool)
            || self.read_only.is_some()
            || self.destructive.is_some()
    }

    /// Whether its answer is all that it says: no notification and no question goes before it.
    pub const fn only_answers(&self) -> bool {
        self.only_answers
    }

    /// Where it was declared.
    pub const fn location(&self) -> Location {
        self.location
    }

    /// The JSON Schema of its arguments, if it is known.
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

/// Everything that a server offers.
#[derive(Debug, Clone, Copy)]
pub struct Registry(&'static [Declaration]);

impl Registry {
    /// Made by `#[scoped_tools]`, in a constant.
    pub const fn new(declarations: &'static [Declaration]) -> Self {
        Self(declarations)
    }

    /// All declarations, in the order of their methods.
    pub const fn all(&self) -> &'static [Declaration] {
        self.0
    }

    /// Those of one feature.
    pub fn of(&self, feature: Feature) -> impl Iterator<Item = &'static Declaration> + Clone {
        self.0.iter().filter(move |declaration| declaration.feature == feature)
    }

    /// The declaration of this name.
    pub fn get(&self, feature: Feature, name: &str) -> Option<&'static Declaration> {
        self.of(feature).find(|declaration| declaration.name == name)
    }
}
