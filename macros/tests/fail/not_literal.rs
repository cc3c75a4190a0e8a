use scopeward::scoped_tools;

const READ: &str = "a:read";

struct Server;

#[scoped_tools]
impl Server {
    /// A constant: the registry must be readable without running anything.
    #[scoped_tool(scopes = [READ])]
    fn constant(&self) -> String {
        String::new()
    }

    /// Not a list.
    #[scoped_tool(scopes = "a:read")]
    fn string(&self) -> String {
        String::new()
    }

    /// Not even a value.
    #[scoped_tool(scopes)]
    fn word(&self) -> String {
        String::new()
    }

    /// A name that is computed.
    #[scoped_tool(scopes = [], name = READ)]
    fn named(&self) -> String {
        String::new()
    }
}

fn main() {}
