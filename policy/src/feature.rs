//! MCP's server features: tools, resources and prompts.

use std::fmt;

/// A feature of MCP that a rule can be about. Messages, audit records and JSON all use the same word
/// for it.
///
/// ```
/// use scopeward_policy::Feature;
///
/// let tool = Feature::Tool;
/// assert_eq!((tool.word(), tool.table(), tool.attribute()), ("tool", "tools", "scoped_tool"));
/// assert_eq!((tool.verb(), tool.participle()), ("call", "called"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// A tool, by its name: `tools/call`.
    Tool,
    /// A resource or a resource template, by its URI or URI template: `resources/read`.
    Resource,
    /// A prompt, by its name: `prompts/get`.
    Prompt,
}

impl Feature {
    /// All features, in the order of the policy's tables.
    pub const ALL: [Self; 3] = [Self::Tool, Self::Resource, Self::Prompt];

    /// The word for one: `tool`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Resource => "resource",
            Self::Prompt => "prompt",
        }
    }

    /// The policy's table for the feature: `tools`.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Tool => "tools",
            Self::Resource => "resources",
            Self::Prompt => "prompts",
        }
    }

    /// The verb for using one: `call`.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Tool => "call",
            Self::Resource => "read",
            Self::Prompt => "get",
        }
    }

    /// The participle for using one: `called`.
    pub const fn participle(self) -> &'static str {
        match self {
            Self::Tool => "called",
            Self::Resource => "read",
            Self::Prompt => "got",
        }
    }

    /// The attribute that declares one: `scoped_tool`.
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Tool => "scoped_tool",
            Self::Resource => "scoped_resource",
            Self::Prompt => "scoped_prompt",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// The word for one: `tool`.
impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
