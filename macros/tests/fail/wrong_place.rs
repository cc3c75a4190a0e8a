use scopeward::scoped_tools;

struct Server;

trait Tools {
    fn one(&self) -> String;
}

#[scoped_tools]
impl Tools for Server {
    #[scoped_tool(scopes = [])]
    fn one(&self) -> String {
        String::new()
    }
}

#[scoped_tools]
struct NotAnImpl;

#[scoped_tools]
impl NotAnImpl {
    fn no_tool(&self) {}
}

struct WithArguments;

#[scoped_tools(scopes = ["a:read"])]
impl WithArguments {
    #[scoped_tool(scopes = [])]
    fn one(&self) -> String {
        String::new()
    }
}

struct Conditional;

#[scoped_tools]
impl Conditional {
    #[scoped_tool(scopes = [])]
    #[cfg(feature = "extra")]
    fn one(&self) -> String {
        String::new()
    }
}

fn main() {}
