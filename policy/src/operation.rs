//! Operations: what a caller asks to do, which a decision allows or refuses.

use serde_json::{Map, Value};

use super::Feature;

/// A JSON object: the arguments of a call, or the claims of a token.
pub type Object = Map<String, Value>;

/// A use of a tool, a resource or a prompt.
///
/// A use whose arguments are not given is decided as if every condition on arguments held, so a
/// caller who is allowed is allowed whatever the arguments are. The same holds for claims that are
/// not given. [`for_some_arguments`](Self::for_some_arguments) asks the weaker question that a list
/// needs: may the caller do this with some arguments?
///
/// ```
/// use scopeward_policy::{CompiledPolicy, Operation, diagnostic::Source};
///
/// let policy = CompiledPolicy::compile(Source::new("policy.toml", r#"
///     version = 1
///     [server]
///     url = "http://localhost:3002/mcp"
///     [scopes]
///     "note:write" = "Write notes"
///     "note:share" = "Share notes"
///     [tools.save_note]
///     write = "note"
///     [[tools.save_note.when]]
///     if = "args.public"
///     all_of = ["note:share"]
/// "#))?;
/// let writer = policy.hold(["note:write"]);
/// let saving = Operation::tool("save_note");
/// assert!(!policy.decide(saving, &writer).is_allow(), "not with every argument");
/// assert!(policy.decide(saving.for_some_arguments(), &writer).is_allow());
///
/// let private = serde_json::json!({ "public": false });
/// let saving = saving.with_arguments(private.as_object().ok_or("not an object")?);
/// assert!(policy.decide(saving, &writer).is_allow());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// ```
/// use scopeward_policy::{Feature, Object, Operation};
///
/// let arguments: Object = serde_json::from_str(r#"{ "id": 1 }"#)?;
/// let claims: Object = serde_json::from_str(r#"{ "email": "ada@example.com" }"#)?;
/// let call = Operation::tool("save_note").with_arguments(&arguments).with_claims(&claims);
/// assert_eq!((call.feature(), call.name()), (Feature::Tool, "save_note"));
/// // The questions of a list: with some arguments, and for some caller?
/// let listed = Operation::prompt("summary").for_some_arguments().for_some_claims();
/// let read = Operation::resource("note://1");
/// # let _ = (listed, read);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    feature: Feature,
    name: &'a str,
    arguments: Given<'a>,
    claims: Given<'a>,
}

/// The arguments or claims for which a decision is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Given<'a> {
    /// Any: the answer must hold for all of them.
    All,
    /// Any: the answer must hold for some of them.
    Some,
    /// These.
    These(&'a Object),
}

impl<'a> Given<'a> {
    /// The object, if there is one.
    pub(crate) fn object(self) -> Option<&'a Object> {
        match self {
            Self::These(object) => Some(object),
            Self::All | Self::Some => None,
        }
    }
}

impl<'a> Operation<'a> {
    /// The use of a tool or prompt by its name, or of a resource by its URI.
    pub fn new(feature: Feature, name: &'a str) -> Self {
        Self { feature, name, arguments: Given::All, claims: Given::All }
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
        Self { arguments: Given::These(arguments), ..self }
    }

    /// The same operation with arguments that are not known: may the caller do it with some of them?
    /// Lists ask so. A use that is about to run must be decided with its own arguments.
    #[must_use]
    pub fn for_some_arguments(self) -> Self {
        Self { arguments: Given::Some, ..self }
    }

    /// The same operation by a caller whose claims are not known: may some caller with these scopes do
    /// it?
    #[must_use]
    pub fn for_some_claims(self) -> Self {
        Self { claims: Given::Some, ..self }
    }

    /// The same operation by a caller whose token has these claims.
    #[must_use]
    pub fn with_claims(self, claims: &'a Map<String, Value>) -> Self {
        Self { claims: Given::These(claims), ..self }
    }

    /// The feature of MCP that is used.
    pub fn feature(&self) -> Feature {
        self.feature
    }

    /// The name of the tool or prompt, or the URI of the resource.
    pub fn name(&self) -> &'a str {
        self.name
    }

    pub(super) fn arguments(&self) -> Given<'a> {
        self.arguments
    }

    pub(super) fn claims(&self) -> Given<'a> {
        self.claims
    }
}
