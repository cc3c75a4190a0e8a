//! The tools that share notes.

use scopeward::{Json, Parameters, Principal, data, scoped_tools};

use crate::notes::{NoSuchNote, Note, Notes};

/// A person to share a note with, or no longer.
#[data]
pub(crate) struct Share {
    /// The number of the note
    id: u64,
    /// The person's subject, or `everyone`
    with: String,
}

#[scoped_tools(part = sharing)]
impl Notes {
    /// Shares a note.
    #[scoped_tool(scopes = ["note:share"], annotations(destructive_hint = false))]
    async fn share_note(
        &self,
        caller: Principal,
        Parameters(Share { id, with }): Parameters<Share>,
    ) -> Result<Json<Note>, NoSuchNote> {
        self.with(&caller, id, |note| {
            note.readers.push(with);
            Json(note.clone())
        })
    }

    /// Shares a note no longer.
    #[scoped_tool(scopes = ["note:share"])]
    async fn unshare_note(
        &self,
        caller: Principal,
        Parameters(Share { id, with }): Parameters<Share>,
    ) -> Result<Json<Note>, NoSuchNote> {
        self.with(&caller, id, |note| {
            note.readers.retain(|reader| *reader != with);
            Json(note.clone())
        })
    }
}
