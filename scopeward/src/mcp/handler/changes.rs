//! Notifies callers of changes of their lists and of the resources that they subscribed to.

use std::collections::HashMap;

use rmcp::{
    ErrorData, Peer, RoleServer,
    model::{ErrorCode, ResourceUpdatedNotificationParam},
    service::{SubscriptionContext, SubscriptionSink},
};
use tokio::task::JoinHandle;

use super::McpHandler;
use crate::{
    identity::{Caller, Principal, expiry, revocation::Revocations},
    live::LivePolicy,
    mcp::{ScopedTools, updates::Subscription},
    policy::Operation,
};

impl<S: ScopedTools> McpHandler<S> {
    /// Notifies `caller` of changes until the caller goes away, its access ends, or the server
    /// stops. The changes are those of its lists, by another policy, and those of the resources
    /// that it subscribed to and may read.
    pub(super) async fn tell_of_changes(
        &self,
        live: &LivePolicy,
        mut caller: Principal,
        subscription: &SubscriptionContext,
    ) -> Result<(), ErrorData> {
        let sink = subscription.sink();
        let resources = sink.accepted().resource_subscriptions.iter().flatten();
        let resources = resources
            .filter_map(|uri| Some((self.inner.resources.canonical(uri)?, uri.to_owned())));
        let most = self.limits.max_subscriptions_per_caller;
        let updates = &self.inner.services.updates;
        let updates =
            updates.subscribe(&caller, resources, most).ok_or_else(|| too_many(most, "caller"))?;
        let mut changes = live.changes();
        let ended = expiry::end(caller.clone(), self.revocations.clone());
        tokio::pin!(ended);
        while !*changes.borrow_and_update() {
            let current = live.current();
            if current.revision() != caller.policy().revision() {
                let next = caller.under(current);
                if self.tell_of_lists(sink, &caller, &next).await.is_err() {
                    return Ok(());
                }
                caller = next;
            }
            tokio::select! {
                woken = changes.changed() => if woken.is_err() { return Ok(()) },
                () = &mut ended => return Ok(()),
                () = subscription.cancelled() => return Ok(()),
                uris = updates.next() => {
                    for uri in uris {
                        if caller.may(Operation::resource(uri)).is_allow()
                            && sink.notify_resource_updated(uri).await.is_err()
                        {
                            return Ok(());
                        }
                    }
                }
            }
        }
        Ok(())
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
        let (caller, next) = (Some(Caller::Principal(caller)), Some(Caller::Principal(next)));
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

/// The error of a subscription beyond a limit.
fn too_many(most: usize, whose: &str) -> ErrorData {
    let message = format!("a {whose} may subscribe to at most {most} resources: end some of them");
    ErrorData::new(ErrorCode::INVALID_REQUEST, message, None)
}

/// Notifies one session of the changes of one resource, while the caller may read the resource.
async fn forward(
    updates: Subscription,
    live: Option<LivePolicy>,
    revocations: Revocations,
    caller: Principal,
    peer: Peer<RoleServer>,
) {
    let telling = async {
        loop {
            let uris = updates.next().await;
            let caller = match &live {
                Some(live) => caller.under(live.current()),
                None => caller.clone(),
            };
            for uri in uris {
                if caller.may(Operation::resource(uri)).is_allow()
                    && peer
                        .notify_resource_updated(ResourceUpdatedNotificationParam::new(uri))
                        .await
                        .is_err()
                {
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = telling => {}
        () = expiry::end(caller.clone(), revocations) => {}
    }
}

impl<S: ScopedTools> McpHandler<S> {
    /// Adds a resource to the subscriptions of one session. `canonical` is its URI, and `uri` the
    /// caller's spelling of it.
    pub(super) fn add_subscription(
        &self,
        subscribed: &mut Subscribed,
        (canonical, uri): (String, String),
        caller: &Principal,
        peer: Peer<RoleServer>,
    ) -> Result<(), ErrorData> {
        let limits = &self.limits;
        subscribed.0.retain(|_, task| !task.is_finished());
        let most = limits.max_subscriptions;
        // The subscription before ends first, so that a second request for a resource fits.
        subscribed.remove(&canonical);
        if subscribed.0.len() >= most {
            return Err(too_many(most, "session"));
        }
        let most = limits.max_subscriptions_per_caller;
        let updates = &self.inner.services.updates;
        let updates = updates
            .subscribe(caller, [(canonical.clone(), uri)], most)
            .ok_or_else(|| too_many(most, "caller"))?;
        let (live, revocations) = (self.live.clone(), self.revocations.clone());
        let task = tokio::spawn(forward(updates, live, revocations, caller.clone(), peer));
        subscribed.0.insert(canonical, task);
        Ok(())
    }
}

/// The subscriptions of one session by their canonical URIs, which end with the session.
#[derive(Debug, Default)]
pub(super) struct Subscribed(HashMap<String, JoinHandle<()>>);

impl Subscribed {
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
