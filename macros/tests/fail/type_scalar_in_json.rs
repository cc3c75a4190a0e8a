use scopeward::{Json, scoped_tools};

struct Rates;

#[scoped_tools]
impl Rates {
    #[scoped_tool(scopes = ["rates:read"])]
    fn convert(&self) -> Json<f64> {
        Json(1.0)
    }
}

fn main() {}
