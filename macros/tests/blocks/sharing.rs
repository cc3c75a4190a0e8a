//! A block of a type in another file.

use scopeward::{Parameters, data, scoped_tools};

use super::{Notes, Store};

#[data]
pub(super) struct With {
    pub(super) name: String,
}

#[scoped_tools(part = sharing)]
impl<S: Store> Notes<S> {
    /// Shares the notes.
    #[scoped_tool(scopes = ["note:share"])]
    pub(super) fn share(&self, Parameters(with): Parameters<With>) -> String {
        with.name
    }
}
