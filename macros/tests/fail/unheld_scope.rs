use scopeward::{Principal, scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = ["note:read"], optional = ["note:admin"])]
    fn who(&self, who: Principal) -> String {
        let is_admin = who.has("note:admn");
        format!("{is_admin} {}", who.has("write"))
    }

    fn helper(caller: &Principal) -> bool {
        caller.has("note:raed")
    }
}

fn main() {}
