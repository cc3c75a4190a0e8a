use scopeward::{scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    async fn add(&self, title: String) -> String {
        title
    }
}

fn main() {}
