//! All arguments of `#[scoped_tool]` and its siblings, and the registry that they produce.

use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{CompleteRequestParams, ErrorData, PromptMessage, Role};
use scopeward::{Principal, ScopedTools, policy::Feature, scoped_tools};

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

    /// A word of the dictionary.
    ///
    /// With a second paragraph.
    #[scoped_resource(
        uri = "words://{language}/{word}",
        scopes = ["echo:read"],
        optional = ["echo:admin"],
        title = "A word",
        mime_type = "text/plain",
        complete = complete_word
    )]
    async fn word(
        &self,
        caller: Principal,
        Parameters(word): Parameters<Word>,
    ) -> Result<String, ErrorData> {
        Ok(format!("{} {}", caller.subject(), word.word))
    }

    #[scoped_resource(uri = "words://all", scopes = [], name = "every word")]
    fn all(&self) -> Vec<u8> {
        vec![]
    }

    /// Asks for a poem.
    #[scoped_prompt(scopes = ["echo:read"], complete = complete_word)]
    async fn poem(
        &self,
        Parameters(word): Parameters<Word>,
    ) -> Result<Vec<PromptMessage>, ErrorData> {
        Ok(vec![PromptMessage::new_text(Role::User, word.word)])
    }

    #[expect(clippy::unused_async, reason = "suggestions may be looked up somewhere")]
    async fn complete_word(&self, _: Principal, request: CompleteRequestParams) -> Vec<String> {
        vec![request.argument.value]
    }
}

#[test]
fn tools_are_in_the_registry_and_the_router() {
    let tools = <Server<String>>::REGISTRY.all();
    assert_eq!(tools.len(), 6);
    assert_eq!(tools[0].name(), "say");
    assert_eq!(tools[0].scopes(), ["echo:read", "https://x.example/~a!"]);
    assert_eq!(tools[0].optional(), ["echo:admin"]);
    assert!(
        tools[0].location().to_string().ends_with("everything.rs:20:7"),
        "{}",
        tools[0].location()
    );
    assert_eq!((tools[2].name(), tools[2].scopes().len()), ("loop", 0));
    // The hints of the annotations, and MCP's defaults where there are none.
    let hints = tools
        .iter()
        .take(3)
        .map(|t| (t.is_read_only(), t.is_destructive(), t.says_what_it_changes()));
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

#[test]
fn resources_and_prompts_are_in_the_registry_and_the_routers() {
    let registry = <Server<String>>::REGISTRY;
    let of = |feature| registry.of(feature).map(scopeward::Declaration::name).collect::<Vec<_>>();
    assert_eq!(of(Feature::Resource), ["words://{language}/{word}", "words://all"]);
    assert_eq!(of(Feature::Prompt), ["poem"]);
    let word = registry.get(Feature::Resource, "words://{language}/{word}").unwrap();
    assert_eq!((word.scopes(), word.optional()), (&["echo:read"][..], &["echo:admin"][..]));
    assert!(word.is_read_only() && !word.is_destructive());
    // The arguments that conditions are checked against.
    let variables = word.arguments().unwrap();
    assert_eq!(variables["required"], serde_json::json!(["language", "word"]));
    let poem = registry.get(Feature::Prompt, "poem").unwrap();
    assert_eq!(poem.arguments().unwrap()["properties"]["word"]["type"], "string");
    let say = registry.get(Feature::Tool, "say").unwrap();
    assert!(say.arguments().unwrap()["properties"]["word"].is_object());

    let prompts = Server::<String>::prompt_router().list_all();
    assert_eq!(prompts[0].description.as_deref(), Some("Asks for a poem."));
    assert_eq!(prompts[0].arguments.as_ref().unwrap()[0].name, "word");
    let shown = format!("{:?}", Server::<String>::resource_router());
    for text in
        ["A word of the dictionary.", "With a second paragraph.", "every word", "text/plain"]
    {
        assert!(shown.contains(text), "{text}: {shown}");
    }
}
