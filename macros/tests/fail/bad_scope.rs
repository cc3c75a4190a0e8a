use scopeward::scoped_tools;

struct Server;

#[scoped_tools]
impl Server {
    /// Two scopes in one string.
    #[scoped_tool(scopes = ["a:read a:write"])]
    fn space(&self) -> String {
        String::new()
    }

    /// A letter that only looks right.
    #[scoped_tool(scopes = ["а:read"], optional = ["a:\"x"])]
    fn look_alike(&self) -> String {
        String::new()
    }

    /// Nothing.
    #[scoped_tool(scopes = [""])]
    fn empty(&self) -> String {
        String::new()
    }
}

fn main() {}
