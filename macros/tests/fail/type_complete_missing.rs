use scopeward::{scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_resource(uri = "note://{id}", scopes = [], complete = idz)]
    fn one(&self) -> String {
        String::new()
    }
}

fn main() {}
