//! Changes of resources: a tool reports that a resource has changed, and the subscribers that may
//! read the resource are notified.

use tokio::sync::broadcast::{Receiver, Sender};

/// At most this many changes wait for a slow subscriber, so that memory stays bounded. A subscriber
/// that has missed changes is notified of all its resources.
const MAX_WAITING: usize = 256;

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
#[derive(Debug, Clone)]
pub struct Updates(Sender<String>);

impl Default for Updates {
    fn default() -> Self {
        Self(Sender::new(MAX_WAITING))
    }
}

impl Updates {
    /// Reports that the resource of this URI has changed.
    pub fn resource(&self, uri: impl Into<String>) {
        // Sending fails only if nobody listens, which is not an error.
        let _ = self.0.send(uri.into());
    }

    pub(crate) fn listen(&self) -> Receiver<String> {
        self.0.subscribe()
    }
}
