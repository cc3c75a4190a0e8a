//! Why a call of a test was not answered with a result.

use rmcp::model::ErrorCode;
use serde_json::Value;

/// Why a call was not answered with a result.
///
/// ```
/// use scopeward::testing::CallError;
///
/// fn is_for_lack_of_scopes(error: &CallError) -> bool {
///     error.is_denied() && error.missing() == ["note:write"]
/// }
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The policy refused the call, and the tool did not run.
    #[error("denied: {message}")]
    #[non_exhaustive]
    Denied {
        /// The words for a person.
        message: String,
        /// The scopes that the caller lacks.
        missing: Vec<String>,
        /// The scopes that the call needs.
        required: Vec<String>,
    },
    /// The tool, resource or prompt answered with a JSON-RPC error, or does not exist.
    #[error("error {}: {message}", .code.0)]
    #[non_exhaustive]
    Protocol {
        /// The code of the error (JSON-RPC 2.0, section 5.1).
        code: ErrorCode,
        /// The message.
        message: String,
        /// The data of the error, if there is any.
        data: Option<Value>,
    },
    /// The tool ran and answered with an error for the model (`isError`).
    #[error("the tool failed: {text}")]
    #[non_exhaustive]
    Failed {
        /// The text of the result.
        text: String,
        /// The structured content of the result.
        content: Option<Value>,
    },
    /// The answer is not what the test expected.
    #[error("unexpected answer: {0}")]
    Unexpected(String),
}

impl CallError {
    /// The scopes that the caller lacks; empty if the call was not denied.
    pub fn missing(&self) -> &[String] {
        match self {
            Self::Denied { missing, .. } => missing,
            _ => &[],
        }
    }

    /// The scopes that the call needs; empty if the call was not denied.
    ///
    /// ```
    /// # use scopeward::testing::Server;
    /// # async fn example(server: &Server) {
    /// let denied = server.caller("ada", ["note:read"]).denied("save_note", serde_json::json!({})).await;
    /// assert!(denied.is_denied());
    /// assert_eq!(denied.required(), ["note:write"]);
    /// # }
    /// ```
    pub fn required(&self) -> &[String] {
        match self {
            Self::Denied { required, .. } => required,
            _ => &[],
        }
    }

    /// Whether the policy refused the call.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied { .. })
    }

    /// The denial that the data of an error or of a result describe, if they describe one.
    pub(super) fn denied(message: &str, data: &Value) -> Option<Self> {
        data["error"].as_str().filter(|error| *error == "insufficient_scope")?;
        let list = |name: &str| {
            let all = data[name].as_array().into_iter().flatten();
            all.filter_map(|one| one.as_str().map(str::to_owned)).collect()
        };
        let (missing, required) = (list("missing"), list("required"));
        Some(Self::Denied { message: message.to_owned(), missing, required })
    }

    /// The error of a 401 response. To a caller without a token it is a denial.
    pub(super) fn of_no_token(error: &Value, is_anonymous: bool) -> Self {
        if !is_anonymous {
            return Self::of_response(error);
        }
        let message = error["message"].as_str().unwrap_or_default().to_owned();
        Self::Denied { message, missing: vec![], required: vec![] }
    }

    /// The error of a JSON-RPC response.
    pub(super) fn of_response(error: &Value) -> Self {
        let message = error["message"].as_str().unwrap_or_default();
        let data = error.get("data").cloned();
        let denied = data.as_ref().and_then(|data| Self::denied(message, data));
        denied.unwrap_or_else(|| {
            let code = error["code"].as_i64().and_then(|code| i32::try_from(code).ok());
            let code = ErrorCode(code.unwrap_or_default());
            Self::Protocol { code, message: message.to_owned(), data }
        })
    }
}
