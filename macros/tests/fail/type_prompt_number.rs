use scopeward::{scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_prompt(scopes = [])]
    fn ask(&self) -> u64 {
        1
    }
}

fn main() {}
