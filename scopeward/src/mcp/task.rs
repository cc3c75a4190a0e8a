//! Tasks (MCP's extension `io.modelcontextprotocol/tasks`): a tool that takes longer gives its
//! caller a task, and only that caller can see it, answer it and cancel it, and only as long as it
//! may call the tool.

use std::{fmt, sync::Arc, time::Duration};

use moka::sync::Cache;
use rmcp::{
    ErrorData,
    model::{CallToolResponse, ClientCapabilities, CreateTaskResult},
    task_manager::{TaskContext, TaskExit, TaskFuture, TaskManager, TaskOptions},
};

use crate::{identity::Principal, policy::Operation};

/// A task that nobody asks for in so long is forgotten.
const KEPT: Duration = Duration::from_hours(24);
const MOST: u64 = 100_000;

/// Whose a task is, and of which tool. Shared by the server, which makes tasks, and the gate, which
/// decides about them.
#[derive(Clone)]
pub(crate) struct TaskOwners(Cache<String, Arc<Owner>>);

#[derive(Debug)]
struct Owner {
    id: String,
    tool: String,
}

impl Default for TaskOwners {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_idle(KEPT).build())
    }
}

impl fmt::Debug for TaskOwners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskOwners").finish_non_exhaustive()
    }
}

impl TaskOwners {
    /// The tool whose task this is, if the task is this caller's.
    pub(crate) fn tool_of(&self, task: &str, caller: &Principal) -> Option<String> {
        let owner = self.0.get(task)?;
        (owner.id == caller.id()).then(|| owner.tool.clone())
    }
}

/// The tasks of one server, and whose they are.
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
    /// The task manager, for a task that is this caller's, as long as it may call the tool.
    pub(crate) fn of(
        &self,
        task: &str,
        caller: Option<&Principal>,
    ) -> Result<&TaskManager, ErrorData> {
        let tool = caller.and_then(|caller| self.owners.tool_of(task, caller));
        let is_allowed = caller
            .zip(tool.as_deref())
            .is_some_and(|(caller, tool)| caller.may(Operation::tool(tool)).is_allow());
        // Somebody else's task and none are the same to a caller.
        if is_allowed { Ok(&self.manager) } else { Err(unknown_task()) }
    }
}

fn unknown_task() -> ErrorData {
    ErrorData::invalid_params("Unknown task", None)
}

/// Makes tasks, as a tool's parameter: its call is answered with a task, which belongs to the
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
    /// Whether the client has declared that it knows tasks.
    are_known: bool,
}

impl Tasks {
    /// The tasks that `caller` makes by a call of `tool`. `are_known` says whether its client knows
    /// tasks.
    pub(super) fn of(server: ServerTasks, caller: &Principal, tool: &str, are_known: bool) -> Self {
        let owner = Arc::new(Owner { id: caller.id(), tool: tool.to_owned() });
        Self { server, owner, are_known }
    }

    /// Starts the work, and answers the call with its task.
    ///
    /// # Errors
    ///
    /// -32021, and nothing is started, if the client has not declared the extension: it could not
    /// see the task. See [`Self::spawn_or_wait`].
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

    /// As [`Self::spawn`]; but of a client that does not know tasks the call is answered when the
    /// work is done. It is for work that asks its caller nothing on the way, since such a client
    /// could not answer. If the client goes away meanwhile, the work is told to stop.
    ///
    /// # Errors
    ///
    /// Those of the work.
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
                // Nobody else has its name: what comes of it is told here, and only here.
                let _ = tell.send(work.await);
                Err(TaskExit::Cancelled)
            })
        });
        let _stop = Stop(&self.server.manager, &task.task_id);
        match told.await {
            Ok(Ok(result)) => Ok(result.into()),
            Ok(Err(TaskExit::Error(error))) => Err(error),
            Ok(Err(TaskExit::Cancelled)) | Err(_) => {
                Err(ErrorData::internal_error("the work was stopped", None))
            }
        }
    }
}

/// Tells the work to stop when nobody waits for it any more.
struct Stop<'t>(&'t TaskManager, &'t str);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        let _ = self.0.cancel_task(self.1);
    }
}
