use scopeward::{scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    const fn add(&self) -> String {
        String::new()
    }
}

fn main() {}
