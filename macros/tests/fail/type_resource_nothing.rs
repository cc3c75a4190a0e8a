use scopeward::{scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_resource(uri = "note://one", scopes = [])]
    async fn one(&self) {
        ()
    }
}

fn main() {}
