use scopeward::{rmcp::tool, scoped_tools};

struct Server;

#[scoped_tools]
impl Server {
    /// Checked.
    #[scoped_tool(scopes = ["a:read"])]
    fn checked(&self) -> String {
        String::new()
    }

    /// The forgotten line.
    #[tool(description = "unchecked")]
    fn unchecked(&self) -> String {
        String::new()
    }

    /// By its path.
    #[scopeward::rmcp::tool]
    fn by_path(&self) -> String {
        String::new()
    }
}

fn main() {}
