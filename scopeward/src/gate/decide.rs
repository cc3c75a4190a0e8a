//! Decides what an authenticated caller's message may do. Every MCP method is denied unless it is
//! known.

use std::{collections::HashSet, time::Instant};

use axum::response::Response;
use http::StatusCode;
use rmcp::{
    ErrorData,
    model::{
        ClientJsonRpcMessage, ClientNotification, ClientRequest, CompleteRequestParams, ErrorCode,
        GetMeta, JsonObject, Reference, RequestId, SubscriptionFilter,
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
    policy::{Decision, Feature, MetConditions, OnDenied, Operation, Rule},
    record::audit::{
        DecisionContext, Denied, Recorder, conditions,
        grant::{Grant, Grants},
    },
    text::shown,
};

/// The most bytes of an unknown name that are shown, because the name is the caller's own text and
/// could flood a log.
const LONGEST_SHOWN_NAME: usize = 128;

/// The state that a decision needs besides the caller and the policy.
pub(super) struct GateState<'g> {
    pub(super) challenged: &'g ChallengeMemory,
    pub(super) tasks: Option<&'g TaskOwners>,
    pub(super) recorder: &'g Recorder,
    pub(super) membership: Membership,
}

/// Decides one message: the grants with which it is passed on, or the answer that refuses it.
pub(super) fn decide(
    message: &ClientJsonRpcMessage,
    caller: &Principal,
    state: &GateState<'_>,
    started: Instant,
) -> Result<Grants, Response> {
    match message {
        ClientJsonRpcMessage::Request(request) => {
            let context =
                DecisionContext::new(started, request.request.get_meta().get_traceparent());
            RequestDecider { id: &request.id, caller, state, context }.decide(&request.request)
        }
        ClientJsonRpcMessage::Notification(notification) => match &notification.notification {
            ClientNotification::CancelledNotification(_)
            | ClientNotification::InitializedNotification(_)
            | ClientNotification::ProgressNotification(_)
            | ClientNotification::RootsListChangedNotification(_) => Ok(Grants::None),
            _ => Err(not_accepted("this notification is not known here")),
        },
        // A client's response answers a request of the server (elicitation, sampling), and a server
        // sends requests only within the caller's own session.
        ClientJsonRpcMessage::Response(_) | ClientJsonRpcMessage::Error(_) => {
            if state.membership == Membership::Own {
                return Ok(Grants::None);
            }
            Err(not_accepted("this server sends its clients no requests, so it takes no responses"))
        }
    }
}

/// One request that is to be decided, with its caller.
struct RequestDecider<'q> {
    id: &'q RequestId,
    caller: &'q Principal,
    state: &'q GateState<'q>,
    context: DecisionContext<'q>,
}

impl<'q> RequestDecider<'q> {
    /// Decides the request by its method. Every method that can pass is named here, and all others
    /// are unknown.
    fn decide(&self, request: &ClientRequest) -> Result<Grants, Response> {
        match request {
            // Every authenticated caller may open the connection and see the lists, because the
            // handler filters each list by the same decision.
            ClientRequest::InitializeRequest(_)
            | ClientRequest::DiscoverRequest(_)
            | ClientRequest::PingRequest(_)
            | ClientRequest::ListToolsRequest(_) => Ok(Grants::None),

            // The log level is a setting of the caller's own session.
            ClientRequest::SetLevelRequest(_) if self.state.membership == Membership::Own => {
                Ok(Grants::None)
            }
            // If the policy names no resource, the methods about resources are unknown. The same
            // holds for prompts.
            _ if feature(request).is_some_and(|of| !self.caller.policy().names_some(of)) => {
                Err(unknown_method(request.method(), self.id))
            }
            ClientRequest::CallToolRequest(call) => {
                self.decide_use(Feature::Tool, &call.params.name, call.params.arguments.as_ref())
            }
            ClientRequest::GetPromptRequest(get) => {
                self.decide_use(Feature::Prompt, &get.params.name, get.params.arguments.as_ref())
            }
            ClientRequest::ReadResourceRequest(read) => {
                self.decide_use(Feature::Resource, &read.params.uri, None)
            }
            ClientRequest::SubscribeRequest(of) => {
                self.decide_use(Feature::Resource, &of.params.uri, None)
            }
            ClientRequest::UnsubscribeRequest(of) => {
                self.decide_use(Feature::Resource, &of.params.uri, None)
            }
            ClientRequest::SubscriptionsListenRequest(listen) => {
                self.decide_listening(&listen.params.notifications)
            }
            ClientRequest::ListResourcesRequest(_)
            | ClientRequest::ListResourceTemplatesRequest(_)
            | ClientRequest::ListPromptsRequest(_) => Ok(Grants::None),
            ClientRequest::CompleteRequest(complete) => self.decide_completion(&complete.params),
            ClientRequest::GetTaskRequest(of) => self.decide_task(request, &of.params.task_id),
            ClientRequest::UpdateTaskRequest(of) => self.decide_task(request, &of.params.task_id),
            ClientRequest::CancelTaskRequest(of) => self.decide_task(request, &of.params.task_id),
            other => Err(unknown_method(other.method(), self.id)),
        }
    }

