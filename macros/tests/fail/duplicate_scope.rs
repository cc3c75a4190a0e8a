use scopeward::scoped_tools;

struct Server;

#[scoped_tools]
impl Server {
    /// Twice.
    #[scoped_tool(scopes = ["a:read", "a:write", "a:read"])]
    fn twice(&self) -> String {
        String::new()
    }

    /// Required and optional.
    #[scoped_tool(scopes = ["a:read"], optional = ["a:read"])]
    fn both(&self) -> String {
        String::new()
    }
}

fn main() {}
