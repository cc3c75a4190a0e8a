use scopeward::{scoped_tools};

#[scopeward::data]
struct Note {
    text: String,
}

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    async fn first(&self) -> Result<Note, String> {
        todo!()
    }
}

fn main() {}
