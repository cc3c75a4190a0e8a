use scopeward::scoped_tools;

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [], local, annotations(readonly_hint = true, destructive_hint = "no"))]
    fn one(&self) -> String {
        String::new()
    }
}

fn main() {}
