//! Everything that `#[scoped_tool]` takes, and the registry that comes of it.

use rmcp::handler::server::wrapper::{Json, Parameters};
use scopeward::{Principal, ScopedTools, scoped_tools};

#[derive(serde::Serialize, serde::Deserialize, rmcp::schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Word {
    word: String,
}

struct Server<T> {
    prefix: T,
}

#[scoped_tools]
impl<T: std::fmt::Display + Send + Sync + 'static> Server<T> {
    /// Echoes a word.
    #[scoped_tool(
        scopes = ["echo:read", "https://x.example/~a!"],
        optional = ["echo:admin"],
        name = "say",
        title = "Say",
        annotations(read_only_hint = true)
    )]
    async fn echo(
        &self,
        caller: Principal,
        Parameters(Word { word }): Parameters<Word>,
    ) -> Result<Json<Word>, String> {
        if caller.has("echo:admin") {
            return Err("not for you".to_owned());
        }
        Ok(Json(Word { word: format!("{}{word}", self.helper()) }))
    }

    /// Its hints in the other forms that rmcp reads.
    #[scoped_tool(scopes = ["echo:write"], annotations(read_only_hint = false, destructive_hint = "false"))]
    fn shout(&self) -> String {
        self.helper().to_uppercase()
    }

    /// Without arguments, not async, for any authenticated caller.
    #[scoped_tool(scopes = [])]
    #[inline]
    fn r#loop(&self) -> String {
        self.helper()
    }

    fn helper(&self) -> String {
        self.prefix.to_string()
    }
}

#[test]
fn the_registry_and_the_router() {
    let tools = <Server<String>>::REGISTRY.tools();
    assert_eq!(tools.len(), 3);
    assert_eq!(tools[0].name(), "say");
    assert_eq!(tools[0].scopes(), ["echo:read", "https://x.example/~a!"]);
    assert_eq!(tools[0].optional(), ["echo:admin"]);
    assert!(
        tools[0].location().to_string().ends_with("everything.rs:19:7"),
        "{}",
        tools[0].location()
    );
    assert_eq!((tools[2].name(), tools[2].scopes().len()), ("loop", 0));
    // What the annotations say; MCP's defaults where they say nothing.
    let hints =
        tools.iter().map(|t| (t.is_read_only(), t.is_destructive(), t.says_what_it_changes()));
    assert!(hints.eq([(true, false, true), (false, false, true), (false, true, false)]));

    let router = Server::<String>::tool_router();
    let mut names: Vec<_> = router.list_all().into_iter().map(|tool| tool.name).collect();
    names.sort();
    assert_eq!(names, ["loop", "say", "shout"]);
    let say = router.get("say").unwrap();
    assert_eq!(say.title.as_deref(), Some("Say"));
    assert_eq!(say.description.as_deref(), Some("Echoes a word."));
    let plain = router.get("loop").unwrap();
    assert!(plain.description.as_ref().is_some_and(|text| text.starts_with("Without arguments")));
    assert!(say.input_schema["properties"]["word"].is_object());
    assert!(say.output_schema.is_some(), "the method's own return type drives the output schema");
}
