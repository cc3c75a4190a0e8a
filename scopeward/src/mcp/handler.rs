//! The MCP handler: serves a type's tools, resources and prompts, and lists to each caller the ones
//! that the policy shows to that caller.

mod changes;
mod lists;
mod page;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use parking_lot::Mutex;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    handler::server::{
        prompt::PromptContext,
        router::{prompt::PromptRouter, tool::ToolRouter},
        tool::ToolCallContext,
    },
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CancelTaskParams,
        CompleteRequestMethod, CompleteRequestParams, CompleteResult, Extensions,
        GetPromptRequestParams, GetPromptResponse, GetTaskParams, GetTaskResult, Implementation,
        InitializeRequestParams, InitializeResult, ListPromptsResult, ListResourceTemplatesResult,
        ListResourcesResult, ListToolsResult, PaginatedRequestParams, Prompt, PromptsCapability,
        ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse, Reference, Resource,
        ResourceTemplate, ResourcesCapability, ServerCapabilities, ServerConfig,
        SubscribeRequestParams, SubscriptionFilter, Tool, ToolsCapability,
        UnsubscribeRequestParams, UpdateTaskParams,
    },
    service::{RequestContext, SubscriptionContext},
};

use crate::{
    identity::revocation::Revocations,
    limits::Limits,
    live::LivePolicy,
    mcp::{
        Completions, LogLevel, ResourceRoute, ResourceRouter, Round, ScopedTools, ServerDetails,
        ServerTasks, Services, TaskBounds, Updates,
        extract::{self, place_of, principal_of},
        one_way::OneWay,
        outcome,
        refusal::{Refusal, unknown},
    },
    policy::{Feature, Operation},
    record::audit::{Outcome, Recorder},
};
use changes::Subscribed;
pub use lists::REQUIRED_SCOPES_META;
use page::page;

/// An rmcp server for a type's scoped tools, resources and prompts, on any transport.
///
/// Over HTTP the handler stands behind a [`Gate`](crate::gate::Gate). On any transport the check of
/// each tool, resource and prompt refuses a use without a
/// [`Principal`](crate::identity::Principal) in the request's extensions.
///
/// ```no_run
/// use scopeward::rmcp::ServiceExt;
/// use scopeward::{LivePolicy, ScopedTools, identity::revocation::Revocations, mcp::handler::McpHandler};
///
/// /// Serves tools on a stream, such as a socket or a pair of pipes.
/// async fn serve<S: ScopedTools>(
///     tools: S,
///     live: LivePolicy,
///     stream: tokio::net::TcpStream,
/// ) -> Result<(), Box<dyn std::error::Error>> {
///     let handler = McpHandler::new(tools).watching(live).with_revocations(Revocations::default());
///     // On a transport with sessions each session has a handler of its own.
///     let session = handler.with_sessions().new_session();
///     session.serve(stream).await?.waiting().await?;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct McpHandler<S: ScopedTools> {
    inner: Arc<Inner<S>>,
    live: Option<LivePolicy>,
    revocations: Revocations,
    details: ServerDetails,
    limits: Arc<Limits>,
    /// The server's description, built once because rmcp asks for it at every request.
    info: Arc<ServerConfig>,
    /// The state of one session; `None` on a transport without sessions.
    session: Option<Session>,
}

/// The state that all sessions and requests share.
#[derive(Debug)]
struct Inner<S: ScopedTools> {
    server: S,
    tools: ToolRouter<S>,
    resources: ResourceRouter<S>,
    prompts: PromptRouter<S>,
    /// All tools and prompts in the order of their names, sorted once and not for each list.
    listed: (Vec<Tool>, Vec<Prompt>),
    completions: Completions<S>,
    services: Services,
}

/// The state of one session (revisions until 2025-11-25).
#[derive(Debug, Default)]
struct Session {
    subscribed: Mutex<Subscribed>,
    level: LogLevel,
}

