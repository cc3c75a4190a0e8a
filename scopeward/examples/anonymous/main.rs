//! Tools that need no sign-in beside one that does.
//!
//! ```sh
//! cargo run -p scopeward --features embedded-issuer --example anonymous -- \
//!     --policy scopeward/examples/anonymous/policy.toml
//! ```

use scopeward::{Principal, scoped_tools};

struct Library;

#[scoped_tools]
impl Library {
    /// When the library is open.
    #[scoped_tool(scopes = [], anonymous = true, annotations(read_only_hint = true))]
    async fn opening_hours(&self) -> String {
        "Monday to Friday, 9 to 17".to_owned()
    }

    /// A book of the day: your own, once you have signed in.
    #[scoped_tool(
        scopes = [],
        anonymous = true,
        optional = ["book:read"],
        annotations(read_only_hint = true)
    )]
    async fn recommend(&self, caller: Option<Principal>) -> String {
        match caller {
            Some(reader) if reader.has("book:read") => {
                format!("For {}: Middlemarch", reader.subject())
            }
            _ => "For everybody: Emma".to_owned(),
        }
    }

    /// The books that you have borrowed.
    #[scoped_tool(scopes = ["book:read"], annotations(read_only_hint = true))]
    async fn borrowed(&self, reader: Principal) -> String {
        format!("{} has borrowed Persuasion", reader.subject())
    }

    /// How to find us.
    #[scoped_resource(uri = "library://address", scopes = [], anonymous = true)]
    async fn address(&self) -> String {
        "1 Reading Road".to_owned()
    }
}

fn main() -> std::process::ExitCode {
    scopeward::main(Library)
}

#[cfg(test)]
mod tests {
    use scopeward::testing::{CallError, Server};
    use serde_json::json;

    #[tokio::test]
    async fn everybody_sees_and_calls_what_is_open() -> Result<(), CallError> {
        let server = Server::new(super::Library, include_str!("policy.toml"));
        let nobody = server.anonymous();
        assert_eq!(nobody.list_tools().await?, ["opening_hours", "recommend"]);
        assert_eq!(nobody.list_resources().await?, ["library://address"]);
        let hours: String = nobody.call("opening_hours", json!({})).await?;
        assert_eq!(hours, "Monday to Friday, 9 to 17");
        assert!(nobody.denied("borrowed", json!({})).await.is_denied());

        let ada = server.caller("ada", ["book:read"]);
        assert_eq!(ada.list_tools().await?, ["borrowed", "opening_hours", "recommend"]);
        for (caller, book) in [(&nobody, "For everybody: Emma"), (&ada, "For ada: Middlemarch")] {
            let said: String = caller.call("recommend", json!({})).await?;
            assert_eq!(said, book);
        }
        Ok(())
    }
}
