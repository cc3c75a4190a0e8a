//! Scopeward: the server that `scopeward::main` gives every tool author, with its audit file.

use std::{convert::Infallible, process::ExitCode};

use rmcp::handler::server::wrapper::Parameters;
use scopeward::{Environment, scoped_tools};

use crate::work::{TodoId, get_todo};

struct Todos;

#[scoped_tools]
impl Todos {
    /// Get one todo
    #[scoped_tool(scopes = ["todo:read"])]
    async fn get_todo(&self, Parameters(TodoId { id }): Parameters<TodoId>) -> String {
        get_todo(&id)
    }
}

async fn open(_: Environment) -> Result<Todos, Infallible> {
    Ok(Todos)
}

pub(super) fn serve() -> ExitCode {
    scopeward::main(open)
}
