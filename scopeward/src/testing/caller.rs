//! The callers of a test.

use std::{any::TypeId, panic::Location};

use http::StatusCode;
use http_body_util::BodyExt;
use rmcp::model::{GetPromptResult, ReadResourceResult, ResourceContents};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{CallError, Server};
use crate::{
    identity::Principal,
    mcp::refusal::REFUSAL_META,
    policy::{Feature, diagnostic::nearest},
};

/// A caller with a token that says what the test wants, or without a token.
///
/// ```
/// # use scopeward::testing::{CallError, Server};
/// # async fn example(server: &Server) -> Result<(), CallError> {
/// let ada = server.caller("ada", ["note:write"]).claim("email", "ada@example.com");
/// let title: String = ada.call("create_note", serde_json::json!({ "title": "milk" })).await?;
/// assert!(ada.list_tools().await?.contains(&"create_note".to_owned()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Caller {
    server: Server,
    /// The claims of the token; `None` without one.
    claims: Option<Map<String, Value>>,
}

impl Caller {
    pub(super) fn new(server: Server, subject: &str, scopes: &[&str]) -> Self {
        let mut claims = Map::new();
        claims.insert("sub".to_owned(), subject.into());
        claims.insert("client_id".to_owned(), "test".into());
        claims.insert("scope".to_owned(), scopes.join(" ").into());
        Self { server, claims: Some(claims) }
    }

    pub(super) fn anonymous(server: Server) -> Self {
        Self { server, claims: None }
    }

