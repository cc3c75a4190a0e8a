use scopeward::scoped_tools;

struct Server;

#[scoped_tools]
impl Server {
    /// Declares nothing.
    #[scoped_tool(title = "Open door")]
    fn open(&self) -> String {
        String::new()
    }

    /// Says nothing at all.
    #[scoped_tool]
    fn silent(&self) -> String {
        String::new()
    }
}

fn main() {
    // Only the mistakes above are errors: what needs the tools still compiles.
    scopeward::main(|_| async { Ok::<_, String>(Server) });
}
