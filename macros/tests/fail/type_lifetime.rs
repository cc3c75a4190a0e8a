use scopeward::{Parameters, scoped_tools};

struct Note<'a> {
    text: &'a str,
}

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    fn add<'a>(&'a self, Parameters(note): Parameters<Note<'a>>) -> String {
        note.text.to_owned()
    }
}

fn main() {}