    /// Decides the completion of an argument by the rule of its prompt or resource. The argument's
    /// value is not known yet, so conditions on arguments are left out.
    fn decide_completion(&self, params: &CompleteRequestParams) -> Result<Grants, Response> {
        match &params.r#ref {
            Reference::Prompt(prompt) => self.decide_operation(Operation::prompt(&prompt.name)),
            Reference::Resource(resource) => {
                self.decide_operation(Operation::resource(&resource.uri))
            }
            _ => Err(not_accepted("this kind of reference is not known here")),
        }
    }

    /// Decides a request about a task. Only the caller that made the task may use it, and only
    /// while that caller may call the task's tool.
    fn decide_task(&self, request: &ClientRequest, task: &str) -> Result<Grants, Response> {
        let Some(tasks) = self.state.tasks else {
            return Err(unknown_method(request.method(), self.id));
        };
        match tasks.tool_of(task, self.caller) {
            Some(tool) => self.decide_operation(Operation::tool(&tool).for_some_arguments()),
            // An unknown task and another caller's task get the same answer from the handler, which
            // looks for the owner again.
            None => Ok(Grants::None),
        }
    }

    /// Decides the use of one tool, resource or prompt with these arguments.
    fn decide_use(
        &self,
        feature: Feature,
        name: &str,
        arguments: Option<&JsonObject>,
    ) -> Result<Grants, Response> {
        let nothing = JsonObject::new();
        let operation = Operation::new(feature, name);
        self.decide_operation(operation.with_arguments(arguments.unwrap_or(&nothing)))
    }

    /// Decides a subscription to updates of resources. Each rule that lets one of them through has one
    /// record, however many resources the request names.
    fn decide_listening(&self, filter: &SubscriptionFilter) -> Result<Grants, Response> {
        let nothing = JsonObject::new();
        let mut recorded = HashSet::new();
        let mut grants = vec![];
        for uri in filter.resource_subscriptions.iter().flatten() {
            let (rule, met) = self.ask(Operation::resource(uri).with_arguments(&nothing))?;
            if recorded.insert(rule.name()) {
                grants.push(self.grant(Feature::Resource, rule, &met));
            }
        }
        Ok(grants.into())
    }

    /// Asks the policy, and returns the grant or the answer that refuses.
    fn decide_operation(&self, operation: Operation<'_>) -> Result<Grants, Response> {
        let feature = operation.feature();
        let (rule, met) = self.ask(operation)?;
        Ok(self.grant(feature, rule, &met).into())
    }

    fn grant(&self, feature: Feature, rule: &Rule, met: &MetConditions<'q>) -> Grant {
        self.state.recorder.allowed(self.caller, feature, rule, met, self.context)
    }

    /// Asks the policy: the rule that allows the operation, with its conditions that were met, or the
    /// answer that refuses, whose decision is recorded.
    fn ask(&self, operation: Operation<'_>) -> Result<(&'q Rule, MetConditions<'q>), Response> {
        let Self { id, caller, context, .. } = *self;
        let (feature, name) = (operation.feature(), operation.name());
        let policy = caller.policy();
        let (decision, met) = caller.decide(operation);
        match decision {
            Decision::Allow(rule) => Ok((rule, met)),
            Decision::Deny(denial) => {
                // A record names a resource by the URI template of its rule, not by its URI.
                let known = denial.rule().name();
                let refusal = Refusal::insufficient_scope(feature, known, &denial, caller);
                let met = conditions(&met, policy);
                let denied = Denied {
                    feature,
                    name: known,
                    rule: Some(denial.rule()),
                    missing: &refusal.missing,
                    conditions: met.as_deref(),
                };
                self.state.recorder.denied(caller, denied, Some(context));
                // The required scopes can depend on the arguments, so they are part of the key by
                // which a repeated challenge is noticed.
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
                // The name is the caller's own text, so it is cut to keep it from flooding a log.
                let name = &name[..name.floor_char_boundary(LONGEST_SHOWN_NAME)];
                let denied = Denied { feature, name, rule: None, missing: &[], conditions: None };
                self.state.recorder.denied(caller, denied, Some(context));
                Err(json_rpc_error(StatusCode::OK, Some(id), unknown(feature, name)))
            }
        }
    }
}

/// The feature that a request needs, if that feature is resources or prompts. `None` for methods
/// about tools and for methods without a feature, which need not be named by the policy.
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

/// The answer to an unknown method: 404 with -32601 (MCP 2026-07-28, "Protocol Version Header").
fn unknown_method(method: &str, id: &RequestId) -> Response {
    let method = shown(&method[..method.floor_char_boundary(LONGEST_SHOWN_NAME)]);
    let message = format!("Method not found: {method}");
    let error = ErrorData::new(ErrorCode::METHOD_NOT_FOUND, message, None);
    json_rpc_error(StatusCode::NOT_FOUND, Some(id), error)
}
