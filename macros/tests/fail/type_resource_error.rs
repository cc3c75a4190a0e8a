use scopeward::{scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_resource(uri = "note://one", scopes = [])]
    fn one(&self) -> Result<String, String> {
        Err(String::new())
    }
}

fn main() {}
