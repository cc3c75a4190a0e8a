//! Methods that are called as they are written, types with several blocks, generic types, and types
//! that are told by what they are and not by their names.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "blocks/sharing.rs"]
mod sharing;

use std::sync::{Arc, Mutex};

use scopeward::{
    Json, Parameters, Parameters as Args, ScopedTools, data, policy::Feature, scoped_tools,
};

#[data]
#[derive(Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Note {
    /// What was noted
    #[serde(default)]
    full_text: String,
    #[schemars(range(min = 1))]
    stars: Option<u8>,
}

#[data]
#[derive(Debug, PartialEq)]
enum Order {
    Newest,
    Oldest,
}

trait Store: Send + Sync + 'static {
    fn add(&self, note: &str) -> usize;
}

impl Store for Mutex<Vec<String>> {
    fn add(&self, note: &str) -> usize {
        let mut notes = self.lock().unwrap();
        notes.push(note.to_owned());
        notes.len()
    }
}

struct Notes<S> {
    store: S,
    shared: Arc<dyn Store>,
}

type Listed = Result<Json<Note>, String>;

#[scoped_tools(parts = [sharing, archive])]
impl<S: Store> Notes<S> {
    /// Adds a note.
    #[scoped_tool(scopes = ["note:write"])]
    #[must_use]
    async fn add(&self, Parameters(note): Parameters<Note>) -> Json<Note> {
        self.store.add(&note.full_text);
        Json(note)
    }

    /// Adds a note twice: one tool calls another.
    #[scoped_tool(scopes = ["note:write"])]
    async fn add_twice(&self, Args(note): Args<Note>) -> Listed {
        let _ = self.add(Parameters(note.clone())).await;
        Ok(self.add(Parameters(note)).await)
    }
}

#[scoped_tools(part = archive)]
impl<S: Store> Notes<S> {
    /// Counts.
    #[scoped_tool(scopes = ["note:read"])]
    fn count(&self) -> String {
        self.shared.add("counted").to_string()
    }

    #[scoped_resource(uri = "note://{full_text}", scopes = ["note:read"])]
    fn note(&self, Args(note): Args<Note>) -> String {
        note.full_text
    }
}

fn notes() -> Notes<Mutex<Vec<String>>> {
    Notes { store: Mutex::default(), shared: Arc::new(Mutex::default()) }
}

/// Runs a future that waits for nothing.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("it waits"),
    }
}

#[test]
fn a_tool_is_called_as_it_is_written() {
    let (notes, note) = (notes(), Note { full_text: "one".to_owned(), stars: None });
    assert_eq!(ready(notes.add(Parameters(note.clone()))).0, note);
    ready(notes.add_twice(Parameters(note))).unwrap();
    assert_eq!(notes.store.lock().unwrap().len(), 3);
    assert_eq!(notes.count(), "1");
    assert_eq!(notes.share(Parameters(sharing::With { name: "ada".to_owned() })), "ada");
}

#[test]
fn the_parts_of_a_type_are_one_server() {
    type Server = Notes<Mutex<Vec<String>>>;
    let names: Vec<_> = Server::REGISTRY.all().map(scopeward::Declaration::name).collect();
    assert_eq!(names, ["add", "add_twice", "share", "count", "note://{full_text}"]);
    assert_eq!(Server::REGISTRY.all().len(), 5);
    let share = Server::REGISTRY.get(Feature::Tool, "share").unwrap();
    assert!(share.location().to_string().contains("blocks/sharing.rs"), "{}", share.location());
    let mut tools: Vec<_> = Server::tool_router().list_all();
    tools.sort_by(|one, other| one.name.cmp(&other.name));
    let names: Vec<_> = tools.iter().map(|tool| &*tool.name).collect();
    assert_eq!(names, ["add", "add_twice", "count", "share"]);
    assert!(format!("{:?}", Server::resource_router()).contains("note://{full_text}"));
}

