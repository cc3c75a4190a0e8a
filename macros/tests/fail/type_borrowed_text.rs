use scopeward::{scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    fn who(&self, name: &str) -> String {
        name.to_owned()
    }
}

fn main() {}
