//! The tools. Who may call which is in `policy.toml`; what a caller sees of whose todos is here.

use schemars::JsonSchema;
use scopeward::{
    Environment, Principal,
    rmcp::{
        ErrorData,
        handler::server::{
            tool::IntoCallToolResult,
            wrapper::{Json, Parameters},
        },
        model::{CallToolResponse, CallToolResult, ContentBlock},
    },
    scoped_tools,
};
use serde::{Deserialize, Serialize};

use crate::store::{Counts, Store, StoreError, Todo};

/// Holding it, a caller also sees what belongs to others.
const ADMIN: &str = "admin:access";

const LONGEST_TITLE: usize = 200;
const LONGEST_DESCRIPTION: usize = 10_000;

pub(crate) struct Todos {
    store: Store,
}

#[derive(Deserialize, JsonSchema)]
struct NewTodo {
    /// What is to be done, in up to 200 characters
    title: String,
    /// More about it
    description: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct TodoFilter {
    /// Only the completed ones (true) or only the open ones (false)
    completed: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct TodoId {
    /// The todo's id, as it was created and is listed
    id: String,
}

#[derive(Deserialize, JsonSchema)]
struct TodoChange {
    /// The todo's id, as it was created and is listed
    id: String,
    /// A new title
    title: Option<String>,
    /// A new description
    description: Option<String>,
    /// Whether it is done
    completed: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct TodoList {
    todos: Vec<Todo>,
}

#[derive(Serialize, JsonSchema)]
struct Deleted {
    /// The id of the todo that is gone
    deleted: String,
}

#[derive(Serialize, JsonSchema)]
struct Purged {
    /// How many todos are gone
    purged: u64,
}

#[derive(Serialize, JsonSchema)]
struct TodoStats {
    /// The caller's own todos
    yours: Counts,
    /// Everyone's, for a caller with the scope for it
    #[serde(skip_serializing_if = "Option::is_none")]
    everyone: Option<Counts>,
}

#[scoped_tools]
impl Todos {
    /// Create a todo.
    #[scoped_tool(
        scopes = ["todo:write"],
        title = "Create a todo",
        annotations(read_only_hint = false, destructive_hint = false, idempotent_hint = false, open_world_hint = false)
    )]
    async fn create_todo(
        &self,
        caller: Principal,
        Parameters(new): Parameters<NewTodo>,
    ) -> Result<Json<Todo>, TodoError> {
        let title = checked_title(&new.title)?;
        let description = checked_description(new.description.as_deref())?;
        Ok(Json(self.store.create(&caller.id(), title, description).await?))
    }

    /// List your todos, oldest first.
    #[scoped_tool(
        scopes = ["todo:read"],
        title = "List your todos",
        annotations(read_only_hint = true, destructive_hint = false, open_world_hint = false)
    )]
    async fn list_todos(
        &self,
        caller: Principal,
        Parameters(filter): Parameters<TodoFilter>,
    ) -> Result<Json<TodoList>, TodoError> {
        let todos = self.store.list(&caller.id(), filter.completed).await?;
        Ok(Json(TodoList { todos }))
    }

    /// Get one todo: yours, or with admin:access anyone's.
    #[scoped_tool(
        scopes = ["todo:read"],
        optional = ["admin:access"],
        title = "Get a todo",
        annotations(read_only_hint = true, destructive_hint = false, open_world_hint = false)
    )]
    async fn get_todo(
        &self,
        caller: Principal,
        Parameters(TodoId { id }): Parameters<TodoId>,
    ) -> Result<Json<Todo>, TodoError> {
        let owner = if caller.has(ADMIN) { None } else { Some(caller.id()) };
        self.store.get(&id, owner.as_deref()).await?.map(Json).ok_or(TodoError::NotFound(id))
    }

    /// Change a todo of yours; what is left out stays as it is.
    #[scoped_tool(
        scopes = ["todo:write"],
        title = "Change a todo",
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn update_todo(
        &self,
        caller: Principal,
        Parameters(change): Parameters<TodoChange>,
    ) -> Result<Json<Todo>, TodoError> {
        let title = change.title.as_deref().map(checked_title).transpose()?;
        let description = checked_description(change.description.as_deref())?;
        let changed = self
            .store
            .update(&caller.id(), &change.id, title, description, change.completed)
            .await?;
        changed.map(Json).ok_or(TodoError::NotFound(change.id))
    }

    /// Delete a todo of yours.
    #[scoped_tool(
        scopes = ["todo:write"],
        title = "Delete a todo",
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn delete_todo(
        &self,
        caller: Principal,
        Parameters(TodoId { id }): Parameters<TodoId>,
    ) -> Result<Json<Deleted>, TodoError> {
        if self.store.delete(&caller.id(), &id).await? {
            Ok(Json(Deleted { deleted: id }))
        } else {
            Err(TodoError::NotFound(id))
        }
    }

    /// Delete everyone's todos, or only the completed or the open ones.
    #[scoped_tool(
        scopes = ["todo:write", "admin:access"],
        title = "Clear everyone's todos",
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn purge_todos(
        &self,
        Parameters(filter): Parameters<TodoFilter>,
    ) -> Result<Json<Purged>, TodoError> {
        Ok(Json(Purged { purged: self.store.purge(filter.completed).await? }))
    }

    /// Count your todos; with admin:access everyone's as well.
    #[scoped_tool(
        scopes = ["todo:read"],
        optional = ["admin:access"],
        title = "Count todos",
        annotations(read_only_hint = true, destructive_hint = false, open_world_hint = false)
    )]
    async fn todo_stats(&self, caller: Principal) -> Result<Json<TodoStats>, TodoError> {
        let yours = self.store.count(Some(&caller.id())).await?;
        let everyone = if caller.has(ADMIN) { Some(self.store.count(None).await?) } else { None };
        Ok(Json(TodoStats { yours, everyone }))
    }
}

impl Todos {
    pub(crate) async fn open(environment: Environment) -> Result<Self, StoreError> {
        let default = || format!("sqlite://{}", environment.data().join("todos.db").display());
        let url = environment.variable("DATABASE_URL").unwrap_or_else(default);
        Ok(Self { store: Store::open(&url).await? })
    }
}

fn checked_title(title: &str) -> Result<&str, TodoError> {
    let title = title.trim();
    if (1..=LONGEST_TITLE).contains(&title.chars().count()) {
        Ok(title)
    } else {
        Err(TodoError::Invalid("The title must have 1 to 200 characters."))
    }
}

fn checked_description(description: Option<&str>) -> Result<Option<&str>, TodoError> {
    if description.is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
        return Err(TodoError::Invalid("The description must have at most 10000 characters."));
    }
    Ok(description)
}

/// What a caller is told when a tool cannot do its work.
enum TodoError {
    NotFound(String),
    Invalid(&'static str),
    Store,
}

impl From<StoreError> for TodoError {
    fn from(error: StoreError) -> Self {
        // What the database says is for the operator, not for the caller.
        eprintln!("error: {error}");
        Self::Store
    }
}

impl IntoCallToolResult for TodoError {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        let message = match self {
            Self::NotFound(id) => format!("Todo `{id}` not found."),
            Self::Invalid(message) => message.to_owned(),
            Self::Store => "The todo store did not answer. Try again.".to_owned(),
        };
        Ok(CallToolResult::error(vec![ContentBlock::text(message)]).into())
    }
}
