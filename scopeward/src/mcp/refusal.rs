//! The refusal of a call, which has the same shape at the gate and inside a tool.

use rmcp::{
    ErrorData,
    model::{CallToolResult, ContentBlock, ErrorCode, MetaObject},
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

use crate::{
    identity::Principal,
    mcp::bearer_challenge::bearer_challenge,
    policy::{CompiledPolicy, Denial, Feature, Scope},
    text::shown,
};

/// The `_meta` key under which a tool's result has the refusal as data. The data is not
/// `structuredContent`, because that belongs to the tool's output schema, and clients hide a result
/// that does not fit the schema.
///
/// ```
/// use scopeward::mcp::refusal::{CHALLENGE_META, REFUSAL_META};
/// use scopeward::rmcp::model::CallToolResult;
///
/// /// The refusal that a tool's result has as data, and its first challenge.
/// fn refusal(result: &CallToolResult) -> Option<(&serde_json::Value, &str)> {
///     let meta = result.meta.as_ref()?;
///     Some((meta.get(REFUSAL_META)?, meta.get(CHALLENGE_META)?.get(0)?.as_str()?))
/// }
/// ```
pub const REFUSAL_META: &str = "scopeward/refusal";

/// The `_meta` key under which a tool's result has the challenges of a refusal, each as the value of
/// a `WWW-Authenticate` header. `ChatGPT` begins a sign-in by it.
pub const CHALLENGE_META: &str = "mcp/www_authenticate";

/// The key in the data of a refusal that says that the tool itself asked for the scopes.
const BY_TOOL: &str = "asked_by_tool";

/// The key of the challenge in the data of a refusal.
const CHALLENGE: &str = "www_authenticate";

/// The JSON-RPC error code of a refusal for lack of scopes. The code is in the range that JSON-RPC
/// 2.0 leaves to servers, and is not one of the codes that MCP uses.
///
/// ```
/// use scopeward::mcp::refusal::{INSUFFICIENT_SCOPE, UNAUTHENTICATED, UNAVAILABLE};
/// use scopeward::rmcp::ErrorData;
///
/// fn what_to_do(error: &ErrorData) -> &'static str {
///     match error.code {
///         INSUFFICIENT_SCOPE => "ask for the scopes that the data names",
///         UNAUTHENTICATED => "sign in",
///         UNAVAILABLE => "try again in a few seconds",
///         _ => "read the message",
///     }
/// }
/// ```
pub const INSUFFICIENT_SCOPE: ErrorCode = ErrorCode(-32003);

/// The JSON-RPC error code of a request without a valid access token.
pub const UNAUTHENTICATED: ErrorCode = ErrorCode(-32001);

/// The JSON-RPC error code of a request whose token cannot be checked now.
pub const UNAVAILABLE: ErrorCode = ErrorCode(-32004);

/// The reason why a call was refused, for people and for programs.
///
/// The gate sends the refusal as the `data` of the JSON-RPC error of a 403; a tool sends it in the
/// `_meta` of a result with `isError`, under [`REFUSAL_META`].
///
/// ```
/// use scopeward::{Principal, mcp::refusal::Refusal, policy::{Decision, Feature, Operation}};
///
/// /// The refusal that a service of one's own sends, behind the gate.
/// fn refusal(caller: &Principal, tool: &str) -> Option<serde_json::Value> {
///     match caller.may(Operation::tool(tool)) {
///         Decision::Deny(denial) => {
///             let refusal = Refusal::insufficient_scope(Feature::Tool, tool, &denial, caller);
///             serde_json::to_value(refusal).ok()
///         }
///         _ => None,
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// `insufficient_scope` (RFC 6750, section 3.1), or `invalid_token` when nobody was
    /// authenticated.
    pub error: &'static str,
    /// One sentence for a person.
    pub message: String,
    /// The feature of the refused call: tool, resource or prompt.
    pub feature: Feature,
    /// The name of the tool or prompt; for a resource, the URI template that the policy names.
    pub name: String,
    /// Every scope that the call needs.
    pub required: Vec<Scope>,
    /// The required scopes that the caller does not hold.
    pub missing: Vec<Scope>,
    /// The scopes that the caller's token carries.
    pub granted: Vec<Scope>,
    /// The URL at which a client learns how to get more scopes (RFC 9728).
    pub resource_metadata: Option<String>,
    /// The value of `WWW-Authenticate` (RFC 6750). `None` if no scope would help.
    pub(crate) challenge: Option<String>,
    /// Whether the tool itself asked for the missing scopes, in the middle of a call.
    pub(super) is_by_tool: bool,
}