    /// Sets a claim of the token, also one that the token has already.
    ///
    /// # Panics
    ///
    /// If the caller has no token.
    #[must_use]
    #[track_caller]
    #[expect(clippy::panic, reason = "the failure of a test")]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        match &mut self.claims {
            Some(claims) => drop(claims.insert(name.to_owned(), value.into())),
            None => panic!("a caller without a token has no claims"),
        }
        self
    }

    /// The OAuth client that acts for the caller; without it, `test`.
    #[must_use]
    pub fn client(self, id: &str) -> Self {
        self.claim("client_id", id)
    }

    /// The caller as a tool's parameter, to call the tool's method directly. Such a call passes the
    /// check by, because it does not go through the server.
    ///
    /// ```
    /// use scopeward::{Principal, testing::Server};
    ///
    /// struct Notes;
    ///
    /// impl Notes {
    ///     fn whose(&self, caller: &Principal) -> String {
    ///         caller.subject().to_owned()
    ///     }
    /// }
    ///
    /// fn test(server: &Server) {
    ///     let ada = server.caller("ada", ["note:read"]).client("editor").principal();
    ///     assert_eq!(Notes.whose(&ada), "ada");
    ///     assert_eq!(ada.client(), Some("editor"));
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// If the claims do not make a valid token, or if the caller has none.
    #[track_caller]
    #[expect(clippy::panic, reason = "the failure of a test")]
    pub fn principal(&self) -> Principal {
        let Some(token) = self.token() else { panic!("a caller without a token is no principal") };
        match self.server.0.validator.validate(&token) {
            Ok(token) => Principal::new(token, self.server.0.live.current()),
            Err(error) => panic!("the claims make no valid token: {error}"),
        }
    }

    /// Calls a tool, and reads its result: structured content if it has some, or else its text, as
    /// JSON where `T` is not a `String`.
    ///
    /// # Errors
    ///
    /// [`CallError::Denied`] if the policy refuses, and the tool's own error.
    pub async fn call<T: DeserializeOwned + 'static>(
        &self,
        tool: &str,
        arguments: Value,
    ) -> Result<T, CallError> {
        let params = json!({ "name": tool, "arguments": arguments });
        let result = self.request("tools/call", &params).await?;
        let text = text_of(&result["content"]);
        let content = result.get("structuredContent").cloned();
        if result["isError"] == true {
            let denied = CallError::denied(&text, &result["_meta"][REFUSAL_META]);
            return Err(denied.unwrap_or(CallError::Failed { text, content }));
        }
        read_as(content, text)
    }

    /// Calls a tool that the policy must refuse, and gives the refusal.
    ///
    /// # Panics
    ///
    /// If the policy does not refuse the call, or has no such tool. The message says where the test
    /// asked.
    ///
    /// ```
    /// # use serde_json::json;
    /// # async fn example(server: &scopeward::testing::Server) {
    /// let bob = server.caller("bob", ["note:read"]);
    /// let denied = bob.denied("create_note", json!({ "title": "a" })).await;
    /// assert_eq!(denied.missing(), ["note:write"]);
    /// # }
    /// ```
    #[track_caller]
    #[expect(clippy::panic, reason = "the failure of a test")]
    pub fn denied(&self, tool: &str, arguments: Value) -> impl Future<Output = CallError> + Send {
        // A future cannot ask who called, so the place is taken before it is made.
        let at = Location::caller();
        async move {
            let policy = self.server.0.live.current();
            if policy.rule(Feature::Tool, tool).is_none() {
                let hint = nearest(tool, policy.tools().map(|(name, _)| name))
                    .map_or_else(String::new, |right| format!(": did you mean `{right}`?"));
                panic!("{at}: there is no tool `{tool}`{hint}");
            }
            let and_then = match self.call::<Value>(tool, arguments).await {
                Err(denied) if denied.is_denied() => return denied,
                Err(error) => format!(", and then: {error}"),
                Ok(_) => String::new(),
            };
            let scopes = match self.claims.as_ref().map(|claims| claims.get("scope")) {
                None => "no token".to_owned(),
                Some(scopes) => match scopes.and_then(Value::as_str) {
                    None | Some("") => "no scopes".to_owned(),
                    Some(scopes) => format!("the scopes {scopes}"),
                },
            };
            panic!("{at}: the policy let `{tool}` through for a caller with {scopes}{and_then}")
        }
    }

    /// Reads a resource whose content is text or JSON.
    ///
    /// # Errors
    ///
    /// [`CallError::Denied`] if the policy refuses, and the resource's own error.
    pub async fn read<T: DeserializeOwned + 'static>(&self, uri: &str) -> Result<T, CallError> {
        match &*self.contents(uri).await? {
            [ResourceContents::TextResourceContents { text, .. }] => read_as(None, text.clone()),
            other => Err(CallError::Unexpected(format!("{} contents, not one text", other.len()))),
        }
    }

    /// Reads a resource, whatever its contents are.
    ///
    /// ```
    /// # use scopeward::testing::{CallError, Server};
    /// # async fn example(server: &Server) -> Result<(), CallError> {
    /// let ada = server.caller("ada", ["note:read"]);
    /// assert_eq!(ada.list_resources().await?, ["note://{id}"]);
    /// let contents = ada.contents("note://1").await?;
    /// assert_eq!(contents.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub async fn contents(&self, uri: &str) -> Result<Vec<ResourceContents>, CallError> {
        let result = self.request("resources/read", &json!({ "uri": uri })).await?;
        Ok(read_json::<ReadResourceResult>(result)?.contents)
    }

    /// Gets a prompt. Its arguments are strings.
    ///
    /// ```
    /// # use scopeward::testing::{CallError, Server};
    /// # async fn example(server: &Server) -> Result<(), CallError> {
    /// let ada = server.caller("ada", ["note:read"]);
    /// assert_eq!(ada.list_prompts().await?, ["summary"]);
    /// let prompt = ada.get("summary", serde_json::json!({ "language": "en" })).await?;
    /// assert_eq!(prompt.messages.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError::Denied`] if the policy refuses, and the prompt's own error.
    pub async fn get(&self, prompt: &str, arguments: Value) -> Result<GetPromptResult, CallError> {
        let params = json!({ "name": prompt, "arguments": arguments });
        read_json(self.request("prompts/get", &params).await?)
    }

    /// The names of the tools that the caller's list shows.
    ///
    /// # Errors
    ///
    /// An answer that is no list.
    pub async fn list_tools(&self) -> Result<Vec<String>, CallError> {
        self.list("tools/list", "tools", "name").await
    }

    /// The URIs of the resources that the caller's list shows, and then the URI templates.
    ///
    /// # Errors
    ///
    /// An answer that is no list.
    pub async fn list_resources(&self) -> Result<Vec<String>, CallError> {
        let mut all = self.list("resources/list", "resources", "uri").await?;
        let method = "resources/templates/list";
        all.extend(self.list(method, "resourceTemplates", "uriTemplate").await?);
        Ok(all)
    }

    /// The names of the prompts that the caller's list shows.
    ///
    /// # Errors
    ///
    /// An answer that is no list.
    pub async fn list_prompts(&self) -> Result<Vec<String>, CallError> {
        self.list("prompts/list", "prompts", "name").await
    }

    async fn list(&self, method: &str, all: &str, name: &str) -> Result<Vec<String>, CallError> {
        let (mut names, mut params) = (vec![], json!({}));
        loop {
            let page = self.request(method, &params).await?;
            let items = page[all].as_array().into_iter().flatten();
            names.extend(items.filter_map(|item| item[name].as_str().map(str::to_owned)));
            match page.get("nextCursor") {
                Some(cursor) if !cursor.is_null() => params = json!({ "cursor": cursor }),
                _ => return Ok(names),
            }
        }
    }

    /// Sends a request of MCP, and gives its result.
    ///
    /// ```
    /// # use scopeward::testing::{CallError, Server};
    /// # async fn example(server: &Server) -> Result<(), CallError> {
    /// let ada = server.caller("ada", ["note:read"]);
    /// let tools = ada.request("tools/list", &serde_json::json!({})).await?;
    /// assert!(tools["tools"][0]["inputSchema"].is_object());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the response.
    pub async fn request(&self, method: &str, params: &Value) -> Result<Value, CallError> {
        let response = self.server.send(self.token().as_deref(), method, params).await;
        let status = response.status();
        let unexpected = |what: String| CallError::Unexpected(format!("status {status}, {what}"));
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| unexpected(error.to_string()))?.to_bytes();
        let mut answer: Value = serde_json::from_slice(&body)
            .map_err(|_| unexpected(String::from_utf8_lossy(&body).into_owned()))?;
        match answer.get("error") {
            Some(error) if error.is_object() && status == StatusCode::UNAUTHORIZED => {
                Err(CallError::of_no_token(error, self.claims.is_none()))
            }
            Some(error) if error.is_object() => Err(CallError::of_response(error)),
            None if answer.get("result").is_some() => Ok(answer["result"].take()),
            _ => Err(unexpected(answer.to_string())),
        }
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "the failure of a test")]
    fn token(&self) -> Option<String> {
        let claims = self.claims.clone()?;
        match self.server.0.issuer.sign(claims) {
            Some(token) => Some(token),
            None => panic!("the token cannot be signed"),
        }
    }
}

/// The text of a result's content.
fn text_of(content: &Value) -> String {
    let texts = content.as_array().into_iter().flatten().filter_map(|one| one["text"].as_str());
    texts.collect::<Vec<_>>().join("\n")
}

/// Reads structured content, or a text: as it is if `T` is a `String`, or else as JSON.
fn read_as<T: DeserializeOwned + 'static>(
    content: Option<Value>,
    text: String,
) -> Result<T, CallError> {
    match content {
        Some(content) => read_json(content),
        None if TypeId::of::<T>() == TypeId::of::<String>() => read_json(text.into()),
        None => serde_json::from_str(&text).map_err(|error| {
            CallError::Unexpected(format!("the text {text:?} is not the type: {error}"))
        }),
    }
}

fn read_json<T: DeserializeOwned>(value: Value) -> Result<T, CallError> {
    serde_json::from_value(value).map_err(|error| CallError::Unexpected(error.to_string()))
}
