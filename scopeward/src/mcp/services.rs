//! What a server gives to its tools beside their caller and their arguments.

use rmcp::model::Extensions;

use super::{ServerTasks, Updates};
use crate::record::audit::Recorder;

/// What every use finds in its extensions, as one: each entry there costs every call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Services {
    pub(crate) tasks: ServerTasks,
    pub(crate) updates: Updates,
    pub(crate) recorder: Recorder,
}

impl Services {
    pub(super) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }
}
