use scopeward::scoped_tools;

struct Missing;

#[scoped_tools(parts = [sharing])]
impl Missing {
    #[scoped_tool(scopes = [])]
    fn one(&self) -> String {
        String::new()
    }
}

struct Unlisted;

#[scoped_tools]
impl Unlisted {
    #[scoped_tool(scopes = [])]
    fn one(&self) -> String {
        String::new()
    }
}

#[scoped_tools(part = sharing)]
impl Unlisted {
    #[scoped_tool(scopes = [])]
    fn two(&self) -> String {
        String::new()
    }
}

struct Twice;

#[scoped_tools(parts = [sharing])]
impl Twice {
    #[scoped_tool(scopes = [])]
    fn one(&self) -> String {
        String::new()
    }
}

#[scoped_tools(part = sharing)]
impl Twice {
    #[scoped_tool(scopes = [], name = "one")]
    fn two(&self) -> String {
        String::new()
    }
}

struct Wrong;

#[scoped_tools(part = "sharing")]
impl Wrong {
    #[scoped_tool(scopes = [])]
    fn one(&self) -> String {
        String::new()
    }
}

fn main() {}
