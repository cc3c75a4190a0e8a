use scopeward::scoped_tools;

struct Server;

#[scoped_tools]
impl Server {
    /// Misspelt.
    #[scoped_tool(scope = ["a:read"])]
    fn misspelt(&self) -> String {
        String::new()
    }

    /// Unheard of.
    #[scoped_tool(scopes = ["a:read"], colour = "red")]
    fn unheard_of(&self) -> String {
        String::new()
    }

    /// Given twice.
    #[scoped_tool(scopes = ["a:read"], scopes = [])]
    fn given_twice(&self) -> String {
        String::new()
    }
}

fn main() {}