impl<S: ScopedTools> McpHandler<S> {
    /// Makes the handler of another session. The two handlers share everything but the state of a
    /// session, which is new.
    #[must_use]
    pub fn new_session(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            live: self.live.clone(),
            revocations: self.revocations.clone(),
            details: self.details.clone(),
            limits: Arc::clone(&self.limits),
            info: Arc::clone(&self.info),
            session: self.session.as_ref().map(|_| Session::default()),
        }
    }
}

impl<S: ScopedTools> McpHandler<S> {
    /// Makes a handler for the tools, resources and prompts of `server`.
    pub fn new(server: S) -> Self {
        Self::recording(server, Recorder::default())
    }

    /// Makes a handler like [`new`](Self::new) that records the refusals of its checks with
    /// `recorder`.
    pub(crate) fn recording(server: S, recorder: Recorder) -> Self {
        let (tools, prompts) = (S::tool_router(), S::prompt_router());
        let inner = Inner {
            server,
            listed: (tools.list_all(), prompts.list_all()),
            tools,
            resources: S::resource_router(),
            prompts,
            completions: S::completions(),
            services: Services { recorder, ..Services::default() },
        };
        let info = Arc::new(ServerConfig::default());
        let revocations = Revocations::default();
        let (inner, details) = (Arc::new(inner), ServerDetails::default());
        let limits = Arc::new(Limits::default());
        Self { inner, live: None, revocations, details, limits, info, session: None }.described()
    }

    /// Replaces the limits of subscriptions and tasks.
    #[must_use]
    pub(crate) fn with_limits(self, limits: &Limits) -> Self {
        Self { limits: Arc::new(limits.clone()), ..self }
    }

    /// Adds what the server says of itself.
    #[must_use]
    pub(crate) fn with_details(self, details: ServerDetails) -> Self {
        Self { details, ..self }.described()
    }

    /// Also notifies subscribers when a change of the policy changes their lists.
    #[must_use]
    pub fn watching(self, live: LivePolicy) -> Self {
        Self { live: Some(live), ..self }.described()
    }

    /// Also ends a caller's subscriptions when the caller's access is revoked.
    #[must_use]
    pub fn with_revocations(self, revocations: Revocations) -> Self {
        Self { revocations, ..self }
    }

    /// Serves a transport with sessions (revisions until 2025-11-25), in which callers can also
    /// subscribe to resources and set their log level. Each session needs its own handler, made by
    /// [`new_session`](Self::new_session).
    #[must_use]
    pub fn with_sessions(self) -> Self {
        Self { session: Some(Session::default()), ..self }.described()
    }

    /// The subscriptions of all callers, for the gate in front of this handler.
    pub(crate) fn updates(&self) -> &Updates {
        &self.inner.services.updates
    }

    /// The server's tasks and their owners, for the gate in front of this handler.
    pub(crate) fn tasks(&self) -> &ServerTasks {
        &self.inner.services.tasks
    }

    /// Describes the server anew, after a change of its capabilities.
    fn described(mut self) -> Self {
        let (name, version) = S::SERVER;
        let mut implementation = Implementation::new(name, version);
        implementation.title.clone_from(&self.details.title);
        let mut info = ServerConfig::new(self.capabilities()).with_server_info(implementation);
        info.instructions.clone_from(&self.details.instructions);
        self.info = Arc::new(info);
        self
    }

