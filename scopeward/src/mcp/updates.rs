//! Changes of resources: a tool says that one has changed, and those who subscribed to it and may
//! read it are told.

use tokio::sync::broadcast::{Receiver, Sender};

/// So many changes wait for a slow listener; one that misses some is told of all its resources.
const WAITING: usize = 256;

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
        Self(Sender::new(WAITING))
    }
}

impl Updates {
    /// The resource of this URI has changed.
    pub fn resource(&self, uri: impl Into<String>) {
        // Nobody who listens is no mistake.
        let _ = self.0.send(uri.into());
    }

    pub(crate) fn listen(&self) -> Receiver<String> {
        self.0.subscribe()
    }
}
