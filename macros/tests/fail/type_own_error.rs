use scopeward::{scoped_tools};

struct NoNote;

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    fn first(&self) -> Result<String, NoNote> {
        Err(NoNote)
    }
}

fn main() {}
