//! The MCP side: serves a type's tools, and lists to each caller what it may use.

#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    handler::server::{router::tool::ToolRouter, tool::ToolCallContext},
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, Implementation,
        InitializeRequestParams, InitializeResult, ListToolsResult, MetaObject,
        PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig,
        SubscriptionFilter, Tool,
    },
    service::{RequestContext, SubscriptionContext},
};

use crate::{
    live::LivePolicy,
    policy::{Decision, Denial, ListMode},
    principal::Principal,
    refusal::Refusal,
    registry::ScopedTools,
};

/// The `_meta` key under which a listed tool names the scopes that the caller still needs.
pub const REQUIRED_SCOPES_META: &str = "scopeward/required_scopes";

/// An rmcp server for a type's scoped tools, on any transport.
///
/// Over HTTP it stands behind [`Gate`](crate::gate::Gate). Elsewhere each tool's own check still
/// refuses every call that brings no [`Principal`] in the request's extensions.
#[derive(Debug)]
pub struct Guarded<S> {
    tools: Arc<S>,
    router: Arc<ToolRouter<S>>,
    live: Option<LivePolicy>,
}

impl<S> Clone for Guarded<S> {
    fn clone(&self) -> Self {
        Self {
            tools: Arc::clone(&self.tools),
            router: Arc::clone(&self.router),
            live: self.live.clone(),
        }
    }
}

impl<S: ScopedTools> Guarded<S> {
    /// Serves the tools of `tools`.
    pub fn new(tools: S) -> Self {
        Self { tools: Arc::new(tools), router: Arc::new(S::tool_router()), live: None }
    }

    /// Also tells subscribers when a change of the policy changes their list.
    #[must_use]
    pub fn watching(self, live: LivePolicy) -> Self {
        Self { live: Some(live), ..self }
    }

    /// What `caller` is shown, in the order of the tools' names.
    fn list(&self, caller: Option<&Principal>) -> Vec<Tool> {
        let Some(caller) = caller else { return vec![] };
        self.router.list_all().into_iter().filter_map(|tool| listed(tool, caller)).collect()
    }
}

impl<S: ScopedTools> Guarded<S> {
    /// Sends `notifications/tools/list_changed` whenever another policy shows `caller` another
    /// list, until the caller goes away, its token expires, or the server stops.
    async fn tell_of_changes(
        &self,
        live: &LivePolicy,
        mut caller: Principal,
        subscription: &SubscriptionContext,
    ) {
        let mut changes = live.changes();
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(u64::MAX, |now| now.as_secs());
        let lifetime = Duration::from_secs(caller.expires_at().saturating_sub(now));
        let expired = tokio::time::sleep(lifetime);
        tokio::pin!(expired);
        while !*changes.borrow_and_update() {
            let current = live.current();
            if current.revision() != caller.policy().revision() {
                let next = caller.under(current);
                let is_changed = self.list(Some(&next)) != self.list(Some(&caller));
                caller = next;
                if is_changed && subscription.sink().notify_tool_list_changed().await.is_err() {
                    return;
                }
            }
            tokio::select! {
                woken = changes.changed() => if woken.is_err() { return },
                () = &mut expired => return,
                () = subscription.cancelled() => return,
            }
        }
    }
}

/// The tool as `caller` sees it, following the very decision that a call would get.
fn listed(mut tool: Tool, caller: &Principal) -> Option<Tool> {
    let denial = match caller.may_call(&tool.name) {
        Decision::Allow(_) => return Some(tool),
        Decision::UnknownTool => return None,
        Decision::Deny(denial) => denial,
    };
    if denial.rule().is_hidden() {
        return None;
    }
    let shown: Denial<'_> = match caller.policy().list_mode() {
        ListMode::Callable => None,
        ListMode::StepUp => denial.by_step_up(caller.held()),
        ListMode::Reachable => caller.policy().is_reachable(denial.rule()).then_some(denial),
    }?;
    let required = shown.required().map(|scope| scope.as_str().into()).collect();
    tool.meta
        .get_or_insert_with(MetaObject::default)
        .insert(REQUIRED_SCOPES_META.to_owned(), serde_json::Value::Array(required));
    Some(tool)
}

impl<S: ScopedTools> ServerHandler for Guarded<S> {
    fn get_info(&self) -> ServerConfig {
        let (name, version) = S::SERVER;
        let mut capabilities = ServerCapabilities::builder().enable_tools().build();
        if let Some(tools) = &mut capabilities.tools {
            tools.list_changed = self.live.is_some().then_some(true);
        }
        ServerConfig::new(capabilities).with_server_info(Implementation::new(name, version))
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        context.peer.set_peer_info(request.clone());
        let mut result = self.negotiate_initialize(&request)?;
        // `initialize` belongs to the revisions whose notifications need a session, and there is
        // none: what is not sent is not promised.
        if let Some(tools) = &mut result.capabilities.tools {
            tools.list_changed = None;
        }
        Ok(result)
    }

    fn accepted_subscription_filter(
        &self,
        _requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        self.live.as_ref()?;
        Some(SubscriptionFilter::builder().tools_list_changed().build())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let caller = Principal::of(&subscription.request_context().extensions).cloned();
        let (Some(live), Some(caller)) = (&self.live, caller) else {
            let tool = "subscriptions/listen";
            return Err(Refusal::unauthenticated(tool, &[]).into_error_data());
        };
        self.tell_of_changes(live, caller, &subscription).await;
        Ok(())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.router.call(ToolCallContext::new(&*self.tools, request, context)).await
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        // MCP, "Pagination", error handling: the list is given whole, so no cursor was ever given.
        if request.is_some_and(|request| request.cursor.is_some()) {
            return Err(ErrorData::invalid_params("Invalid cursor: the list has one page", None));
        }
        let mut result =
            ListToolsResult::with_all_items(self.list(Principal::of(&context.extensions)));
        // The list depends on the caller: MCP 2026-07-28 wants that said. Older revisions do not
        // know the two fields.
        if context
            .protocol_version()
            .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
        {
            result.cache_scope = Some(CacheScope::Private);
            result.ttl_ms = Some(0);
        }
        Ok(result)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.router.get(name).cloned()
    }
}
