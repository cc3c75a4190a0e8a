//! The notes, and the tools that read and write them.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use scopeward::{
    Environment, ErrorData, Json, Parameters, Principal, data,
    rmcp::model::{ContentBlock, IntoContents, PromptMessage, Role},
    scoped_tools,
};

/// Everybody's notes, in memory.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<BTreeMap<u64, Note>>>);

/// A note, with the people who may read it.
#[data]
#[derive(Clone)]
pub(crate) struct Note {
    /// The number of the note
    pub(crate) id: u64,
    /// The title of the note
    pub(crate) title: String,
    /// The text of the note
    #[serde(default)]
    pub(crate) text: String,
    /// The owner and whom the note is shared with
    pub(crate) readers: Vec<String>,
}

/// A list of notes.
#[data]
pub(crate) struct NoteList {
    /// The notes, in the order of their numbers
    pub(crate) notes: Vec<Note>,
}

/// A note to create.
#[data]
pub(crate) struct NewNote {
    /// The title of the note
    pub(crate) title: String,
    /// The text of the note
    #[serde(default)]
    pub(crate) text: String,
}

/// The number of a note. It stands in arguments of tools, in URIs and in arguments of prompts.
#[data]
pub(crate) struct NoteId {
    /// The number of the note
    pub(crate) id: u64,
}

/// A line of a note.
#[data]
pub(crate) struct NoteLine {
    /// The number of the note
    pub(crate) id: u64,
    /// The number of the line, counted from 1
    pub(crate) line: usize,
}

/// A text to look for.
#[data]
pub(crate) struct Search {
    /// The text that a title or a text contains
    pub(crate) text: String,
}

/// A change of a note.
#[data]
pub(crate) struct Change {
    /// The number of the note
    pub(crate) id: u64,
    /// The new text
    pub(crate) text: String,
}

/// Why a note cannot be used. A note of somebody else and a note that does not exist look alike.
#[derive(Debug, thiserror::Error)]
#[error("there is no note {0} among yours")]
pub(crate) struct NoSuchNote(u64);

/// As the result of a tool, which the model reads.
impl IntoContents for NoSuchNote {
    fn into_contents(self) -> Vec<ContentBlock> {
        vec![ContentBlock::text(self.to_string())]
    }
}

/// As the answer of a resource or a prompt.
impl From<NoSuchNote> for ErrorData {
    fn from(error: NoSuchNote) -> Self {
        Self::resource_not_found(error.to_string(), None)
    }
}

impl Notes {
    pub(crate) async fn open(_: Environment) -> Result<Self, Infallible> {
        Ok(Self::default())
    }

    pub(crate) fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Note>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a note that the caller may read, and gives it.
    pub(crate) fn with<T>(
        &self,
        caller: &Principal,
        id: u64,
        change: impl FnOnce(&mut Note) -> T,
    ) -> Result<T, NoSuchNote> {
        let mut all = self.all();
        let note = all.get_mut(&id).filter(|note| is_reader(note, caller));
        note.map(change).ok_or(NoSuchNote(id))
    }

    fn of(&self, caller: &Principal, is_wanted: impl Fn(&Note) -> bool) -> Json<NoteList> {
        let all = self.all();
        let notes = all.values().filter(|note| is_reader(note, caller) && is_wanted(note));
        Json(NoteList { notes: notes.cloned().collect() })
    }
}

fn is_reader(note: &Note, caller: &Principal) -> bool {
    note.readers.iter().any(|reader| reader == caller.subject() || reader == "everyone")
}

#[scoped_tools(parts = [sharing])]
impl Notes {
    /// Creates a note.
    #[scoped_tool(scopes = ["note:write"], annotations(destructive_hint = false))]
    pub(crate) async fn create_note(
        &self,
        caller: Principal,
        Parameters(NewNote { title, text }): Parameters<NewNote>,
    ) -> Json<Note> {
        let mut all = self.all();
        let id = all.keys().next_back().map_or(1, |last| last + 1);
        let note = Note { id, title, text, readers: vec![caller.subject().to_owned()] };
        all.insert(id, note.clone());
        Json(note)
    }

    /// Gets a note.
    #[scoped_tool(scopes = ["note:read"], annotations(read_only_hint = true))]
    async fn get_note(
        &self,
        caller: Principal,
        Parameters(NoteId { id }): Parameters<NoteId>,
    ) -> Result<Json<Note>, NoSuchNote> {
        self.with(&caller, id, |note| Json(note.clone()))
    }

    /// Lists the caller's notes.
    #[scoped_tool(scopes = ["note:read"], annotations(read_only_hint = true))]
    async fn list_notes(&self, caller: Principal) -> Json<NoteList> {
        self.of(&caller, |_| true)
    }

    /// Finds the caller's notes that contain a text.
    #[scoped_tool(scopes = ["note:read"], annotations(read_only_hint = true))]
    async fn search_notes(
        &self,
        caller: Principal,
        Parameters(Search { text }): Parameters<Search>,
    ) -> Json<NoteList> {
        self.of(&caller, |note| note.title.contains(&text) || note.text.contains(&text))
    }

    /// Replaces the text of a note.
    #[scoped_tool(scopes = ["note:write"])]
    async fn update_note(
        &self,
        caller: Principal,
        Parameters(Change { id, text }): Parameters<Change>,
    ) -> Result<Json<Note>, NoSuchNote> {
        self.with(&caller, id, |note| {
            note.text = text;
            Json(note.clone())
        })
    }

    /// Deletes a note, and gives it once more.
    #[scoped_tool(scopes = ["note:write"])]
    async fn delete_note(
        &self,
        caller: Principal,
        Parameters(NoteId { id }): Parameters<NoteId>,
    ) -> Result<Json<Note>, NoSuchNote> {
        // One tool calls another as any method.
        let note = self.get_note(caller, Parameters(NoteId { id })).await?;
        self.all().remove(&id);
        Ok(note)
    }

    /// The text of a note.
    #[scoped_resource(uri = "note://{id}", scopes = ["note:read"], mime_type = "text/plain")]
    fn text(
        &self,
        caller: Principal,
        Parameters(NoteId { id }): Parameters<NoteId>,
    ) -> Result<String, NoSuchNote> {
        self.with(&caller, id, |note| note.text.clone())
    }

    /// One line of a note.
    #[scoped_resource(uri = "note://{id}/lines/{line}", scopes = ["note:read"])]
    fn line(
        &self,
        caller: Principal,
        Parameters(NoteLine { id, line }): Parameters<NoteLine>,
    ) -> Result<String, NoSuchNote> {
        let text = self.with(&caller, id, |note| note.text.clone())?;
        let line = line.checked_sub(1).and_then(|line| text.lines().nth(line));
        line.map(str::to_owned).ok_or(NoSuchNote(id))
    }

    /// Asks for a summary of a note.
    #[scoped_prompt(scopes = ["note:read"])]
    fn summarize(
        &self,
        caller: Principal,
        Parameters(NoteId { id }): Parameters<NoteId>,
    ) -> Result<Vec<PromptMessage>, ErrorData> {
        let text = self.with(&caller, id, |note| note.text.clone())?;
        let asked = format!("Summarize in one sentence:\n\n{text}");
        Ok(vec![PromptMessage::new_text(Role::User, asked)])
    }
}
