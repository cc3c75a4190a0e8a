//! Runs a tool without rmcp's transport, if the tool cannot send anything before its result.
//!
//! For each request rmcp's transport starts three tasks and four channels, so that a tool can
//! notify its caller, and ask it questions, before the result. A tool without a parameter for that
//! ([`Declaration::only_answers`](crate::Declaration::only_answers)) needs none of them. This
//! module calls rmcp's handler with the context that the transport would make, and sends its answer
//! as the response.
//!
//! Takes only calls that the gate allowed and that have exactly one reading, with the headers that
//! nearly all clients send. rmcp's transport reads, answers and refuses all other requests.

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
        ClientRequest, ErrorCode, Implementation, InitializeRequestParams, RequestId,
        ServerJsonRpcMessage, ServerResult,
    },
    service::{RequestContext, serve_directly},
    transport::Transport,
};
use tokio::runtime::Handle;

use crate::{
    identity::Principal,
    limits::Place,
    mcp::{
        Revision, ScopedTools, handler::McpHandler, outcome, plain_call::PlainCall,
        refusal::Refusal,
    },
    policy::{Declaration, Feature},
    record::audit::{NotRecorded, Outcome, grant::Grant},
    text::quoted,
};

/// The usual values of `Accept`. A client must accept both media types (MCP, "Sending Messages to
/// the Server"), so nearly every client sends one of these.
pub(crate) const USUAL_ACCEPT: [&str; 3] = [
    "application/json, text/event-stream",
    "application/json,text/event-stream",
    "text/event-stream, application/json",
];

/// The prefix of the `_meta` keys that belong to MCP itself.
const MCP_META_PREFIX: &str = "io.modelcontextprotocol/";

/// The key in an input schema that marks an argument that a header repeats (MCP 2026-07-28,
/// "Standard Headers").
const ARGUMENT_HEADER_KEY: &str = "x-mcp-header";

/// The tools that can be called without rmcp's transport.
pub(crate) struct DirectCalls<S: ScopedTools> {
    handler: McpHandler<S>,
    /// Each tool's name, with `true` if a header may have to repeat one of the tool's arguments.
    tools: HashMap<&'static str, bool>,
    peers: [OnceLock<Peer<RoleServer>>; Revision::COUNT],
}

impl<S: ScopedTools> DirectCalls<S> {
    pub(crate) fn new(handler: McpHandler<S>) -> Self {
        let tools = S::REGISTRY.of(Feature::Tool).filter(|tool| tool.only_answers());
        let has_headers = |tool: &Declaration| {
            let schema = handler.get_tool(tool.name()).map(|tool| tool.input_schema);
            let schema = schema.and_then(|schema| serde_json::to_string(&schema).ok());
            schema.is_none_or(|schema| schema.contains(ARGUMENT_HEADER_KEY))
        };
        let tools = tools.map(|tool| (tool.name(), has_headers(tool))).collect();
        Self { handler, tools, peers: Default::default() }
    }

    /// Starts the call of a request and returns its future answer; `None` if the request has to go
    /// through rmcp's transport.
    pub(crate) fn answer(self: &Arc<Self>, request: &mut Request<Body>) -> Option<RunToEnd> {
        let call = request.extensions_mut().remove::<PlainCall>()?;
        let answer = self.begin(&call, request);
        if answer.is_none() {
            // The call's grant goes with it through rmcp's transport.
            request.extensions_mut().insert(call);
        }
        answer
    }

    fn begin(self: &Arc<Self>, call: &PlainCall, request: &Request<Body>) -> Option<RunToEnd> {
        let (tool, has_headers) = self.tools.get_key_value(call.tool())?;
        let headers = request.headers();
        let revision = Revision::named(headers)?;
        let is_newest = revision.is_newest();
        if !has_usual_headers(headers)
            || (is_newest && (*has_headers || !headers_repeat_body(headers, tool)))
        {
            return None;
        }
        let (id, meta, params) = call.read(*tool)?;
        let is_of_revision = if is_newest {
            let named = meta.protocol_version();
            named.is_some_and(|named| named == revision.version())
                && meta.missing_required_keys(&revision.version()).is_empty()
        } else {
            !meta.keys().any(|key| key.starts_with(MCP_META_PREFIX))
        };
        if !is_of_revision {
            return None;
        }
        let caller = request.extensions().get::<Principal>()?.clone();
        let mut context = RequestContext::new(id.clone(), self.peer(revision));
        context.meta = meta;
        context.extensions.insert(caller);
        // With the call, because a call whose client has gone away still runs.
        if let Some(place) = request.extensions().get::<Place>().cloned() {
            context.extensions.insert(place);
        }
        let this = Arc::clone(self);
        let grant = call.grant().cloned();
        Some(RunToEnd(Some(Box::pin(this.call(id, params, context, revision, grant)))))
    }

