use scopeward::{scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    async fn wait(&self) -> String {
        let shared = std::rc::Rc::new(1);
        std::future::ready(()).await;
        shared.to_string()
    }
}

fn main() {}
