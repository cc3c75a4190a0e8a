//! Decides what an authenticated caller's message may do. Every MCP method is denied unless it is known.

use std::time::Instant;

use axum::response::Response;
use http::StatusCode;
use rmcp::{
    ErrorData,
    model::{
        ClientJsonRpcMessage, ClientNotification, ClientRequest, CompleteRequestParams, ErrorCode,
        GetMeta, JsonObject, Reference, RequestId,
    },
};

use super::{
    challenge::{insufficient_scope, json_rpc_error, refusal_as_answer},
    challenged::ChallengeMemory,
    messages::not_accepted,
    sessions::Membership,
};
use crate::{
    identity::Principal,
    mcp::{
        TaskOwners,
        refusal::{Refusal, unknown},
    },
    policy::{Decision, Feature, OnDenied, Operation},
    record::audit::{DecisionContext, Denied, Recorder},
};

/// Of a name that nobody knows, this many bytes are shown.
const LONGEST_SHOWN_NAME: usize = 128;

/// What the gate knows beside the policy.
pub(super) struct GateState<'g> {
    pub(super) challenged: &'g ChallengeMemory,
    pub(super) tasks: Option<&'g TaskOwners>,
    pub(super) recorder: &'g Recorder,
    pub(super) membership: Membership,
}

/// Decides one message: `Ok` to pass it on, or the answer that refuses it.
pub(super) fn decide(
    message: &ClientJsonRpcMessage,
    caller: &Principal,
    state: &GateState<'_>,
    started: Instant,
) -> Result<(), Response> {
    match message {
        ClientJsonRpcMessage::Request(request) => {
            let context =
                DecisionContext::new(started, request.request.get_meta().get_traceparent());
            RequestDecider { id: &request.id, caller, state, context }.about(&request.request)
        }
        ClientJsonRpcMessage::Notification(notification) => match &notification.notification {
            ClientNotification::CancelledNotification(_)
            | ClientNotification::InitializedNotification(_)
            | ClientNotification::ProgressNotification(_)
            | ClientNotification::RootsListChangedNotification(_) => Ok(()),
            _ => Err(not_accepted("this notification is not known here")),
        },
        // What a server asks its client (elicitation, sampling) belongs to the caller's session.
        ClientJsonRpcMessage::Response(_) | ClientJsonRpcMessage::Error(_) => {
            if state.membership == Membership::Own {
                return Ok(());
            }
            Err(not_accepted("this server asks its clients nothing, so it takes no responses"))
        }
    }
}

/// One request, to be decided.
struct RequestDecider<'q> {
    id: &'q RequestId,
    caller: &'q Principal,
    state: &'q GateState<'q>,
    context: DecisionContext<'q>,
}

