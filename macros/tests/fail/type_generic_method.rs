use scopeward::{Parameters, scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    fn add<T>(&self, _note: Parameters<T>) -> String {
        todo!()
    }
}

fn main() {}
