use scopeward::{Parameters, scoped_tools};

#[scopeward::data]
struct Note {
    text: String,
}

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    fn add(&self, _one: Parameters<Note>, _two: Parameters<Note>) -> String {
        todo!()
    }
}

fn main() {}
