use scopeward::{scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    fn clear(&mut self) -> String {
        todo!()
    }
}

fn main() {}
