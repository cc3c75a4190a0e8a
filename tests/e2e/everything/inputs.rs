//! Multi-round-trip requests: the inputs that a tool asks its caller for, and the state that the
//! caller sends back.

#![expect(deprecated, reason = "older revisions have sampling and roots")]

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, CreateMessageRequest,
    CreateMessageRequestParams, ElicitRequest, ElicitRequestParams, ErrorData, InputRequest,
    InputRequiredResult, InputResponses, ListRootsRequest, SamplingMessage,
};
use serde_json::{Value, json};

pub(super) fn form(message: &str, field: &str, kind: &str) -> InputRequest {
    let schema = json!({
        "type": "object", "properties": { field: { "type": kind } }, "required": [field],
    });
    InputRequest::Elicitation(ElicitRequest::new(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: message.to_owned(),
        requested_schema: serde_json::from_value(schema).unwrap(),
    }))
}

pub(super) fn sampling(prompt: &str) -> InputRequest {
    let params = CreateMessageRequestParams::new(vec![SamplingMessage::user_text(prompt)], 100);
    InputRequest::CreateMessage(CreateMessageRequest::new(params))
}

pub(super) fn roots() -> InputRequest {
    InputRequest::ListRoots(ListRootsRequest::default())
}

/// The result that asks the caller for these inputs, with a state.
pub(super) fn ask(
    requests: Vec<(&str, InputRequest)>,
    state: Option<String>,
) -> InputRequiredResult {
    let requests = requests.into_iter().map(|(name, request)| (name.to_owned(), request)).collect();
    InputRequiredResult::new(Some(requests), state)
}

/// The caller's answer to one request, if the answer is an object.
pub(super) fn answer<'a>(responses: Option<&'a InputResponses>, name: &str) -> Option<&'a Value> {
    responses?.get(name).filter(|answer| answer.is_object())
}

pub(super) fn text(text: impl Into<String>) -> CallToolResponse {
    CallToolResult::success(vec![ContentBlock::text(text.into())]).into()
}

fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, b"the fixture's own, which keeps no secret")
}

/// Signs a state, so that the server notices when the client changes it.
pub(super) fn seal(state: &str) -> String {
    let tag = hmac::sign(&key(), state.as_bytes());
    format!("{state}.{}", URL_SAFE_NO_PAD.encode(tag))
}

pub(super) fn open(sealed: &str) -> Result<&str, ErrorData> {
    let tampered = || ErrorData::invalid_params("the request state was changed", None);
    let (state, tag) = sealed.rsplit_once('.').ok_or_else(tampered)?;
    let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| tampered())?;
    hmac::verify(&key(), state.as_bytes(), &tag).map_err(|_| tampered())?;
    Ok(state)
}
