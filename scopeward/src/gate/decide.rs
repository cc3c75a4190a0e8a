//! Decides what an authenticated caller's message may do. Every MCP method is denied unless it is
//! known.

use std::{net::IpAddr, time::Instant};

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
    challenge::{self, insufficient_scope, json_rpc_error, refusal_as_answer},
    challenged::ChallengeMemory,
    messages::not_accepted,
    sessions::Membership,
    told::Told,
};
use crate::{
    identity::Principal,
    limits::{Limit, Limits},
    mcp::{
        RefusedByTool, Revision, ServerTasks, Updates,
        refusal::{Refusal, unknown},
    },
    policy::{Decision, Feature, MetConditions, OnDenied, Operation, Rule},
    record::{
        audit::{
            DecisionContext, Denied, Recorder, conditions,
            grant::{Grant, Grants},
        },
        metrics::metrics,
    },
    text::shown,
};

/// The most bytes of an unknown name that are shown, because the name is the caller's own text and
/// could flood a log.
const LONGEST_SHOWN_NAME: usize = 128;

/// The state that a decision needs besides the caller and the policy.
pub(super) struct GateState<'g> {
    pub(super) challenged: &'g ChallengeMemory,
    /// Who was told in words, and the network of this request's address.
    pub(super) told: (&'g Told, Option<IpAddr>),
    pub(super) tasks: Option<&'g ServerTasks>,
    pub(super) updates: Option<&'g Updates>,
    pub(super) limits: &'g Limits,
    pub(super) recorder: &'g Recorder,
    pub(super) membership: Membership,
    pub(super) revision: Revision,
    pub(super) accepts_streams: bool,
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

/// Refuses a call of a tool that the policy refuses whatever the arguments are. `Ok` if the policy
/// allows it after all.
pub(super) fn refuse_by_name(
    id: &RequestId,
    tool: &str,
    caller: &Principal,
    state: &GateState<'_>,
    context: DecisionContext<'_>,
) -> Result<(), Response> {
    RequestDecider { id, caller, state, context }.decide_operation(Operation::tool(tool)).map(drop)
}

/// The answer to a call that its tool refused, in the way that the policy wants.
pub(super) fn refuse_for_tool(
    refused: RefusedByTool,
    caller: &Principal,
    state: &GateState<'_>,
) -> Response {
    let context = DecisionContext::new(Instant::now(), None);
    RequestDecider { id: &refused.id, caller, state, context }.refuse(refused.refusal)
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
                Err(self.unknown_method(request.method()))
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
                self.check_room(1)?;
                self.decide_use(Feature::Resource, &of.params.uri, None)
            }
            ClientRequest::UnsubscribeRequest(of) => {
                self.decide_use(Feature::Resource, &of.params.uri, None)
            }
            ClientRequest::SubscriptionsListenRequest(listen) => {
                let resources = listen.params.notifications.resource_subscriptions.as_deref();
                self.decide_subscriptions(resources.unwrap_or_default())
            }
            ClientRequest::ListResourcesRequest(_)
            | ClientRequest::ListResourceTemplatesRequest(_)
            | ClientRequest::ListPromptsRequest(_) => Ok(Grants::None),
            ClientRequest::CompleteRequest(complete) => self.decide_completion(&complete.params),
            ClientRequest::GetTaskRequest(of) => self.decide_task(request, &of.params.task_id),
            ClientRequest::UpdateTaskRequest(of) => self.decide_task(request, &of.params.task_id),
            ClientRequest::CancelTaskRequest(of) => self.decide_task(request, &of.params.task_id),
            // rmcp reads a known method with other parameters as an unknown one.
            other if self.knows(other.method()) => Err(self.invalid_params(other.method())),
            other => Err(self.unknown_method(other.method())),
        }
    }

    /// Returns whether a method can be used here, at the request's revision. MCP 2026-07-28 has taken
    /// some methods away. Methods about resources and prompts alone are looked at before.
    fn knows(&self, method: &str) -> bool {
        let state = self.state;
        let is_newest = state.revision.is_newest();
        let names_some = |feature| self.caller.policy().names_some(feature);
        match method {
            "server/discover"
            | "tools/list"
            | "tools/call"
            | "prompts/list"
            | "prompts/get"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
            | "subscriptions/listen" => true,
            "initialize" | "ping" | "resources/subscribe" | "resources/unsubscribe" => !is_newest,
            "completion/complete" => names_some(Feature::Resource) || names_some(Feature::Prompt),
            "logging/setLevel" => state.membership == Membership::Own,
            "tasks/get" | "tasks/update" | "tasks/cancel" => state.tasks.is_some(),
            _ => false,
        }
    }

    /// The answer to a method that is known, whose parameters are not those of the method: -32602
    /// (JSON-RPC 2.0, section 5.1).
    fn invalid_params(&self, method: &str) -> Response {
        let message = format!("Invalid params: these are not the parameters of {method}");
        let error = ErrorData::invalid_params(message, None);
        json_rpc_error(StatusCode::OK, Some(self.id), error)
    }

    /// The answer to an unknown method: -32601, with 404 at MCP 2026-07-28 ("Protocol Version
    /// Header"). At older revisions a 404 tells a client that its session has ended, so the status
    /// is 200, as of every JSON-RPC answer.
    fn unknown_method(&self, method: &str) -> Response {
        let method = shown(&method[..method.floor_char_boundary(LONGEST_SHOWN_NAME)]);
        let message = format!("Method not found: {method}");
        let error = ErrorData::new(ErrorCode::METHOD_NOT_FOUND, message, None);
        let is_newest = self.state.revision.is_newest();
        let status = if is_newest { StatusCode::NOT_FOUND } else { StatusCode::OK };
        json_rpc_error(status, Some(self.id), error)
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

    /// Checks that a caller may subscribe to so many resources more.
    fn check_room(&self, more: usize) -> Result<(), Response> {
        let most = self.state.limits.max_subscriptions_per_caller;
        let has_room =
            self.state.updates.is_none_or(|updates| updates.have_room(self.caller, more, most));
        if has_room {
            return Ok(());
        }
        metrics().limited(Limit::SubscriptionsOfCaller);
        Err(challenge::too_many_subscriptions(self.id, most))
    }

    /// Decides a stream of changes of several resources, all of which the caller must be allowed to
    /// read. The request has one record, however many resources it names.
    fn decide_subscriptions(&self, uris: &[String]) -> Result<Grants, Response> {
        let limits = self.state.limits;
        if uris.len() > limits.max_subscriptions {
            metrics().limited(Limit::Subscriptions);
            let message = format!(
                "a stream may be subscribed to at most {} resources, and this one names {}",
                limits.max_subscriptions,
                uris.len()
            );
            let error = ErrorData::invalid_params(message, None);
            return Err(json_rpc_error(StatusCode::BAD_REQUEST, Some(self.id), error));
        }
        let [first, others @ ..] = uris else { return Ok(Grants::None) };
        self.check_room(uris.len())?;
        let nothing = JsonObject::new();
        let mut rules: Vec<&Rule> = vec![];
        for uri in uris {
            let operation = Operation::resource(uri).with_arguments(&nothing);
            match self.caller.may(operation) {
                Decision::Allow(rule) => {
                    if !rules.iter().any(|known| std::ptr::eq(*known, rule)) {
                        rules.push(rule);
                    }
                }
                // The one that is refused stands for all: nothing of the request was allowed.
                _ => return self.decide_operation(operation),
            }
        }
        if others.is_empty() {
            return self.decide_use(Feature::Resource, first, None);
        }
        let recorder = self.state.recorder;
        let grant = recorder.allowed_all(self.caller, &rules, uris.len(), self.context);
        Ok(grant.map_or(Grants::None, Grants::One))
    }

    /// Decides a request about a task. Only the caller and client that made the task may use it, and
    /// only while that caller may make the task's call, with the same arguments.
    fn decide_task(&self, request: &ClientRequest, task: &str) -> Result<Grants, Response> {
        let Some(tasks) = self.state.tasks else {
            return Err(self.unknown_method(request.method()));
        };
        match tasks.call_of(task, self.caller) {
            Some(call) => self.decide_operation(call.operation()),
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

    /// Asks the policy, and returns the grant or the answer that refuses.
    fn decide_operation(&self, operation: Operation<'_>) -> Result<Grants, Response> {
        let feature = operation.feature();
        let (rule, met) = self.ask(operation)?;
        Ok(self.grant(feature, rule, &met).into())
    }

    /// The answer that refuses, in the way that the policy wants.
    fn refuse(&self, refusal: Refusal) -> Response {
        let Self { id, caller, state, context } = *self;
        let policy = caller.policy();
        match policy.on_denied() {
            OnDenied::Adaptive if state.challenged.came_back(caller, context.started) => {
                self.tell(refusal.in_plain_words(policy))
            }
            OnDenied::Adaptive | OnDenied::Challenge => insufficient_scope(id, refusal),
            OnDenied::ToolError => self.tell(refusal),
        }
    }

    /// The refusal in words, for a person who can sign in once more.
    fn tell(&self, refusal: Refusal) -> Response {
        let (told, address) = self.state.told;
        told.note(address, &refusal.missing, Instant::now());
        refusal_as_answer(self.id, refusal, self.state.revision)
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
                Err(self.refuse(refusal))
            }
            Decision::Unknown => {
                // The name is the caller's own text, so it is cut to keep it from flooding a log.
                let name = &name[..name.floor_char_boundary(LONGEST_SHOWN_NAME)];
                let denied = Denied { feature, name, rule: None, missing: &[], conditions: None };
                self.state.recorder.denied(caller, denied, Some(context));
                let mut error = unknown(feature, name);
                if self.state.revision.is_newest() {
                    // As rmcp answers for a resource that the policy names.
                    error.code = ErrorCode::INVALID_PARAMS;
                }
                Err(json_rpc_error(StatusCode::OK, Some(id), error))
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
        // A request whose parameters could not be read.
        ClientRequest::CustomRequest(other) => match other.method.split_once('/')?.0 {
            "prompts" => Some(Feature::Prompt),
            "resources" => Some(Feature::Resource),
            _ => None,
        },
        _ => None,
    }
}