    fn capabilities(&self) -> ServerCapabilities {
        let has = |feature: Feature| S::REGISTRY.of(feature).next().is_some();
        let changes = self.live.is_some().then_some(true);
        let mut capabilities = ServerCapabilities::default();
        if has(Feature::Tool) {
            let mut tools = ToolsCapability::default();
            tools.list_changed = changes;
            capabilities.tools = Some(tools);
        }
        if has(Feature::Resource) {
            let mut resources = ResourcesCapability::default();
            resources.list_changed = changes;
            resources.subscribe = Some(true);
            capabilities.resources = Some(resources);
        }
        if has(Feature::Prompt) {
            let mut prompts = PromptsCapability::default();
            prompts.list_changed = changes;
            capabilities.prompts = Some(prompts);
        }
        if !self.inner.completions.is_empty() {
            capabilities.completions = Some(serde_json::Map::new());
        }
        if self.session.is_some() {
            capabilities.logging = Some(serde_json::Map::new());
        }
        if S::HAS_TASKS {
            capabilities.extensions =
                ServerCapabilities::builder().enable_tasks().build().extensions;
        }
        capabilities
    }

    /// Completes an argument of a prompt or a variable of a resource that the caller may use.
    async fn completed(
        &self,
        request: CompleteRequestParams,
        extensions: &Extensions,
    ) -> Result<CompleteResult, ErrorData> {
        let Inner { server, completions, .. } = &*self.inner;
        if completions.is_empty() {
            return Err(ErrorData::method_not_found::<CompleteRequestMethod>());
        }
        let (feature, name) = match &request.r#ref {
            Reference::Prompt(prompt) => (Feature::Prompt, &prompt.name),
            Reference::Resource(resource) => (Feature::Resource, &resource.uri),
            _ => return Err(ErrorData::invalid_params("Unknown reference", None)),
        };
        let caller = extract::required(extensions, feature, name)?.clone();
        let declared = match feature {
            Feature::Resource => self.inner.resources.details(name).map(ResourceRoute::name),
            _ => Some(name.as_str()),
        };
        let declared = declared.and_then(|name| S::REGISTRY.get(feature, name));
        let is_allowed = caller.may(Operation::new(feature, name).for_some_arguments()).is_allow();
        match declared.filter(|_| is_allowed) {
            Some(declared) => {
                let completed = (feature, declared.name());
                let mut request = request;
                // The method is given the canonical URI, which is the one that was decided on.
                if let Reference::Resource(resource) = &mut request.r#ref
                    && let Some(uri) = self.inner.resources.canonical(&resource.uri)
                {
                    resource.uri = uri;
                }
                completions.complete(completed, server, caller, request).await
            }
            None => Err(match feature {
                Feature::Prompt => unknown(feature, name),
                _ => ErrorData::resource_not_found("Resource not found", None),
            }),
        }
    }

    /// Adds the server's services and the session's log level to a request, so that methods can
    /// take them as parameters.
    ///
    /// The result is held until the call has ended.
    fn prepare(&self, context: &mut RequestContext<RoleServer>) -> Option<OneWay> {
        context.extensions.insert(self.inner.services.clone());
        if S::HAS_TASKS {
            context.extensions.insert(TaskBounds {
                revocations: self.revocations.clone(),
                most: self.limits.max_tasks_per_caller,
            });
        }
        if let Some(session) = &self.session {
            context.extensions.insert(session.level.clone());
        }
        OneWay::replace(context)
    }
}

