use scopeward::scoped_tools;

struct Server;

#[scoped_tools]
impl Server {
    /// One.
    #[scoped_tool(scopes = ["a:read"])]
    fn list(&self) -> String {
        String::new()
    }

    /// Two.
    #[scoped_tool(scopes = ["a:admin"], name = "list")]
    fn list_all(&self) -> String {
        String::new()
    }
}

fn main() {}
