use scopeward::{Principal, scoped_tools};

struct Library;

#[scoped_tools]
impl Library {
    #[scoped_tool(scopes = [], anonymous = true)]
    async fn whoami(&self, caller: Principal) -> String {
        caller.subject().to_owned()
    }
}

fn main() {}
