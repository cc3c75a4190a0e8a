use scopeward::{scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    fn first(&self) -> std::pin::Pin<Box<dyn Future<Output = String> + Send>> {
        todo!()
    }
}

fn main() {}
