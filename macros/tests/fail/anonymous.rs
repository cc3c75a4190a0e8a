use scopeward::scoped_tools;

struct Library;

#[scoped_tools]
impl Library {
    #[scoped_tool(scopes = ["book:read"], anonymous = true)]
    async fn needs_a_scope(&self) -> String {
        String::new()
    }

    #[scoped_tool(scopes = [], anonymous = false)]
    async fn not_true(&self) -> String {
        String::new()
    }

    #[scoped_tool(scopes = [], anonymous)]
    async fn without_value(&self) -> String {
        String::new()
    }
}

fn main() {}
