//! Tasks (MCP's extension `io.modelcontextprotocol/tasks`): a tool that takes longer answers with a
//! task. Only the caller that made the task can see, answer and cancel it, and only while that
//! caller may call the tool.

use std::{fmt, sync::Arc, time::Duration};

use moka::sync::Cache;
use rmcp::{
    ErrorData,
    model::{CallToolResponse, ClientCapabilities, CreateTaskResult},
    task_manager::{TaskContext, TaskExit, TaskFuture, TaskManager, TaskOptions},
};

use crate::{identity::Principal, policy::Operation};

/// How long the owner of a task is remembered after the last request about the task: 24 hours.
/// Then the task is unknown, even to its caller.
const MAX_IDLE: Duration = Duration::from_hours(24);

/// At most this many owners are remembered, so that callers cannot fill the memory.
const MAX_OWNERS: u64 = 100_000;

/// The owner and the tool of each task. The server, which makes tasks, and the gate, which decides
/// about them, share this table.
#[derive(Clone)]
pub(crate) struct TaskOwners(Cache<String, Arc<Owner>>);

#[derive(Debug)]
struct Owner {
    id: String,
    tool: String,
}

impl Default for TaskOwners {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MAX_OWNERS).time_to_idle(MAX_IDLE).build())
    }
}

impl fmt::Debug for TaskOwners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskOwners").finish_non_exhaustive()
    }
}

impl TaskOwners {
    /// The tool of a task, if the task is this caller's.
    pub(crate) fn tool_of(&self, task: &str, caller: &Principal) -> Option<String> {
        let owner = self.0.get(task)?;
        (owner.id == caller.id()).then(|| owner.tool.clone())
    }
}

/// The tasks of one server, and their owners.
#[derive(Clone, Default)]
pub(crate) struct ServerTasks {
    pub(crate) manager: TaskManager,
    pub(crate) owners: TaskOwners,
}

impl fmt::Debug for ServerTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTasks").finish_non_exhaustive()
    }
}

impl ServerTasks {
    /// The task manager, if the task is this caller's and the caller may still call the task's
    /// tool.
    pub(crate) fn of(
        &self,
        task: &str,
        caller: Option<&Principal>,
    ) -> Result<&TaskManager, ErrorData> {
        let tool = caller.and_then(|caller| self.owners.tool_of(task, caller));
        let is_allowed = caller.zip(tool.as_deref()).is_some_and(|(caller, tool)| {
            caller.may(Operation::tool(tool).for_some_arguments()).is_allow()
        });
        // Another caller's task and an unknown task get the same error, so that nobody learns which
        // tasks exist.
        if is_allowed { Ok(&self.manager) } else { Err(unknown_task()) }
    }
}

fn unknown_task() -> ErrorData {
    ErrorData::invalid_params("Unknown task", None)
}

/// Makes tasks, as a tool's parameter. The call is answered with a task, which belongs to the
/// caller.
///
/// ```
/// use rmcp::{model::{CallToolResponse, CallToolResult, ContentBlock, ErrorData}, task_manager::TaskOptions};
/// use scopeward::{mcp::Tasks, rmcp, scoped_tools};
///
/// struct Reports;
///
/// #[scoped_tools]
/// impl Reports {
///     /// Writes the yearly report, which takes a while.
///     #[scoped_tool(scopes = ["report:write"])]
///     async fn yearly(&self, tasks: Tasks) -> Result<CallToolResponse, ErrorData> {
///         tasks.spawn(TaskOptions::new(), |_| {
///             Box::pin(async { Ok(CallToolResult::success(vec![ContentBlock::text("done")])) })
///         })
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Tasks {
    server: ServerTasks,
    owner: Arc<Owner>,
    /// `true` if the client has declared that it knows tasks.
    are_known: bool,
}

impl Tasks {
    /// Makes the parameter for a call of `tool` by `caller`. `are_known` is `true` if the client
    /// knows tasks.
    pub(super) fn of(server: ServerTasks, caller: &Principal, tool: &str, are_known: bool) -> Self {
        let owner = Arc::new(Owner { id: caller.id(), tool: tool.to_owned() });
        Self { server, owner, are_known }
    }

    /// Starts the work, and answers the call with its task.
    ///
    /// # Errors
    ///
    /// Error -32021 if the client has not declared the extension, because such a client could not see
    /// the task. The work is not started. [`Self::spawn_or_wait`] serves such clients as well.
    pub fn spawn<F>(&self, options: TaskOptions, work: F) -> Result<CallToolResponse, ErrorData>
    where
        F: FnOnce(TaskContext) -> TaskFuture,
    {
        if !self.are_known {
            let needed = ClientCapabilities::builder().enable_tasks().build();
            return Err(ErrorData::missing_required_client_capability(needed));
        }
        let task = self.server.manager.spawn(options, work);
        self.server.owners.0.insert(task.task_id.clone(), Arc::clone(&self.owner));
        Ok(CreateTaskResult::new(task).into())
    }

    /// Starts the work like [`Self::spawn`], but answers a client that does not know tasks when the
    /// work is done. Use it for work that asks its caller nothing on the way, because such a client
    /// could not answer. If the client goes away meanwhile, the work is told to stop.
    ///
    /// # Errors
    ///
    /// The error of the work, or an internal error if the work was stopped.
    pub async fn spawn_or_wait<F>(
        &self,
        options: TaskOptions,
        work: F,
    ) -> Result<CallToolResponse, ErrorData>
    where
        F: FnOnce(TaskContext) -> TaskFuture,
    {
        if self.are_known {
            return self.spawn(options, work);
        }
        let (tell, told) = tokio::sync::oneshot::channel();
        let task = self.server.manager.spawn(options, |context| {
            let work = work(context);
            Box::pin(async {
                // No client knows the id of this task, so the result goes to the waiting call
                // alone.
                let _ = tell.send(work.await);
                Err(TaskExit::Cancelled)
            })
        });
        let _stop = CancelOnDrop(&self.server.manager, &task.task_id);
        match told.await {
            Ok(Ok(result)) => Ok(result.into()),
            Ok(Err(TaskExit::Error(error))) => Err(error),
            Ok(Err(TaskExit::Cancelled)) | Err(_) => {
                Err(ErrorData::internal_error("the work was stopped", None))
            }
        }
    }
}

/// Cancels a task when it is dropped, so that the work stops when its call is abandoned.
struct CancelOnDrop<'t>(&'t TaskManager, &'t str);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        let _ = self.0.cancel_task(self.1);
    }
}
