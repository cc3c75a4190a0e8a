use scopeward::scoped_tools;

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    fn one(&self) -> String {
        String::new()
    }
}

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    fn two(&self) -> String {
        String::new()
    }
}

fn main() {}
