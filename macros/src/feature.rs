//! The kinds of declaration: tools, resources and prompts, and what differs between them.

use quote::quote;

/// A kind of declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    Tool,
    Resource,
    Prompt,
}

impl Feature {
    pub(crate) const ALL: [Self; 3] = [Self::Tool, Self::Resource, Self::Prompt];

    /// The name of the kind, for the text of an error.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Resource => "resource",
            Self::Prompt => "prompt",
        }
    }

    /// The attribute that declares one of this kind.
    pub(crate) fn attribute(self) -> &'static str {
        match self {
            Self::Tool => "scoped_tool",
            Self::Resource => "scoped_resource",
            Self::Prompt => "scoped_prompt",
        }
    }

    /// rmcp's own attribute, which has no scope check; `None` if rmcp has none.
    pub(crate) fn bare_attribute(self) -> Option<&'static str> {
        match self {
            Self::Tool => Some("tool"),
            Self::Resource => None,
            Self::Prompt => Some("prompt"),
        }
    }

    /// An example of the attribute, for the help of an error.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Tool => "#[scoped_tool(scopes = [\"…\"])]",
            Self::Resource => "#[scoped_resource(uri = \"…\", scopes = [\"…\"])]",
            Self::Prompt => "#[scoped_prompt(scopes = [\"…\"])]",
        }
    }

    /// The arguments for the lists of tools, resources and prompts: those of rmcp's `#[tool]` and
    /// `#[prompt]` (rmcp 3.11, `rmcp-macros/src`).
    pub(crate) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Tool => &[
                "name",
                "title",
                "description",
                "input_schema",
                "output_schema",
                "annotations",
                "icons",
                "meta",
            ],
            Self::Resource => &["name", "title", "description", "mime_type", "icons", "meta"],
            Self::Prompt => &["name", "title", "description", "arguments", "icons", "meta"],
        }
    }

    /// The arguments that the attribute acts on itself.
    pub(crate) fn own_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Tool => &["scopes", "optional", "anonymous"],
            Self::Resource => &["uri", "scopes", "optional", "anonymous", "complete"],
            Self::Prompt => &["scopes", "optional", "anonymous", "complete"],
        }
    }

    /// The path of the variant in the library.
    pub(crate) fn path(self) -> proc_macro2::TokenStream {
        match self {
            Self::Tool => quote!(::scopeward::policy::Feature::Tool),
            Self::Resource => quote!(::scopeward::policy::Feature::Resource),
            Self::Prompt => quote!(::scopeward::policy::Feature::Prompt),
        }
    }
}