/// Serializes the name under the feature's word: `"tool": "create_todo"`.
impl Serialize for Refusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("error", self.error)?;
        map.serialize_entry("message", &self.message)?;
        map.serialize_entry(self.feature.word(), &self.name)?;
        map.serialize_entry("required", &self.required)?;
        map.serialize_entry("missing", &self.missing)?;
        map.serialize_entry("granted", &self.granted)?;
        if let Some(metadata) = &self.resource_metadata {
            map.serialize_entry("resource_metadata", metadata)?;
        }
        if self.is_by_tool {
            map.serialize_entry(BY_TOOL, &true)?;
        }
        map.end()
    }
}

impl Refusal {
    /// The refusal of a known caller that lacks scopes.
    pub fn insufficient_scope(
        feature: Feature,
        name: &str,
        denial: &Denial<'_>,
        caller: &Principal,
    ) -> Self {
        let missing = denial.missing(caller.held()).cloned().collect();
        Self::lacking(feature, name, (denial.required().cloned().collect(), missing), caller)
    }

    /// The refusal of a known caller, by the required scopes and those of them that are missing.
    pub(super) fn lacking(
        feature: Feature,
        name: &str,
        (required, missing): (Vec<Scope>, Vec<Scope>),
        caller: &Principal,
    ) -> Self {
        let policy = caller.policy();
        let (error, message) = ("insufficient_scope", sentence(&missing));
        let metadata = policy.resource().metadata_url();
        let asked: Vec<_> = required.iter().map(|scope| policy.asked_as(scope)).collect();
        let challenge =
            bearer_challenge(Some((error, &message)), &asked.join(" "), Some(&metadata));
        Self {
            error,
            message,
            feature,
            name: name.to_owned(),
            required,
            missing,
            granted: caller.granted().to_vec(),
            resource_metadata: Some(metadata),
            challenge: Some(challenge),
            is_by_tool: false,
        }
    }

    /// Replaces the message with instructions for a person whose client cannot ask for more scopes.
    pub(crate) fn in_plain_words(mut self, policy: &CompiledPolicy) -> Self {
        let titles: Vec<String> = self
            .missing
            .iter()
            .map(|scope| match policy.scope_named(scope.as_str()) {
                Some(known) => format!("\"{}\" ({scope})", known.title()),
                None => format!("({scope})"),
            })
            .collect();
        let (permissions, them) = match &*titles {
            [_] => ("the permission", "it"),
            _ => ("the permissions", "them"),
        };
        self.message = format!(
            "You cannot use `{}` yet: it needs {permissions} {}, and this sign-in does not have \
             {them}. To grant {them}, disconnect this server in your client, connect it again, and \
             allow {them} on the page that opens.",
            self.name,
            titles.join(" and "),
        );
        self
    }

    /// The refusal of a tool, resource or prompt that the policy does not name, so nobody may use
    /// it.
    pub(crate) fn without_policy(feature: Feature, name: &str, caller: &Principal) -> Self {
        let used = feature.participle();
        Self {
            error: "insufficient_scope",
            message: format!("The policy does not name `{name}`, so it cannot be {used}."),
            feature,
            name: name.to_owned(),
            required: vec![],
            missing: vec![],
            granted: caller.granted().to_vec(),
            resource_metadata: None,
            challenge: None,
            is_by_tool: false,
        }
    }

    /// The refusal of a call that came without a validated token.
    pub(crate) fn unauthenticated(feature: Feature, name: &str, declared: &[&str]) -> Self {
        let declared: Vec<Scope> =
            declared.iter().filter_map(|scope| Scope::parse(scope).ok()).collect();
        let (error, message) =
            ("invalid_token", "Not authenticated: no validated access token came with this call.");
        let asked: Vec<&str> = declared.iter().map(Scope::as_str).collect();
        // No policy is at hand, so the URL of the metadata is not known.
        let challenge = bearer_challenge(Some((error, message)), &asked.join(" "), None);
        Self {
            error,
            message: message.to_owned(),
            feature,
            name: name.to_owned(),
            required: declared.clone(),
            missing: declared,
            granted: vec![],
            resource_metadata: None,
            challenge: Some(challenge),
            is_by_tool: false,
        }
    }

