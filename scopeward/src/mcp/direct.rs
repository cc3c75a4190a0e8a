//! The short way of a call whose answer is all that it says.
//!
//! For each request rmcp's transport starts three tasks and four channels, so that a tool can tell
//! and ask its caller something before it answers. A tool that takes nothing by which it could
//! ([`Declaration::only_answers`](crate::Declaration::only_answers)) needs none of them: rmcp's handler
//! is called here, with what rmcp would give it, and its answer is the response.
//!
//! Only what the gate has read in one way only, and allowed, comes here; of that, what clients write
//! as they nearly all write it. All else is rmcp's to read, to answer and to refuse.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::ready,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use rmcp::{
    ErrorData, Peer, RoleServer, ServerHandler, Service,
    model::{
        CallToolRequest, CallToolRequestParams, ClientCapabilities, ClientJsonRpcMessage,
        ClientRequest, ErrorCode, Implementation, InitializeRequestParams, ProtocolVersion,
        RequestId, ServerJsonRpcMessage,
    },
    service::{RequestContext, serve_directly},
    transport::Transport,
};
use tokio::runtime::Handle;

use crate::{
    identity::Principal,
    mcp::{ScopedTools, handler::McpHandler, plain_call::PlainCall},
    policy::{Declaration, Feature},
};

/// The revisions, from the oldest. A request that names none is of the second. Those of the last bring
/// metadata, and headers that repeat the body.
const REVISIONS: [ProtocolVersion; 5] = [
    ProtocolVersion::V_2024_11_05,
    ProtocolVersion::V_2025_03_26,
    ProtocolVersion::V_2025_06_18,
    ProtocolVersion::V_2025_11_25,
    ProtocolVersion::V_2026_07_28,
];
const UNNAMED: usize = 1;
const LAST: usize = REVISIONS.len() - 1;

/// MCP, "Sending Messages to the Server": both must be accepted, and so clients write it.
const ACCEPTED: [&str; 3] = [
    "application/json, text/event-stream",
    "application/json,text/event-stream",
    "text/event-stream, application/json",
];

/// What of `_meta` belongs to MCP itself.
const OF_MCP: &str = "io.modelcontextprotocol/";

/// MCP 2026-07-28, "Standard Headers": what a schema calls an argument that a header repeats.
const HEADER_OF_ARGUMENT: &str = "x-mcp-header";

/// The tools that can be called this way.
pub(crate) struct DirectCalls<S: ScopedTools> {
    handler: McpHandler<S>,
    /// Each with whether a header may have to repeat one of its arguments.
    tools: HashMap<&'static str, bool>,
    peers: [OnceLock<Peer<RoleServer>>; REVISIONS.len()],
}

impl<S: ScopedTools> DirectCalls<S> {
    pub(crate) fn new(handler: McpHandler<S>) -> Self {
        let tools = S::REGISTRY.of(Feature::Tool).filter(|tool| tool.only_answers());
        let has_headers = |tool: &Declaration| {
            let schema = handler.get_tool(tool.name()).map(|tool| tool.input_schema);
            let schema = schema.and_then(|schema| serde_json::to_string(&schema).ok());
            schema.is_none_or(|schema| schema.contains(HEADER_OF_ARGUMENT))
        };
        let tools = tools.map(|tool| (tool.name(), has_headers(tool))).collect();
        Self { handler, tools, peers: Default::default() }
    }

    /// The answer to come, if the request can go the short way. Otherwise rmcp reads it as it came.
    pub(crate) fn answer(self: &Arc<Self>, request: &mut Request<Body>) -> Option<RunToEnd> {
        let call = request.extensions_mut().remove::<PlainCall>()?;
        let (tool, has_headers) = self.tools.get_key_value(call.tool())?;
        let headers = request.headers();
        let revision = revision(headers)?;
        if !is_usual(headers) || (revision == LAST && (*has_headers || !repeats(headers, tool))) {
            return None;
        }
        let (id, meta, params) = call.read(*tool)?;
        let is_of_revision = if revision == LAST {
            let named = meta.protocol_version();
            named.is_some_and(|named| named == REVISIONS[LAST])
                && meta.missing_required_keys(&REVISIONS[LAST]).is_empty()
        } else {
            !meta.keys().any(|key| key.starts_with(OF_MCP))
        };
        if !is_of_revision {
            return None;
        }
        let caller = request.extensions().get::<Principal>()?.clone();
        let mut context = RequestContext::new(id.clone(), self.peer(revision));
        context.meta = meta;
        context.extensions.insert(caller);
        let this = Arc::clone(self);
        Some(RunToEnd(Some(Box::pin(this.call(id, params, context, revision)))))
    }