    /// The connection to the caller that rmcp wants in each call's context. It has this revision
    /// and is closed, because no tool that is called here can use it.
    fn peer(&self, revision: Revision) -> Peer<RoleServer> {
        let peer = || {
            let caller = InitializeRequestParams::new(
                ClientCapabilities::default(),
                Implementation::default(),
            )
            .with_protocol_version(revision.version());
            serve_directly(ClosedConnection, ClosedConnection, Some(caller)).peer().clone()
        };
        self.peers[revision.index()].get_or_init(peer).clone()
    }

    async fn call(
        self: Arc<Self>,
        id: RequestId,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
        revision: Revision,
        grant: Option<Grant>,
    ) -> Response {
        let running = match &grant {
            None => None,
            Some(grant) => match grant.begin().await {
                Ok(running) => Some(running),
                Err(NotRecorded) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
            },
        };
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let answer = AssertUnwindSafe(Service::handle_request(&self.handler, request, context));
        let answer = answer.catch_unwind().await;
        if let Some(running) = running {
            running.end(match &answer {
                Ok(Ok(ServerResult::CallToolResult(result))) => outcome::of_result(result),
                Ok(Ok(_)) => Outcome::Ok,
                Ok(Err(_)) | Err(_) => Outcome::Error,
            });
        }
        let refusal = match &answer {
            Ok(Ok(ServerResult::CallToolResult(result))) => Refusal::by_tool(result),
            _ => None,
        };
        if let Some(refusal) = refusal {
            let mut refused = StatusCode::FORBIDDEN.into_response();
            refused.extensions_mut().insert(RefusedByTool { id, refusal });
            return refused;
        }
        let answer = match answer {
            Ok(Ok(result)) => ServerJsonRpcMessage::response(result, id),
            Ok(Err(error)) => ServerJsonRpcMessage::error(error, Some(id)),
            // The panic hook has already printed the message for the operator.
            Err(_) => {
                tracing::error!(id = %quoted(&id.to_string()), "a tool panicked");
                let error = ErrorData::internal_error("the tool failed", None);
                ServerJsonRpcMessage::error(error, Some(id))
            }
        };
        let status = match &answer {
            ServerJsonRpcMessage::Error(error) if revision.is_newest() => status(error.error.code),
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

/// The refusal of a tool that asked for more scopes in the middle of its call. Nothing was sent yet,
/// so the gate answers as if it had refused the call itself.
#[derive(Debug, Clone)]
pub(crate) struct RefusedByTool {
    pub(crate) id: RequestId,
    pub(crate) refusal: Refusal,
}

/// The HTTP status of an error, by MCP 2026-07-28.
fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::UNSUPPORTED_PROTOCOL_VERSION
        | ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY
        | ErrorCode::HEADER_MISMATCH => StatusCode::BAD_REQUEST,
        ErrorCode::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    }
}

/// Returns whether the headers repeat the body's method and tool (MCP 2026-07-28, "Standard
/// Headers") without any encoding.
fn headers_repeat_body(headers: &HeaderMap, tool: &str) -> bool {
    let only = |name, value: &str| {
        let mut all = headers.get_all(name).iter();
        all.next().is_some_and(|one| one == value) && all.next().is_none()
    };
    only("mcp-method", "tools/call") && only("mcp-name", tool) && !tool.starts_with("=?")
}

/// Returns whether a request has the usual `Content-Type` and `Accept`, as nearly every request
/// has.
fn has_usual_headers(headers: &HeaderMap) -> bool {
    let is = |name, usual: &[&str]| {
        headers.get(name).is_some_and(|value| usual.iter().any(|usual| value == usual))
    };
    is(header::CONTENT_TYPE, &["application/json"]) && is(header::ACCEPT, &USUAL_ACCEPT)
}

/// A call that runs to its end even if its caller hangs up, so that a tool's writes are not left
/// half done.
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

/// A server without features, and its connection to a caller that has hung up.
struct ClosedConnection;

impl ServerHandler for ClosedConnection {}

impl Transport<RoleServer> for ClosedConnection {
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
