use scopeward::{scoped_prompt, scoped_tools};

struct Server;

#[scoped_tools]
impl Server {
    #[prompt]
    fn bare(&self) -> String {
        String::new()
    }

    #[scoped_prompt(title = "No scopes")]
    fn without_scopes(&self) -> String {
        String::new()
    }

    #[scoped_prompt(scopes = ["a b"], annotations(read_only_hint = true))]
    fn wrong(&self) -> String {
        String::new()
    }

    #[scoped_prompt(scopes = [], name = "same")]
    fn one(&self) -> String {
        String::new()
    }

    #[scoped_prompt(scopes = [], name = "same")]
    #[scoped_tool(scopes = [])]
    fn two(&self) -> String {
        String::new()
    }
}

impl Server {
    #[scoped_prompt(scopes = [])]
    fn outside(&self) -> String {
        String::new()
    }
}

fn main() {}
