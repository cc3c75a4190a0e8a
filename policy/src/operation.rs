//! Operations: what a caller asks to do, which a decision allows or refuses.

use serde_json::{Map, Value};

use super::Feature;

/// A JSON object: the arguments of a call, or the claims of a token.
pub type Object = Map<String, Value>;

/// A use of a tool, a resource or a prompt.
///
/// An operation without arguments stands for a use whose arguments are not known yet, as in a list.
/// A decision about it leaves out the conditions on arguments, and without claims also the
/// conditions on claims. So an operation that is about to run must have its arguments, even if they
/// are an empty object.
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
    /// The use of a tool or prompt by its name, or of a resource by its URI.
    pub fn new(feature: Feature, name: &'a str) -> Self {
        Self { feature, name, arguments: None, claims: None }
    }

    /// The call of a tool by its name.
    pub fn tool(name: &'a str) -> Self {
        Self::new(Feature::Tool, name)
    }

    /// The reading of a resource by its URI. The decision takes the arguments from the URI: the values
    /// of the variables in the resource's URI template.
    pub fn resource(uri: &'a str) -> Self {
        Self::new(Feature::Resource, uri)
    }

    /// The getting of a prompt by its name.
    pub fn prompt(name: &'a str) -> Self {
        Self::new(Feature::Prompt, name)
    }

    /// The same operation with arguments. A call without arguments has an empty object.
    #[must_use]
    pub fn with_arguments(self, arguments: &'a Map<String, Value>) -> Self {
        Self { arguments: Some(arguments), ..self }
    }

    /// The same operation by a caller whose token has these claims.
    #[must_use]
    pub fn with_claims(self, claims: &'a Map<String, Value>) -> Self {
        Self { claims: Some(claims), ..self }
    }

    /// The feature of MCP that is used.
    pub fn feature(&self) -> Feature {
        self.feature
    }

    /// The name of the tool or prompt, or the URI of the resource.
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
