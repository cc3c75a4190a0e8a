use scopeward::{Principal, scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    fn who(&self, caller: &Principal) -> String {
        caller.id()
    }
}

fn main() {}
