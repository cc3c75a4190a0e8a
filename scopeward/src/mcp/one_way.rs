//! A connection on which a tool can notify its caller, and can ask it nothing.
//!
//! Without sessions a caller's answer to a question (elicitation, sampling, roots) has no way back,
//! and rmcp would wait for it until the caller gives up. Here a question is answered at once, with an
//! error that says how sessions are turned on. MCP 2026-07-28 has no such questions, and rmcp refuses
//! them by itself.
//!
//! A client that does not accept an event stream gets no notifications either, because only a stream
//! can carry them before the result.

use std::convert::Infallible;

use http::HeaderName;
use rmcp::{
    ErrorData, Peer, RoleServer, ServerHandler,
    model::{
        ClientJsonRpcMessage, ErrorCode, JsonRpcMessage, ProtocolVersion, RequestId,
        ServerJsonRpcMessage,
    },
    service::{RequestContext, RunningService, serve_directly},
    transport::Transport,
};
use tokio::sync::mpsc;

/// The header that names a session (MCP, "Session Management", until revision 2025-11-25).
pub(crate) const SESSION_HEADER: HeaderName = HeaderName::from_static("mcp-session-id");

/// Marks a request whose client accepts no event stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoStream;

/// The connection of one request, which ends when this value is dropped.
pub(super) struct OneWay {
    _running: RunningService<RoleServer, NoHandler>,
}

impl OneWay {
    /// Replaces the connection of an HTTP request that belongs to no session; `None` if the connection
    /// can stay.
    pub(super) fn replace(context: &mut RequestContext<RoleServer>) -> Option<Self> {
        // The connection of a call past rmcp's transport is closed already.
        if context.peer.is_transport_closed() {
            return None;
        }
        let parts = context.extensions.get::<http::request::Parts>()?;
        let has_stream = parts.extensions.get::<NoStream>().is_none();
        let is_newest = context
            .protocol_version()
            .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
        if has_stream && (is_newest || parts.headers.contains_key(SESSION_HEADER)) {
            return None;
        }
        let info = context.peer.peer_info().as_deref().cloned();
        let (answer, answers) = mpsc::unbounded_channel();
        let to = has_stream.then(|| context.peer.clone());
        let relay = Relay { to, answer, answers };
        let running = serve_directly(NoHandler, relay, info);
        context.peer = running.peer().clone();
        Some(Self { _running: running })
    }
}

/// A server that is never asked, because its connection brings answers only.
struct NoHandler;

impl ServerHandler for NoHandler {}

/// Passes notifications on, if the client can take them, and answers questions itself.
struct Relay {
    to: Option<Peer<RoleServer>>,
    answer: mpsc::UnboundedSender<ClientJsonRpcMessage>,
    answers: mpsc::UnboundedReceiver<ClientJsonRpcMessage>,
}

impl Transport<RoleServer> for Relay {
    type Error = Infallible;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
        let (to, answer) = (self.to.clone(), self.answer.clone());
        async move {
            match message {
                JsonRpcMessage::Request(request) => {
                    // Sending fails only if the call has ended, and then nobody waits.
                    let _ = answer.send(refusal(request.id));
                }
                JsonRpcMessage::Notification(one) => {
                    if let Some(to) = to {
                        let _ = to.send_notification(one.notification).await;
                    }
                }
                JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
            }
            Ok(())
        }
    }

    fn receive(&mut self) -> impl Future<Output = Option<ClientJsonRpcMessage>> + Send {
        self.answers.recv()
    }

    async fn close(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The answer to a question.
fn refusal(id: RequestId) -> ClientJsonRpcMessage {
    let message = "this server has no sessions, so that a tool cannot ask its client anything in \
                   this revision of MCP: turn sessions on, with MCP_SESSIONS=true or with_sessions()";
    let error = ErrorData::new(ErrorCode::INVALID_REQUEST, message, None);
    ClientJsonRpcMessage::error(error, Some(id))
}
