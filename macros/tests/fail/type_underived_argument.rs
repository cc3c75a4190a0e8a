use scopeward::{Parameters, scoped_tools};

struct Note {
    text: String,
}

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    async fn add(&self, Parameters(note): Parameters<Note>) -> String {
        note.text
    }
}

fn main() {}
