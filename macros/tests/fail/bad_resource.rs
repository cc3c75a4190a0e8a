use scopeward::scoped_tools;

struct Server;

#[scoped_tools]
impl Server {
    #[scoped_resource(scopes = ["a:read"])]
    fn without_uri(&self) -> String {
        String::new()
    }

    #[scoped_resource(uri = "items", scopes = ["a:read"])]
    fn without_scheme(&self) -> String {
        String::new()
    }

    #[scoped_resource(uri = "a://items{?page}", scopes = ["a:read"])]
    fn a_query(&self) -> String {
        String::new()
    }

    #[scoped_resource(uri = "a://{id}", scopes = ["a:read"])]
    fn one(&self) -> String {
        String::new()
    }

    #[scoped_resource(uri = "a://{name}", scopes = ["a:read"])]
    fn the_same(&self) -> String {
        String::new()
    }

    #[scoped_resource(uri = concat!("a", ":b"), scopes = ["a:read"], complete = 1)]
    fn not_literal(&self) -> String {
        String::new()
    }

    #[scoped_resource(uri = "a://open", output_schema = 1)]
    fn without_scopes(&self) -> String {
        String::new()
    }
}

fn main() {}