    /// The caller's other end, as a call of this revision sees it: it is of that revision, and it is
    /// gone. None of these calls could use it.
    fn peer(&self, revision: usize) -> Peer<RoleServer> {
        let peer = || {
            let caller = InitializeRequestParams::new(
                ClientCapabilities::default(),
                Implementation::default(),
            )
            .with_protocol_version(REVISIONS[revision].clone());
            serve_directly(Nobody, Nobody, Some(caller)).peer().clone()
        };
        self.peers[revision].get_or_init(peer).clone()
    }

    async fn call(
        self: Arc<Self>,
        id: RequestId,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
        revision: usize,
    ) -> Response {
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let answer = AssertUnwindSafe(Service::handle_request(&self.handler, request, context));
        let answer = match answer.catch_unwind().await {
            Ok(Ok(result)) => ServerJsonRpcMessage::response(result, id),
            Ok(Err(error)) => ServerJsonRpcMessage::error(error, Some(id)),
            // What it said is for whoever runs the server, and has been printed.
            Err(_) => {
                tracing::error!(%id, "a tool panicked");
                let error = ErrorData::internal_error("the tool failed", None);
                ServerJsonRpcMessage::error(error, Some(id))
            }
        };
        let status = match &answer {
            ServerJsonRpcMessage::Error(error) if revision == LAST => status(error.error.code),
            _ => StatusCode::OK,
        };
        match serde_json::to_vec(&answer) {
            Ok(body) => {
                let json = HeaderValue::from_static("application/json");
                (status, [(header::CONTENT_TYPE, json)], body).into_response()
            }
            Err(error) => {
                tracing::error!(%error, "a tool's result is not JSON");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

fn revision(headers: &HeaderMap) -> Option<usize> {
    match headers.get("mcp-protocol-version") {
        None => Some(UNNAMED),
        Some(named) => REVISIONS.iter().position(|revision| named == revision.as_str()),
    }
}

/// The status of an error, as MCP 2026-07-28 has it.
fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::UNSUPPORTED_PROTOCOL_VERSION
        | ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY
        | ErrorCode::HEADER_MISMATCH => StatusCode::BAD_REQUEST,
        ErrorCode::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    }
}

/// Whether the headers say of the call what its body does (MCP 2026-07-28, "Standard Headers"),
/// without any encoding.
fn repeats(headers: &HeaderMap, tool: &str) -> bool {
    let only = |name, value: &str| {
        let mut all = headers.get_all(name).iter();
        all.next().is_some_and(|one| one == value) && all.next().is_none()
    };
    only("mcp-method", "tools/call") && only("mcp-name", tool) && !tool.starts_with("=?")
}

/// Whether it has the form, and accepts the one of the answer, as nearly every request does.
fn is_usual(headers: &HeaderMap) -> bool {
    let is = |name, usual: &[&str]| {
        headers.get(name).is_some_and(|value| usual.iter().any(|usual| value == usual))
    };
    is(header::CONTENT_TYPE, &["application/json"]) && is(header::ACCEPT, &ACCEPTED)
}

/// A call that is run to its end, also when nobody waits for the answer any more: what a tool has
/// begun to write is not left half done because its caller hung up.
pub(crate) struct RunToEnd(Option<Pin<Box<dyn Future<Output = Response> + Send>>>);

impl Future for RunToEnd {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(call) = &mut self.0 else { return Poll::Pending };
        let answer = call.as_mut().poll(context);
        if answer.is_ready() {
            self.0 = None;
        }
        answer.map(Ok)
    }
}

impl Drop for RunToEnd {
    fn drop(&mut self) {
        if let (Some(call), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(call);
        }
    }
}

/// A server without anything, whose only caller has hung up.
struct Nobody;

impl ServerHandler for Nobody {}

impl Transport<RoleServer> for Nobody {
    type Error = Infallible;

    fn send(
        &mut self,
        _: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
        ready(Ok(()))
    }

    fn receive(&mut self) -> impl Future<Output = Option<ClientJsonRpcMessage>> + Send {
        ready(None)
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Infallible>> + Send {
        ready(Ok(()))
    }
}