impl RequestDecider<'_> {
    /// Every method that is let through stands here.
    fn about(&self, request: &ClientRequest) -> Result<(), Response> {
        match request {
            // What every authenticated caller may do: open the connection, and see the lists,
            // which follow the same decision.
            ClientRequest::InitializeRequest(_)
            | ClientRequest::DiscoverRequest(_)
            | ClientRequest::PingRequest(_)
            | ClientRequest::ListToolsRequest(_) => Ok(()),

            // How much its own session is told.
            ClientRequest::SetLevelRequest(_) if self.state.membership == Membership::Own => Ok(()),
            // Of what the policy names nothing of, no method is known.
            _ if feature(request).is_some_and(|of| !self.caller.policy().names_some(of)) => {
                Err(unknown_method(request.method(), self.id))
            }
            ClientRequest::CallToolRequest(call) => {
                self.one(Feature::Tool, &call.params.name, call.params.arguments.as_ref())
            }
            ClientRequest::GetPromptRequest(get) => {
                self.one(Feature::Prompt, &get.params.name, get.params.arguments.as_ref())
            }
            ClientRequest::ReadResourceRequest(read) => {
                self.one(Feature::Resource, &read.params.uri, None)
            }
            ClientRequest::SubscribeRequest(of) => {
                self.one(Feature::Resource, &of.params.uri, None)
            }
            ClientRequest::UnsubscribeRequest(of) => {
                self.one(Feature::Resource, &of.params.uri, None)
            }
            ClientRequest::SubscriptionsListenRequest(listen) => {
                let resources = listen.params.notifications.resource_subscriptions.as_deref();
                let mut resources = resources.unwrap_or_default().iter();
                resources.try_for_each(|uri| self.one(Feature::Resource, uri, None))
            }
            ClientRequest::ListResourcesRequest(_)
            | ClientRequest::ListResourceTemplatesRequest(_)
            | ClientRequest::ListPromptsRequest(_) => Ok(()),
            ClientRequest::CompleteRequest(complete) => self.completion(&complete.params),
            ClientRequest::GetTaskRequest(of) => self.task(request, &of.params.task_id),
            ClientRequest::UpdateTaskRequest(of) => self.task(request, &of.params.task_id),
            ClientRequest::CancelTaskRequest(of) => self.task(request, &of.params.task_id),
            other => Err(unknown_method(other.method(), self.id)),
        }
    }

    /// Completing an argument is part of what has the argument. Which values it will have is not
    /// known yet, so rules about them are left out.
    fn completion(&self, params: &CompleteRequestParams) -> Result<(), Response> {
        match &params.r#ref {
            Reference::Prompt(prompt) => self.decided(Operation::prompt(&prompt.name)),
            Reference::Resource(resource) => self.decided(Operation::resource(&resource.uri)),
            _ => Err(not_accepted("this kind of reference is not known here")),
        }
    }

    /// A task is its caller's own, as long as it may call the tool.
    fn task(&self, request: &ClientRequest, task: &str) -> Result<(), Response> {
        let Some(tasks) = self.state.tasks else {
            return Err(unknown_method(request.method(), self.id));
        };
        match tasks.tool_of(task, self.caller) {
            Some(tool) => self.decided(Operation::tool(&tool)),
            // Nobody's and somebody else's are the same: the handler, which looks again, says so.
            None => Ok(()),
        }
    }

    fn one(
        &self,
        feature: Feature,
        name: &str,
        arguments: Option<&JsonObject>,
    ) -> Result<(), Response> {
        let nothing = JsonObject::new();
        self.decided(Operation::new(feature, name).with_arguments(arguments.unwrap_or(&nothing)))
    }

    fn decided(&self, operation: Operation<'_>) -> Result<(), Response> {
        let Self { id, caller, context, .. } = *self;
        let (feature, name) = (operation.feature(), operation.name());
        let policy = caller.policy();
        match caller.may(operation) {
            Decision::Allow(rule) => {
                self.state.recorder.allowed(caller, feature, rule, context);
                Ok(())
            }
            Decision::Deny(denial) => {
                // A resource is known by the URI template that it is of.
                let known = denial.rule().name();
                let refusal = Refusal::insufficient_scope(feature, known, &denial, caller);
                let denied = Denied {
                    feature,
                    name: known,
                    rule: Some(denial.rule()),
                    missing: &refusal.missing,
                };
                self.state.recorder.denied(caller, denied, Some(context));
                // What a call needs can depend on its arguments: each need is another operation.
                let asked = || refusal.operation();
                Err(match policy.on_denied() {
                    OnDenied::Adaptive if self.state.challenged.is_repeated(caller, &asked()) => {
                        refusal_as_answer(id, refusal.in_plain_words(policy))
                    }
                    OnDenied::Adaptive | OnDenied::Challenge => {
                        insufficient_scope(id, refusal, policy)
                    }
                    OnDenied::ToolError => refusal_as_answer(id, refusal),
                })
            }
            Decision::Unknown => {
                // The name is the caller's own text: enough of it to recognise, not to flood a log.
                let name = &name[..name.floor_char_boundary(LONGEST_SHOWN_NAME)];
                let denied = Denied { feature, name, rule: None, missing: &[] };
                self.state.recorder.denied(caller, denied, Some(context));
                Err(json_rpc_error(StatusCode::OK, Some(id), unknown(feature, name)))
            }
        }
    }
}

/// What a request is about, if that is neither a tool nor something of its own.
fn feature(request: &ClientRequest) -> Option<Feature> {
    match request {
        ClientRequest::ListPromptsRequest(_) | ClientRequest::GetPromptRequest(_) => {
            Some(Feature::Prompt)
        }
        ClientRequest::ListResourcesRequest(_)
        | ClientRequest::ListResourceTemplatesRequest(_)
        | ClientRequest::ReadResourceRequest(_)
        | ClientRequest::SubscribeRequest(_)
        | ClientRequest::UnsubscribeRequest(_) => Some(Feature::Resource),
        ClientRequest::CompleteRequest(complete) => match &complete.params.r#ref {
            Reference::Prompt(_) => Some(Feature::Prompt),
            _ => Some(Feature::Resource),
        },
        _ => None,
    }
}

/// MCP 2026-07-28, "Protocol Version Header": 404 with -32601.
fn unknown_method(method: &str, id: &RequestId) -> Response {
    let error =
        ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("Method not found: {method}"), None);
    json_rpc_error(StatusCode::NOT_FOUND, Some(id), error)
}
