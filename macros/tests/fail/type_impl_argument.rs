use scopeward::{scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    fn add(&self, text: impl Into<String>) -> String {
        text.into()
    }
}

fn main() {}