    /// The refusal that a tool gave in the middle of its call, from its result.
    pub(super) fn by_tool(result: &CallToolResult) -> Option<Self> {
        let meta = result.meta.as_ref().filter(|_| result.is_error == Some(true))?;
        let data = meta.get(REFUSAL_META).filter(|data| data[BY_TOOL] == true)?;
        let text = |key: &str| data[key].as_str().map(str::to_owned);
        let scopes = |key: &str| {
            let all = data[key].as_array().into_iter().flatten().filter_map(Value::as_str);
            all.filter_map(|scope| Scope::parse(scope).ok()).collect()
        };
        let challenge = meta.get(CHALLENGE_META).and_then(|all| all[0].as_str());
        Some(Self {
            error: "insufficient_scope",
            message: text("message")?,
            feature: Feature::Tool,
            name: text("tool")?,
            required: scopes("required"),
            missing: scopes("missing"),
            granted: scopes("granted"),
            resource_metadata: text("resource_metadata"),
            challenge: challenge.map(str::to_owned),
            is_by_tool: true,
        })
    }

    /// Turns the refusal into a JSON-RPC error.
    pub(crate) fn into_error_data(self) -> ErrorData {
        let code = match self.error {
            "invalid_token" => UNAUTHENTICATED,
            _ => INSUFFICIENT_SCOPE,
        };
        let data = serde_json::to_value(&self).ok();
        ErrorData::new(code, self.message, data)
    }

    /// Turns the refusal into a JSON-RPC error whose data have the challenge, because no header has
    /// it.
    pub(crate) fn into_error_with_challenge(mut self) -> ErrorData {
        let challenge = self.challenge.take();
        let mut error = self.into_error_data();
        if let (Some(Value::Object(data)), Some(challenge)) = (&mut error.data, challenge) {
            data.insert(CHALLENGE.to_owned(), challenge.into());
        }
        error
    }

    /// Turns the refusal into the tool's result, for clients that cannot step up.
    pub(crate) fn into_tool_result(self) -> CallToolResult {
        as_tool_result(self.into_error_with_challenge())
    }
}

/// The tool result that has a refusal's message as text, and its data and challenge in `_meta`.
fn as_tool_result(error: ErrorData) -> CallToolResult {
    let mut meta = MetaObject::default();
    if let Some(mut data) = error.data {
        let challenge = data.as_object_mut().and_then(|data| data.remove(CHALLENGE));
        if let Some(challenge @ Value::String(_)) = challenge {
            meta.insert(CHALLENGE_META.to_owned(), json!([challenge]));
        }
        meta.insert(REFUSAL_META.to_owned(), data);
    }
    CallToolResult::error(vec![ContentBlock::text(error.message)]).with_meta(Some(meta))
}

/// Turns a refusal that a tool returned as an error into the tool's result. Other errors stay
/// errors.
pub(crate) fn refusal_to_result(error: ErrorData) -> Result<CallToolResult, ErrorData> {
    match error.code {
        INSUFFICIENT_SCOPE | UNAUTHENTICATED => Ok(as_tool_result(error)),
        _ => Err(error),
    }
}

/// The message that names missing scopes: ``Insufficient permissions: `todo:write` scope
/// required.``, or `Missing scopes: a, b`.
fn sentence(missing: &[Scope]) -> String {
    match missing {
        [one] => format!("Insufficient permissions: `{one}` scope required."),
        several => {
            let names: Vec<&str> = several.iter().map(Scope::as_str).collect();
            format!("Missing scopes: {}", names.join(", "))
        }
    }
}

/// The error for a name that does not exist or that the policy does not name. The text is rmcp's
/// own, so that a caller cannot tell the two cases apart. A name that is not a plain word stands in
/// quotes, because a person may read it.
pub(crate) fn unknown(feature: Feature, name: &str) -> ErrorData {
    match feature {
        // MCP, "Tools", error handling: an unknown tool is a protocol error.
        Feature::Tool => ErrorData::invalid_params(format!("Unknown tool: {}", shown(name)), None),
        Feature::Prompt => {
            ErrorData::invalid_params(format!("Unknown prompt: {}", shown(name)), None)
        }
        // MCP, "Resources", error handling. Revision 2026-07-28 uses -32602 instead.
        Feature::Resource => ErrorData::resource_not_found(
            "Resource not found",
            Some(serde_json::json!({ "uri": name })),
        ),
    }
}
