//! What a caller wants to do: the question that a decision answers.

use serde_json::{Map, Value};

use super::Feature;

/// A JSON object: arguments, or claims.
pub type Object = Map<String, Value>;

/// A use of a tool, a resource or a prompt.
///
/// Without arguments it is the question "with some arguments or others?", which lists ask: rules
/// that depend on the arguments are left out of it, and so are those that depend on claims without
/// claims. [`Principal::may`](crate::Principal::may) always has the claims of its token; a use has
/// arguments, if only an empty object.
///
/// ```
/// use scopeward_policy::Operation;
///
/// let operation = Operation::tool("create_todo");
/// assert_eq!(operation.name(), "create_todo");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    feature: Feature,
    name: &'a str,
    arguments: Option<&'a Object>,
    claims: Option<&'a Object>,
}

impl<'a> Operation<'a> {
    /// Uses the one of this name; for a resource, of this URI.
    pub fn new(feature: Feature, name: &'a str) -> Self {
        Self { feature, name, arguments: None, claims: None }
    }

    /// Calls this tool.
    pub fn tool(name: &'a str) -> Self {
        Self::new(Feature::Tool, name)
    }

    /// Reads the resource of this URI. Its arguments are the variables of its URI template; they
    /// are taken from the URI.
    pub fn resource(uri: &'a str) -> Self {
        Self::new(Feature::Resource, uri)
    }

    /// Gets this prompt.
    pub fn prompt(name: &'a str) -> Self {
        Self::new(Feature::Prompt, name)
    }

    /// With these arguments. A call without any has an empty object.
    #[must_use]
    pub fn with_arguments(self, arguments: &'a Map<String, Value>) -> Self {
        Self { arguments: Some(arguments), ..self }
    }

    /// By a caller whose token has these claims.
    #[must_use]
    pub fn with_claims(self, claims: &'a Map<String, Value>) -> Self {
        Self { claims: Some(claims), ..self }
    }

    /// What is used.
    pub fn feature(&self) -> Feature {
        self.feature
    }

    /// Which one.
    pub fn name(&self) -> &'a str {
        self.name
    }

    pub(super) fn arguments(&self) -> Option<&'a Object> {
        self.arguments
    }

    pub(super) fn claims(&self) -> Option<&'a Object> {
        self.claims
    }
}
