//! What the tools' authors declared: readable without running anything.

use std::fmt;

use rmcp::handler::server::router::tool::ToolRouter;

use crate::policy::Scope;

/// Where a tool was declared.
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

/// One annotated tool and the scopes that it declares: the floor that the policy may raise, and
/// may lower only with a reason.
#[derive(Debug, Clone, Copy)]
pub struct DeclaredTool {
    name: &'static str,
    scopes: &'static [&'static str],
    optional: &'static [&'static str],
    read_only: Option<bool>,
    destructive: Option<bool>,
    location: Location,
}

impl DeclaredTool {
    /// Made by `#[scoped_tools]`, in a constant: a scope that is not an RFC 6749 scope-token does
    /// not compile.
    ///
    /// # Panics
    ///
    /// On such a scope, at compile time.
    pub const fn new(
        name: &'static str,
        scopes: &'static [&'static str],
        optional: &'static [&'static str],
        location: Location,
    ) -> Self {
        assert_scopes(scopes);
        assert_scopes(optional);
        Self { name, scopes, optional, read_only: None, destructive: None, location }
    }

    /// The same tool with what its annotations say: MCP's `readOnlyHint` and `destructiveHint`.
    #[must_use]
    pub const fn with_hints(self, read_only: Option<bool>, destructive: Option<bool>) -> Self {
        Self { read_only, destructive, ..self }
    }

    /// The tool's name as MCP sees it.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The scopes that the author says a caller must hold, all of them.
    pub const fn scopes(&self) -> &'static [&'static str] {
        self.scopes
    }

    /// The scopes that the tool asks for itself, to answer more.
    pub const fn optional(&self) -> &'static [&'static str] {
        self.optional
    }

    /// Whether its annotations say that it changes nothing; MCP's default is that it may.
    pub const fn is_read_only(&self) -> bool {
        matches!(self.read_only, Some(true))
    }

    /// Whether it may destroy something: MCP's default for a tool that is not read-only.
    pub const fn is_destructive(&self) -> bool {
        !self.is_read_only() && !matches!(self.destructive, Some(false))
    }

    /// Whether its annotations say anything about what it changes.
    pub const fn says_what_it_changes(&self) -> bool {
        self.read_only.is_some() || self.destructive.is_some()
    }

    /// Where it was declared.
    pub const fn location(&self) -> Location {
        self.location
    }
}

const fn assert_scopes(scopes: &[&str]) {
    let mut index = 0;
    while index < scopes.len() {
        assert!(Scope::is_valid(scopes[index]), "not a scope-token (RFC 6749, section 3.3)");
        index += 1;
    }
}

/// Every tool of a server.
#[derive(Debug, Clone, Copy)]
pub struct Registry(&'static [DeclaredTool]);

impl Registry {
    /// Made by `#[scoped_tools]`, in a constant.
    pub const fn new(tools: &'static [DeclaredTool]) -> Self {
        Self(tools)
    }

    /// The tools in the order of their methods.
    pub const fn tools(&self) -> &'static [DeclaredTool] {
        self.0
    }

    /// The tool of this name.
    pub fn get(&self, name: &str) -> Option<&'static DeclaredTool> {
        self.0.iter().find(|tool| tool.name == name)
    }
}

/// A server's tools, as `#[scoped_tools]` implements them. Not meant to be implemented by hand.
pub trait ScopedTools: Send + Sync + Sized + 'static {
    /// What the tools declare.
    const REGISTRY: Registry;

    /// The server's name and version, as MCP's `serverInfo` gives them.
    const SERVER: (&'static str, &'static str);

    /// The tools, each behind its check.
    fn tool_router() -> ToolRouter<Self>;
}
