use scopeward::{scoped_tools};

#[scopeward::data]
struct Note {
    text: String,
}

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    async fn add(&self, note: Note) -> String {
        note.text
    }
}

fn main() {}
