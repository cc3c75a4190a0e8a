//! The work of the one tool that every server of a comparison has: it gets a todo from memory.

use std::{collections::HashMap, sync::LazyLock};

use serde::{Deserialize, Serialize};

/// The number of todos.
const TODOS: usize = 100;

/// The arguments of the tool.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub struct TodoId {
    /// The todo's id
    pub id: String,
}

#[derive(Debug, Serialize)]
struct Todo {
    id: String,
    title: String,
    completed: bool,
}

static ALL: LazyLock<HashMap<String, Todo>> = LazyLock::new(|| {
    let one = |n: usize| {
        let id = format!("todo-{n}");
        (id.clone(), Todo { id, title: format!("Buy {n} stamps"), completed: n.is_multiple_of(3) })
    };
    (0..TODOS).map(one).collect()
});

/// The todo as JSON text.
pub fn get_todo(id: &str) -> String {
    let todo = ALL.get(id);
    todo.and_then(|todo| serde_json::to_string(todo).ok()).unwrap_or_else(|| "not found".to_owned())
}
