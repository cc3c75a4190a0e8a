//! The log level that a session has set (`logging/setLevel`, revisions until 2025-11-25).

#![expect(deprecated, reason = "`logging/setLevel` is part of the revisions until 2025-11-25")]

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use rmcp::{
    ErrorData,
    handler::server::{common::FromContextPart, tool::ToolCallContext},
    model::LoggingLevel,
};

/// The log levels, from the least to the most severe.
const LEVELS: [LoggingLevel; 8] = [
    LoggingLevel::Debug,
    LoggingLevel::Info,
    LoggingLevel::Notice,
    LoggingLevel::Warning,
    LoggingLevel::Error,
    LoggingLevel::Critical,
    LoggingLevel::Alert,
    LoggingLevel::Emergency,
];

/// The lowest log level that the caller's session wants to receive, as a tool's parameter.
///
/// ```
/// use scopeward::{mcp::LogLevel, rmcp::model::LoggingLevel, scoped_tools};
///
/// struct Backups;
///
/// #[scoped_tools]
/// impl Backups {
///     /// Makes a backup.
///     #[scoped_tool(scopes = ["backup:write"])]
///     async fn back_up(&self, level: LogLevel) -> String {
///         if level.wants(LoggingLevel::Debug) {
///             // Send details to the client, through rmcp's `Peer<RoleServer>`.
///         }
///         "done".to_owned()
///     }
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct LogLevel(Arc<AtomicU8>);

impl LogLevel {
    /// Returns whether the session wants a message of this level. A session that has set no level
    /// wants all messages.
    pub fn wants(&self, level: LoggingLevel) -> bool {
        rank(level) >= self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, level: LoggingLevel) {
        self.0.store(rank(level), Ordering::Relaxed);
    }
}

fn rank(level: LoggingLevel) -> u8 {
    let position = LEVELS.iter().position(|other| *other == level);
    position.and_then(|position| u8::try_from(position).ok()).unwrap_or(0)
}

impl<S> FromContextPart<ToolCallContext<'_, S>> for LogLevel {
    fn from_context_part(context: &mut ToolCallContext<'_, S>) -> Result<Self, ErrorData> {
        Ok(context.request_context.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