/// Returns whether a list of this request says who may cache it and for how long. MCP 2026-07-28
/// requires the two fields, and older revisions do not know them.
fn knows_caching(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

/// Answers with one page of a list for one caller. The answer may be cached for this caller alone,
/// for at most one minute and not beyond its token's expiry, so that even a client that does not
/// listen for changes sees a change of the policy within a minute.
macro_rules! list {
    ($self:ident, $feature:ident $Method:ident, $request:ident, $context:ident, $Result:ident { $items:ident } = $list:ident, $name:expr) => {{
        // A server without resources or prompts does not know their lists, but it always lists
        // tools.
        if Feature::$feature != Feature::Tool && S::REGISTRY.of(Feature::$feature).next().is_none()
        {
            return Err(ErrorData::method_not_found::<rmcp::model::$Method>());
        }
        let caller = extract::caller_of(&$context.extensions);
        let cursor = $request.and_then(|request| request.cursor);
        let (items, next_cursor) = page($self.$list(caller), cursor.as_deref(), $name)?;
        let mut result = $Result::with_all_items(items);
        result.next_cursor = next_cursor;
        if knows_caching(&$context) {
            result.cache_scope = Some(CacheScope::Private);
            result.ttl_ms = Some(caller.map_or(0, lists::time_to_live));
        }
        Ok(result)
    }};
}

impl<S: ScopedTools> ServerHandler for McpHandler<S> {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::clone(&self.info)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        context.peer.set_peer_info(request.clone());
        let mut result = self.negotiate_initialize(&request)?;
        // In the revisions that have `initialize`, notifications need a session. This handler sends
        // updates of resources in a session and no changes of lists, so it promises no more.
        let capabilities = &mut result.capabilities;
        if let Some(tools) = &mut capabilities.tools {
            tools.list_changed = None;
        }
        if let Some(prompts) = &mut capabilities.prompts {
            prompts.list_changed = None;
        }
        if let Some(resources) = &mut capabilities.resources {
            resources.list_changed = None;
            resources.subscribe = self.session.is_some().then_some(true);
        }
        Ok(result)
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        self.live.as_ref()?;
        let resources = requested.resource_subscriptions.iter().flatten();
        // The gate refuses more. Without it the rest is not accepted, which the answer says.
        let known = resources.filter(|uri| self.inner.resources.canonical(uri).is_some());
        let known = known.take(self.limits.max_subscriptions);
        let filter = SubscriptionFilter::builder()
            .tools_list_changed()
            .prompts_list_changed()
            .resources_list_changed()
            .resource_subscriptions(known.cloned());
        Some(filter.build())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let caller = principal_of(&subscription.request_context().extensions).cloned();
        let (Some(live), Some(caller)) = (&self.live, caller) else {
            let refusal = Refusal::unauthenticated(Feature::Tool, "subscriptions/listen", &[]);
            return Err(refusal.into_error_data());
        };
        let running = outcome::begin(&subscription.request_context().extensions).await?;
        let told = self.tell_of_changes(live, caller, &subscription).await;
        running.end(outcome::of(&told));
        told
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        // Held to the end of the call, because a call whose client has gone away goes on.
        let _place = place_of(&context.extensions);
        let running = outcome::begin(&context.extensions).await?;
        let _one_way = self.prepare(&mut context);
        let caller = principal_of(&context.extensions).cloned();
        let Inner { server, tools, services, .. } = &*self.inner;
        let answer = tools.call(ToolCallContext::new(server, request, context)).await;
        outcome::record_refusal(&answer, caller.as_ref(), &services.recorder);
        running.end(outcome::of_tool(&answer));
        answer
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        list!(
            self,
            Tool ListToolsRequestMethod,
            request,
            context,
            ListToolsResult { tools } = tools,
            |tool: &Tool| &tool.name
        )
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.inner.tools.get(name).cloned()
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        list!(
            self,
            Prompt ListPromptsRequestMethod,
            request,
            context,
            ListPromptsResult { prompts } = prompts,
            |one: &Prompt| &one.name
        )
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let running = outcome::begin(&context.extensions).await?;
        let Inner { server, prompts, .. } = &*self.inner;
        // rmcp's own answer is not used, because it would list all prompts to any caller.
        if !prompts.has_route(&request.name) {
            running.end(Outcome::Error);
            return Err(unknown(Feature::Prompt, &request.name));
        }
        let _place = place_of(&context.extensions);
        let _one_way = self.prepare(&mut context);
        context.extensions.insert(Round::new(request.input_responses, request.request_state));
        let answer = prompts
            .get_prompt(PromptContext::new(server, request.name, request.arguments, context))
            .await;
        running.end(outcome::of(&answer));
        answer
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        list!(
            self,
            Resource ListResourcesRequestMethod,
            request,
            context,
            ListResourcesResult { resources } = resources,
            |one: &Resource| &one.uri
        )
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        list!(
            self,
            Resource ListResourceTemplatesRequestMethod,
            request,
            context,
            ListResourceTemplatesResult { resource_templates } = templates,
            |one: &ResourceTemplate| &one.uri_template
        )
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let _place = place_of(&context.extensions);
        let running = outcome::begin(&context.extensions).await?;
        let _one_way = self.prepare(&mut context);
        context.extensions.insert(Round::new(request.input_responses, request.request_state));
        let Inner { server, resources, .. } = &*self.inner;
        let answer = resources.read(server, request.uri, context).await;
        running.end(outcome::of(&answer));
        let mut answer = answer?;
        // The policy allowed only this caller to read, so no cache may give the answer to another.
        if let ReadResourceResponse::Complete(result) = &mut answer
            && result.cache_scope.is_some()
        {
            result.cache_scope = Some(CacheScope::Private);
        }
        Ok(answer)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let running = outcome::begin(&context.extensions).await?;
        let answer = self.completed(request, &context.extensions).await;
        running.end(outcome::of(&answer));
        answer
    }

    #[expect(deprecated, reason = "`logging/setLevel` is part of the revisions until 2025-11-25")]
    async fn set_level(
        &self,
        request: rmcp::model::SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        match &self.session {
            Some(session) => {
                session.level.set(request.level);
                Ok(())
            }
            None => Err(ErrorData::method_not_found::<rmcp::model::SetLevelRequestMethod>()),
        }
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let Some(session) = &self.session else {
            return Err(ErrorData::method_not_found::<rmcp::model::SubscribeRequestMethod>());
        };
        let running = outcome::begin(&context.extensions).await?;
        let caller = extract::required(&context.extensions, Feature::Resource, &request.uri)?;
        let nothing = serde_json::Map::new();
        let reading = Operation::resource(&request.uri).with_arguments(&nothing);
        let canonical = self.inner.resources.canonical(&request.uri);
        let Some(canonical) = canonical.filter(|_| caller.may(reading).is_allow()) else {
            running.end(Outcome::Error);
            return Err(ErrorData::resource_not_found("Resource not found", None));
        };
        let mut subscribed = session.subscribed.lock();
        let (peer, named) = (context.peer.clone(), (canonical, request.uri));
        let answer = self.add_subscription(&mut subscribed, named, caller, peer);
        running.end(outcome::of(&answer));
        answer
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let Some(session) = &self.session else {
            return Err(ErrorData::method_not_found::<rmcp::model::UnsubscribeRequestMethod>());
        };
        let running = outcome::begin(&context.extensions).await?;
        if let Some(uri) = self.inner.resources.canonical(&request.uri) {
            session.subscribed.lock().remove(&uri);
        }
        running.end(Outcome::Ok);
        Ok(())
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let running = outcome::begin(&context.extensions).await?;
        let caller = principal_of(&context.extensions);
        let tasks = self.inner.services.tasks.of(&request.task_id, caller);
        let answer = tasks.and_then(|tasks| tasks.get_task(&request.task_id));
        running.end(outcome::of(&answer));
        Ok(GetTaskResult::new(answer?))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let running = outcome::begin(&context.extensions).await?;
        let caller = principal_of(&context.extensions);
        let tasks = self.inner.services.tasks.of(&request.task_id, caller);
        let answer =
            tasks.and_then(|tasks| tasks.update_task(&request.task_id, request.input_responses));
        running.end(outcome::of(&answer));
        answer
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let running = outcome::begin(&context.extensions).await?;
        let caller = principal_of(&context.extensions);
        let tasks = self.inner.services.tasks.of(&request.task_id, caller);
        let answer = tasks.and_then(|tasks| tasks.cancel_task(&request.task_id));
        running.end(outcome::of(&answer));
        answer
    }
}
