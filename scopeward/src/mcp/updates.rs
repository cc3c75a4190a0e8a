//! Changes of resources: a tool reports that a resource has changed, and the subscribers that may
//! read the resource are notified.
//!
//! Subscribers are found by the URI. So the work of one change grows with the subscribers of that
//! resource, and not with all subscriptions. A subscriber that is slow has each changed resource
//! noted once, and holds up nobody.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{identity::Principal, policy::canonical_uri};

/// Tells subscribers that a resource has changed, as a tool's parameter.
///
/// ```
/// use scopeward::{mcp::Updates, scoped_tools};
///
/// struct Notes;
///
/// #[scoped_tools]
/// impl Notes {
///     /// Empties the notes.
///     #[scoped_tool(scopes = ["notes:write"])]
///     fn clear(&self, updates: Updates) -> String {
///         updates.resource("notes://all");
///         "empty".to_owned()
///     }
///
///     /// All notes.
///     #[scoped_resource(uri = "notes://all", scopes = ["notes:read"])]
///     fn all(&self) -> String {
///         String::new()
///     }
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Updates(Arc<Mutex<Subscribers>>);

#[derive(Debug, Default)]
struct Subscribers {
    /// The number of the next subscription.
    next: u64,
    /// The subscriptions of each resource, by its canonical URI and by their numbers.
    by_uri: HashMap<Arc<str>, HashMap<u64, Arc<Waiting>>>,
    /// How many resources each caller has subscribed to, in all of its streams and sessions.
    by_caller: HashMap<u64, usize>,
}

/// The changes that one subscriber has not been told of.
#[derive(Debug, Default)]
struct Waiting {
    /// The canonical URIs, each once. So a subscriber never waits for more than it subscribed to.
    uris: Mutex<HashSet<Arc<str>>>,
    wake: Notify,
}

impl Updates {
    /// Reports that the resource of this URI has changed, in any spelling of the URI.
    pub fn resource(&self, uri: impl Into<String>) {
        let Ok(uri) = canonical_uri(&uri.into()) else { return };
        let subscribers = self.0.lock();
        let Some((uri, waiting)) = subscribers.by_uri.get_key_value(uri.as_str()) else { return };
        for one in waiting.values() {
            one.uris.lock().insert(Arc::clone(uri));
            one.wake.notify_one();
        }
    }

    /// Whether a caller may subscribe to so many resources more, of at most `most`.
    pub(crate) fn have_room(&self, caller: &Principal, more: usize, most: usize) -> bool {
        let held = self.0.lock().by_caller.get(&caller.number()).copied().unwrap_or(0);
        held.saturating_add(more) <= most
    }

    /// Subscribes a caller to resources, each by its canonical URI and by the spelling in which the
    /// caller is told of it. `None` if the caller would have more than `most` subscriptions.
    pub(super) fn subscribe(
        &self,
        caller: &Principal,
        uris: impl IntoIterator<Item = (String, String)>,
        most: usize,
    ) -> Option<Subscription> {
        let uris: HashMap<Arc<str>, String> =
            uris.into_iter().map(|(uri, spelling)| (Arc::from(uri), spelling)).collect();
        let caller = caller.number();
        let waiting = Arc::new(Waiting::default());
        let mut subscribers = self.0.lock();
        let held = subscribers.by_caller.get(&caller).copied().unwrap_or(0);
        let held = held.saturating_add(uris.len());
        if held > most {
            return None;
        }
        if held > 0 {
            subscribers.by_caller.insert(caller, held);
        }
        let number = subscribers.next;
        subscribers.next += 1;
        for uri in uris.keys() {
            let of = subscribers.by_uri.entry(Arc::clone(uri)).or_default();
            of.insert(number, Arc::clone(&waiting));
        }
        drop(subscribers);
        Some(Subscription { updates: self.clone(), caller, number, uris, waiting })
    }
}

/// The resources that one stream or session is told about. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Subscription {
    updates: Updates,
    caller: u64,
    number: u64,
    uris: HashMap<Arc<str>, String>,
    waiting: Arc<Waiting>,
}

impl Subscription {
    /// Waits for changes, and gives the URIs as the caller spelt them, each once.
    pub(super) async fn next(&self) -> Vec<&str> {
        loop {
            self.waiting.wake.notified().await;
            let changed = std::mem::take(&mut *self.waiting.uris.lock());
            if !changed.is_empty() {
                return changed.iter().filter_map(|uri| Some(&**self.uris.get(uri)?)).collect();
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut subscribers = self.updates.0.lock();
        for uri in self.uris.keys() {
            if let Some(of) = subscribers.by_uri.get_mut(uri) {
                of.remove(&self.number);
                if of.is_empty() {
                    subscribers.by_uri.remove(uri);
                }
            }
        }
        if let Some(held) = subscribers.by_caller.get_mut(&self.caller) {
            *held = held.saturating_sub(self.uris.len());
            if *held == 0 {
                subscribers.by_caller.remove(&self.caller);
            }
        }
    }
}
