use scopeward::{Principal, rmcp::ErrorData, scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = ["note:read"], optional = ["note:admin"])]
    fn export(&self, caller: Principal) -> Result<String, ErrorData> {
        caller.require("note:admn")?;
        caller.require_all(["note:admin", "note:export"])?;
        caller.require_all(&["note:share", "note:read"])?;
        Ok(String::new())
    }
}

fn main() {}
