use scopeward::scoped_tool;

struct Server;

impl Server {
    #[scoped_tool(scopes = ["a:read"])]
    fn lonely(&self) -> String {
        String::new()
    }
}

fn main() {
    Server.lonely();
}
