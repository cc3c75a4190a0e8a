use scopeward::{scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_resource(uri = "note://one", scopes = [])]
    fn one(&self) -> u64 {
        1
    }
}

fn main() {}
