//! The services that a server gives to its tools besides the caller and the arguments.

use rmcp::model::Extensions;

use super::{ServerTasks, Updates};
use crate::record::audit::Recorder;

/// All services of a server as one value, because each entry in a request's extensions costs time
/// in every call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Services {
    pub(crate) tasks: ServerTasks,
    pub(crate) updates: Updates,
    pub(crate) recorder: Recorder,
}

impl Services {
    /// The services in a request's extensions, if the request came through `McpHandler`.
    pub(super) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }
}
