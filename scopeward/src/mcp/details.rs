//! What a server says of itself.

/// What a server says of itself to clients, besides its name and version.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerDetails {
    /// The name for people.
    pub(crate) title: Option<String>,
    /// What a client's model should know to use the server.
    pub(crate) instructions: Option<String>,
}
