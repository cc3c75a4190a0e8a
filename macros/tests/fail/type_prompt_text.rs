use scopeward::{scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_prompt(scopes = [])]
    fn ask(&self) -> String {
        String::new()
    }
}

fn main() {}
