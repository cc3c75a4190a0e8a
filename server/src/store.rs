//! Todos in SQLite. A write that has returned is on the disk, because the database uses WAL with
//! full synchronization.

use std::{str::FromStr, time::Duration};

use schemars::JsonSchema;
use serde::Serialize;
use sqlx::{
    FromRow, Row, SqlStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};
use uuid::Uuid;

/// The most todos of one page, so that one answer stays small.
const PAGE: u32 = 100;

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Todo {
    id: String,
    title: String,
    description: Option<String>,
    completed: bool,
    /// The time of creation: RFC 3339, UTC
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    /// The time of the last change: RFC 3339, UTC
    #[schemars(extend("format" = "date-time"))]
    updated_at: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Counts {
    total: i64,
    completed: i64,
    open: i64,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("DATABASE_URL must begin with sqlite:")]
    Url,
    #[error("the todo store: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the todo store cannot be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

impl FromRow<'_, SqliteRow> for Todo {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            title: row.try_get("title")?,
            description: row.try_get("description")?,
            completed: row.try_get("completed")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for Counts {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            total: row.try_get("total")?,
            completed: row.try_get("completed")?,
            open: row.try_get("open")?,
        })
    }
}

/// All migrations of the schema, oldest first. Add a new one for each change and never change an
/// old one, because `SQLx` refuses a database whose applied migrations differ.
fn migrations() -> Migrator {
    let all = [
        (1, "todos", include_str!("../migrations/0001_todos.sql")),
        (2, "owners", include_str!("../migrations/0002_owners.sql")),
    ];
    let all = all.into_iter().map(|(version, description, sql)| {
        let sql = SqlStr::from_static(sql);
        Migration::new(version, description.into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(all.collect())
}

pub(crate) struct Store(SqlitePool);

impl Store {
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        if !url.starts_with("sqlite:") {
            return Err(StoreError::Url);
        }
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new().connect_with(options).await?;
        migrations().run(&pool).await?;
        Ok(Self(pool))
    }

    pub(crate) async fn create(
        &self,
        owner: &str,
        title: &str,
        description: Option<&str>,
    ) -> Result<Todo, StoreError> {
        let now = now();
        let todo = sqlx::query_as(
            "INSERT INTO todos (id, owner, title, description, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5) RETURNING *",
        );
        // Version 7 ids sort by time, so the order of ids is the order of creation.
        let todo = todo.bind(Uuid::now_v7().to_string()).bind(owner).bind(title);
        Ok(todo.bind(description).bind(now).fetch_one(&self.0).await?)
    }

    /// Lists a page of the todos of one owner, without an owner everyone's, oldest first: those after
    /// the id `after`. Returns the id after which the next page begins, if there is one. `completed`
    /// selects the completed or the open ones.
    pub(crate) async fn list(
        &self,
        owner: Option<&str>,
        completed: Option<bool>,
        after: Option<&str>,
    ) -> Result<(Vec<Todo>, Option<String>), StoreError> {
        // Two statements, so that the todos of one owner are found by their index.
        let todos = sqlx::query_as(match owner {
            Some(_) => {
                "SELECT * FROM todos WHERE owner = ?1 AND (?2 IS NULL OR completed = ?2) AND id > ?3
                 ORDER BY id LIMIT ?4"
            }
            None => {
                "SELECT * FROM todos WHERE ?1 IS NULL AND (?2 IS NULL OR completed = ?2) AND id > ?3
                 ORDER BY id LIMIT ?4"
            }
        });
        // One more than a page has, to see whether there is another page.
        let todos =
            todos.bind(owner).bind(completed).bind(after.unwrap_or_default()).bind(PAGE + 1);
        let mut todos: Vec<Todo> = todos.fetch_all(&self.0).await?;
        let has_more = todos.len() > PAGE as usize;
        todos.truncate(PAGE as usize);
        let next = todos.last().filter(|_| has_more).map(|todo| todo.id.clone());
        Ok((todos, next))
    }

    /// Finds a todo of this owner; without an owner, anyone's todo.
    pub(crate) async fn get(
        &self,
        id: &str,
        owner: Option<&str>,
    ) -> Result<Option<Todo>, StoreError> {
        let todo =
            sqlx::query_as("SELECT * FROM todos WHERE id = ?1 AND (?2 IS NULL OR owner = ?2)");
        Ok(todo.bind(id).bind(owner).fetch_optional(&self.0).await?)
    }

    /// Changes the given fields of a todo; `None` when the owner has no such todo.
    pub(crate) async fn update(
        &self,
        owner: &str,
        id: &str,
        title: Option<&str>,
        description: Option<&str>,
        completed: Option<bool>,
    ) -> Result<Option<Todo>, StoreError> {
        let todo = sqlx::query_as(
            "UPDATE todos SET title = coalesce(?3, title),
                 description = coalesce(?4, description),
                 completed = coalesce(?5, completed), updated_at = ?6
             WHERE id = ?1 AND owner = ?2 RETURNING *",
        );
        let todo = todo.bind(id).bind(owner).bind(title).bind(description);
        Ok(todo.bind(completed).bind(now()).fetch_optional(&self.0).await?)
    }

    /// Deletes a todo, and returns whether the owner had it.
    pub(crate) async fn delete(&self, owner: &str, id: &str) -> Result<bool, StoreError> {
        let delete = sqlx::query("DELETE FROM todos WHERE id = ?1 AND owner = ?2");
        Ok(delete.bind(id).bind(owner).execute(&self.0).await?.rows_affected() > 0)
    }

    /// Deletes everyone's todos, and returns how many were deleted.
    pub(crate) async fn purge(&self, completed: Option<bool>) -> Result<u64, StoreError> {
        let delete = sqlx::query("DELETE FROM todos WHERE ?1 IS NULL OR completed = ?1");
        Ok(delete.bind(completed).execute(&self.0).await?.rows_affected())
    }

    /// Counts the todos of one owner; without an owner, everyone's todos.
    pub(crate) async fn count(&self, owner: Option<&str>) -> Result<Counts, StoreError> {
        let counts = sqlx::query_as(
            "SELECT count(*) AS total, count(*) FILTER (WHERE completed) AS completed,
                 count(*) FILTER (WHERE NOT completed) AS open
             FROM todos WHERE ?1 IS NULL OR owner = ?1",
        );
        Ok(counts.bind(owner).fetch_one(&self.0).await?)
    }
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed test should stop at the line that failed")]
mod tests {
    use super::*;

    /// A database that is older than the issuer in an owner's name keeps its todos.
    #[tokio::test]
    async fn todos_of_the_first_version_keep_their_owner() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("todos.db").display());
        let options = SqliteConnectOptions::from_str(&url).unwrap().create_if_missing(true);
        let pool = SqlitePoolOptions::new().connect_with(options).await.unwrap();
        let first = migrations().iter().next().unwrap().clone();
        Migrator::with_migrations(vec![first]).run(&pool).await.unwrap();
        let todo = "INSERT INTO todos (id, owner, title, created_at, updated_at)
            VALUES ('1', 'ada', 'Old', '', '')";
        sqlx::query(todo).execute(&pool).await.unwrap();
        pool.close().await;

        let store = Store::open(&url).await.unwrap();
        assert_eq!(store.list(Some("embedded ada"), None, None).await.unwrap().0[0].title, "Old");
        assert!(store.list(Some("https://as.example ada"), None, None).await.unwrap().0.is_empty());
    }

    #[tokio::test]
    async fn pages_have_every_todo_once() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("todos.db").display());
        let store = Store::open(&url).await.unwrap();
        for (count, pages) in [(0, 1), (100, 1), (101, 2), (250, 3)] {
            let owner = count.to_string();
            for number in 0..count {
                store.create(&owner, &number.to_string(), None).await.unwrap();
            }
            let (mut titles, mut seen, mut after) = (vec![], 0, None);
            loop {
                let (todos, next) = store.list(Some(&owner), None, after.as_deref()).await.unwrap();
                titles.extend(todos.into_iter().map(|todo| todo.title));
                seen += 1;
                after = next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(titles, (0..count).map(|number| number.to_string()).collect::<Vec<_>>());
            assert_eq!(seen, pages, "{count}");
        }
    }
}
