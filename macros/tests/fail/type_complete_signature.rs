use scopeward::{scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_resource(uri = "note://{id}", scopes = [], complete = ids)]
    fn one(&self) -> String {
        String::new()
    }

    fn ids(&self, typed: &str) -> Vec<String> {
        vec![typed.to_owned()]
    }
}

fn main() {}
