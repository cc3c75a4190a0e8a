use scopeward::{Parameters, __private::serde, scoped_tools};

#[derive(serde::Deserialize)]
#[serde(crate = "serde")]
struct Note {
    text: String,
}

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    fn add(&self, Parameters(note): Parameters<Note>) -> String {
        note.text
    }
}

fn main() {}
