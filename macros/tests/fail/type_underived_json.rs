use scopeward::{Json, scoped_tools};

struct Note {
    text: String,
}

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    fn first(&self) -> Result<Json<Note>, String> {
        todo!()
    }
}

fn main() {}
