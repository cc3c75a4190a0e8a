use scopeward::{scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    fn first(&self) -> Option<String> {
        None
    }
}

fn main() {}
