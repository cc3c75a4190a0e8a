//! What a server offers and a rule is about: MCP's server features.

use std::fmt;

/// A kind of thing that the policy has a rule for. The word is the same everywhere: in messages, in
/// audit records, in JSON.
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
    /// All of them, in the order of the policy's tables.
    pub const ALL: [Self; 3] = [Self::Tool, Self::Resource, Self::Prompt];

    /// One of them: `tool`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Resource => "resource",
            Self::Prompt => "prompt",
        }
    }

    /// The policy's table of them: `tools`.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Tool => "tools",
            Self::Resource => "resources",
            Self::Prompt => "prompts",
        }
    }

    /// What a caller does with one: `call`.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Tool => "call",
            Self::Resource => "read",
            Self::Prompt => "get",
        }
    }

    /// What was done with it: `called`.
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

/// Its word.
impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
