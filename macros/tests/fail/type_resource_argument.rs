use scopeward::{Parameters, scoped_tools};

struct Note {
    text: String,
}

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_resource(uri = "note://{text}", scopes = [])]
    fn one(&self, Parameters(note): Parameters<Note>) -> String {
        note.text
    }
}

fn main() {}
