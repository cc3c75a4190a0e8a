//! Notifies callers of changes of their lists and of the resources that they subscribed to.

use std::collections::HashMap;

use rmcp::{
    ErrorData, Peer, RoleServer,
    model::{ErrorCode, ResourceUpdatedNotificationParam},
    service::{SubscriptionContext, SubscriptionSink},
};
use tokio::{sync::broadcast::error::RecvError, task::JoinHandle};

use super::McpHandler;
use crate::{
    identity::{Principal, expiry, revocation::Revocations},
    live::LivePolicy,
    mcp::{ScopedTools, Updates},
    policy::Operation,
};

/// At most this many resources have a subscription in one session, because each subscription runs a
/// task.
const MAX_SUBSCRIPTIONS: usize = 1_000;

impl<S: ScopedTools> McpHandler<S> {
    /// Notifies `caller` of changes until the caller goes away, its access ends, or the server
    /// stops. The changes are those of its lists, by another policy, and those of the resources
    /// that it subscribed to and may read.
    pub(super) async fn tell_of_changes(
        &self,
        live: &LivePolicy,
        mut caller: Principal,
        subscription: &SubscriptionContext,
    ) {
        let sink = subscription.sink();
        let mut changes = live.changes();
        let mut updates = self.inner.services.updates.listen();
        let ended = expiry::end(caller.clone(), self.revocations.clone());
        tokio::pin!(ended);
        while !*changes.borrow_and_update() {
            let current = live.current();
            if current.revision() != caller.policy().revision() {
                let next = caller.under(current);
                if self.tell_of_lists(sink, &caller, &next).await.is_err() {
                    return;
                }
                caller = next;
            }
            tokio::select! {
                woken = changes.changed() => if woken.is_err() { return },
                () = &mut ended => return,
                () = subscription.cancelled() => return,
                change = updates.recv() => {
                    let resources = sink.accepted().resource_subscriptions.iter().flatten();
                    for uri in resources.filter(|uri| concerns(&change, uri)) {
                        if caller.may(Operation::resource(uri)).is_allow()
                            && sink.notify_resource_updated(uri).await.is_err()
                        {
                            return;
                        }
                    }
                }
            }
        }
    }

    /// Notifies a caller of the lists that differ between two policies. An error says that the
    /// caller has gone away.
    async fn tell_of_lists(
        &self,
        sink: &SubscriptionSink,
        caller: &Principal,
        next: &Principal,
    ) -> Result<(), ()> {
        let wanted = sink.accepted();
        let (caller, next) = (Some(caller), Some(next));
        if wanted.tools_list_changed == Some(true) && self.tools(caller) != self.tools(next) {
            sink.notify_tool_list_changed().await.map_err(drop)?;
        }
        if wanted.prompts_list_changed == Some(true) && self.prompts(caller) != self.prompts(next) {
            sink.notify_prompt_list_changed().await.map_err(drop)?;
        }
        if wanted.resources_list_changed == Some(true)
            && (self.resources(caller) != self.resources(next)
                || self.templates(caller) != self.templates(next))
        {
            sink.notify_resource_list_changed().await.map_err(drop)?;
        }
        Ok(())
    }
}

/// Returns whether a change concerns this resource. If changes were missed, they may concern any.
fn concerns(updated: &Result<String, RecvError>, uri: &str) -> bool {
    match updated {
        Ok(updated) => updated == uri,
        Err(RecvError::Lagged(_)) => true,
        Err(RecvError::Closed) => false,
    }
}

/// Notifies one session of the changes of one resource, while the caller may read the resource.
pub(super) async fn forward(
    updates: Updates,
    live: Option<LivePolicy>,
    revocations: Revocations,
    caller: Principal,
    uri: String,
    peer: Peer<RoleServer>,
) {
    let mut updates = updates.listen();
    let telling = async {
        loop {
            let change = updates.recv().await;
            if matches!(change, Err(RecvError::Closed)) {
                return;
            }
            let caller = match &live {
                Some(live) => caller.under(live.current()),
                None => caller.clone(),
            };
            if concerns(&change, &uri)
                && caller.may(Operation::resource(&uri)).is_allow()
                && peer
                    .notify_resource_updated(ResourceUpdatedNotificationParam::new(uri.clone()))
                    .await
                    .is_err()
            {
                return;
            }
        }
    };
    tokio::select! {
        () = telling => {}
        () = expiry::end(caller.clone(), revocations) => {}
    }
}

/// The subscriptions of one session, which end with the session.
#[derive(Debug, Default)]
pub(super) struct Subscribed(HashMap<String, JoinHandle<()>>);

impl Subscribed {
    pub(super) fn add(&mut self, uri: String, task: JoinHandle<()>) -> Result<(), ErrorData> {
        self.0.retain(|_, task| !task.is_finished());
        if self.0.len() >= MAX_SUBSCRIPTIONS && !self.0.contains_key(&uri) {
            task.abort();
            let message =
                format!("a session may subscribe to at most {MAX_SUBSCRIPTIONS} resources");
            return Err(ErrorData::new(ErrorCode::INVALID_REQUEST, message, None));
        }
        if let Some(before) = self.0.insert(uri, task) {
            before.abort();
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, uri: &str) {
        if let Some(task) = self.0.remove(uri) {
            task.abort();
        }
    }
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        for task in self.0.values() {
            task.abort();
        }
    }
}
