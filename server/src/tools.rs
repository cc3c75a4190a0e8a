//! The tools. `policy.toml` says who may call which tool; this file says whose todos a caller sees.

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

/// The scope with which a caller also sees other people's todos.
const ADMIN: &str = "admin:access";

/// The most characters of a title, so that lists stay readable.
const LONGEST_TITLE: usize = 200;
/// The most characters of a description, so that one todo cannot fill the disk.
const LONGEST_DESCRIPTION: usize = 10_000;

pub(crate) struct Todos {
    store: Store,
}

#[derive(Deserialize, JsonSchema)]
struct NewTodo {
    /// The task, in at most 200 characters
    title: String,
    /// More about the task, in at most 10000 characters
    description: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct TodoFilter {
    /// Selects only the completed todos (true) or only the open ones (false)
    completed: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct TodoPage {
    /// Selects only the completed todos (true) or only the open ones (false)
    completed: Option<bool>,
    /// Begins after the todo of this id: the `next` of the page before
    after: Option<String>,
    /// True for everyone's todos, which needs admin:access
    everyone: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct TodoId {
    /// The todo's id, as other tools return it
    id: String,
}

#[derive(Deserialize, JsonSchema)]
struct TodoChange {
    /// The todo's id, as other tools return it
    id: String,
    /// A new title
    title: Option<String>,
    /// A new description
    description: Option<String>,
    /// True if the todo is done
    completed: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct TodoList {
    todos: Vec<Todo>,
    /// Where the next page begins (`after`); absent on the last page
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Deleted {
    /// The id of the deleted todo
    deleted: String,
}

#[derive(Serialize, JsonSchema)]
struct Purged {
    /// How many todos were deleted
    purged: u64,
}

#[derive(Serialize, JsonSchema)]
struct TodoStats {
    /// The caller's own todos
    yours: Counts,
    /// Everyone's todos, only for a caller with admin:access
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

    /// List your todos, or with admin:access everyone's, oldest first, a hundred at a time.
    #[scoped_tool(
        scopes = ["todo:read"],
        optional = ["admin:access"],
        title = "List your todos",
        annotations(read_only_hint = true, destructive_hint = false, open_world_hint = false)
    )]
    async fn list_todos(
        &self,
        caller: Principal,
        Parameters(page): Parameters<TodoPage>,
    ) -> Result<Json<TodoList>, TodoError> {
        let owner = if page.everyone == Some(true) {
            caller.require(ADMIN)?;
            None
        } else {
            Some(caller.id())
        };
        let after = page.after.as_deref();
        let (todos, next) = self.store.list(owner.as_deref(), page.completed, after).await?;
        Ok(Json(TodoList { todos, next }))
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

    /// Change one of your todos; fields that are left out keep their values.
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

    /// Delete one of your todos.
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

/// The reason why a tool could not do its work, as the caller sees it.
enum TodoError {
    NotFound(String),
    Invalid(&'static str),
    /// The caller lacks a scope that only this call needs.
    Refused(ErrorData),
    Store,
}

impl From<ErrorData> for TodoError {
    fn from(refusal: ErrorData) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for TodoError {
    fn from(error: StoreError) -> Self {
        // The database's message is printed for the operator and kept from the caller.
        eprintln!("error: {error}");
        Self::Store
    }
}

impl IntoCallToolResult for TodoError {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        let message = match self {
            Self::NotFound(id) => format!("Todo `{id}` not found."),
            Self::Invalid(message) => message.to_owned(),
            Self::Refused(refusal) => return Err(refusal),
            Self::Store => "The todo store did not answer. Try again.".to_owned(),
        };
        Ok(CallToolResult::error(vec![ContentBlock::text(message)]).into())
    }
}