/// An alias of `Parameters` has the schema, and so has an alias of the result.
#[test]
fn a_type_under_an_alias_is_known() {
    let router = Notes::<Mutex<Vec<String>>>::tool_router();
    let (add, twice) = (router.get("add").unwrap(), router.get("add_twice").unwrap());
    assert_eq!(add.input_schema, twice.input_schema);
    assert_eq!(add.output_schema, twice.output_schema);
    assert!(add.input_schema["properties"]["fullText"].is_object(), "{:?}", add.input_schema);
    assert_eq!(add.input_schema["properties"]["stars"]["minimum"], 1);
    for tool in Notes::<Mutex<Vec<String>>>::REGISTRY.of(Feature::Tool) {
        assert!(tool.only_answers(), "{}", tool.name());
    }
}

/// Extractors of somebody else with the names of ours.
mod foreign {
    use scopeward::rmcp::{
        ErrorData,
        handler::server::common::{AsRequestContext, FromContextPart},
    };

    macro_rules! extractors {
        ($($name:ident $(<$generic:ident>)?,)*) => {$(
            pub(super) struct $name $(<$generic>(std::marker::PhantomData<$generic>))?;

            impl<C: AsRequestContext $(, $generic)?> FromContextPart<C> for $name $(<$generic>)? {
                fn from_context_part(_: &mut C) -> Result<Self, ErrorData> {
                    Err(ErrorData::internal_error("not called", None))
                }
            }
        )*};
    }

    extractors! { Parameters<T>, Tasks, Updates, Principal, }

    impl Principal {
        #[expect(clippy::unused_self, reason = "it looks like the method of ours")]
        pub(super) fn has(&self, _: &str) -> bool {
            true
        }
    }
}

struct Foreign;

#[scoped_tools]
impl Foreign {
    #[scoped_tool(scopes = [])]
    fn parameters(&self, _p: foreign::Parameters<Note>) -> String {
        String::new()
    }

    #[scoped_tool(scopes = [])]
    fn tasks(&self, _t: foreign::Tasks) -> String {
        String::new()
    }

    #[scoped_tool(scopes = [])]
    fn updates(&self, _u: foreign::Updates) -> String {
        String::new()
    }

    #[scoped_tool(scopes = [])]
    fn principal(&self, caller: foreign::Principal) -> String {
        caller.has("anything").to_string()
    }
}

struct Ours;

#[scoped_tools]
impl Ours {
    #[scoped_tool(scopes = [])]
    fn tasks(&self, _work: Work) -> String {
        String::new()
    }

    #[scoped_tool(scopes = ["a:read"])]
    fn caller(&self, who: Caller, _news: News) -> String {
        who.has("a:read").to_string()
    }
}

use scopeward::{
    Principal as Caller,
    mcp::{Tasks as Work, Updates as News},
};

#[test]
fn an_extractor_is_told_by_its_type() {
    for tool in Foreign::REGISTRY.all() {
        assert!(!tool.only_answers(), "{} may send something", tool.name());
    }
    const { assert!(!Foreign::HAS_TASKS && Ours::HAS_TASKS) };
    let schema = Foreign::tool_router().get("parameters").unwrap().input_schema.clone();
    assert_eq!(schema["properties"], serde_json::json!({}), "only ours has the arguments");
    let only: Vec<_> =
        Ours::REGISTRY.all().map(|tool| (tool.name(), tool.only_answers())).collect();
    assert_eq!(only, [("tasks", false), ("caller", true)]);
}

#[test]
fn data_has_its_own_attributes() {
    let note: Note = serde_json::from_str(r#"{"fullText":"x","stars":2}"#).unwrap();
    assert_eq!(note, Note { full_text: "x".to_owned(), stars: Some(2) });
    assert_eq!(serde_json::to_value(&note).unwrap()["fullText"], "x");
    assert_eq!(serde_json::to_value(Order::Newest).unwrap(), "Newest");
    assert_eq!(serde_json::from_str::<Order>("\"Oldest\"").unwrap(), Order::Oldest);
}
