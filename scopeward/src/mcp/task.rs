//! Tasks (MCP's extension `io.modelcontextprotocol/tasks`): a tool that takes longer answers with a
//! task. Only the caller and client that made the task can see, answer and cancel it, and only while
//! that caller may still make the very call that the task came from.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rmcp::{
    ErrorData,
    model::{
        CallToolResponse, CallToolResult, ClientCapabilities, CreateTaskResult, ErrorCode,
        JsonObject, Task,
    },
    task_manager::{TaskContext, TaskExit, TaskFuture, TaskManager, TaskOptions},
};
use serde_json::Value;

use crate::{
    identity::{Principal, revocation::Revocations},
    limits::Limit,
    policy::Operation,
    record::metrics::metrics,
};

/// How long a result without a time to live of its own is kept: 24 hours. Then the task is unknown,
/// even to its caller.
const MAX_KEPT: Duration = Duration::from_hours(24);

/// At most this many tasks of all callers are kept, so that callers cannot fill the memory.
const MAX_TASKS: usize = 10_000;

/// The largest arguments that are kept to be decided on again: 64 KiB. Beyond it every condition of
/// the rule counts as met.
const LARGEST_ARGUMENTS: usize = 64 * 1024;

/// How long work that was told to stop has to do so, if its caller was revoked. Then it is dropped.
const PATIENCE: Duration = Duration::from_secs(10);

/// The call that a task came from.
#[derive(Debug)]
pub(crate) struct TaskCall {
    caller: String,
    client: Option<String>,
    tool: String,
    /// `None` if the arguments are too large to be kept.
    arguments: Option<JsonObject>,
}

impl TaskCall {
    fn new(caller: &Principal, tool: &str, arguments: Option<&JsonObject>) -> Self {
        let nothing = JsonObject::new();
        let arguments = arguments.unwrap_or(&nothing);
        let mut left = LARGEST_ARGUMENTS;
        let fits = arguments.iter().all(|(name, value)| take(&mut left, name, value));
        Self {
            caller: caller.id(),
            client: caller.client().map(str::to_owned),
            tool: tool.to_owned(),
            arguments: fits.then(|| arguments.clone()),
        }
    }

    /// The call as it is decided on again: with the same arguments.
    pub(crate) fn operation(&self) -> Operation<'_> {
        let operation = Operation::tool(&self.tool);
        match &self.arguments {
            Some(arguments) => operation.with_arguments(arguments),
            None => operation,
        }
    }

    fn is_of(&self, caller: &Principal) -> bool {
        self.client.as_deref() == caller.client() && self.caller == caller.id()
    }
}

/// Takes the approximate size of a member from what is left; `false` if it is too large.
fn take(left: &mut usize, name: &str, value: &Value) -> bool {
    let own = name.len() + value.as_str().map_or(0, str::len) + size_of::<Value>();
    let Some(rest) = left.checked_sub(own) else { return false };
    *left = rest;
    match value {
        Value::Array(items) => items.iter().all(|item| take(left, "", item)),
        Value::Object(members) => members.iter().all(|(name, value)| take(left, name, value)),
        _ => true,
    }
}

/// The tasks of one server. The server, which makes tasks, and the gate, which decides about them,
/// share this table.
#[derive(Clone, Default)]
pub(crate) struct ServerTasks(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    /// The tasks that a client knows, by their ids.
    known: HashMap<String, Kept>,
    /// The tasks of each caller, the oldest first.
    by_caller: HashMap<u64, VecDeque<Arc<State>>>,
    count: usize,
}

/// A task that a client knows.
struct Kept {
    call: Arc<TaskCall>,
    /// A manager of its own, so that a task can be forgotten.
    manager: TaskManager,
}

/// What is known of a task from outside.
#[derive(Default)]
struct State {
    id: OnceLock<String>,
    /// When the work ended, and until when its result is kept.
    ended: OnceLock<Instant>,
    kept_for: Duration,
}

impl State {
    fn has_expired(&self) -> bool {
        self.ended.get().is_some_and(|ended| ended.elapsed() >= self.kept_for)
    }
}

impl fmt::Debug for ServerTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTasks").finish_non_exhaustive()
    }
}

impl Table {
    /// Forgets the tasks of one caller that are to be forgotten, at most `most` of them.
    fn forget(&mut self, caller: u64, mut most: usize, gone: impl Fn(&State) -> bool) {
        let Some(all) = self.by_caller.get_mut(&caller) else { return };
        all.retain(|state| {
            let is_kept = most == 0 || !gone(state);
            if !is_kept {
                most -= 1;
                self.count -= 1;
                if let Some(id) = state.id.get() {
                    self.known.remove(id);
                }
            }
            is_kept
        });
        if all.is_empty() {
            self.by_caller.remove(&caller);
        }
    }

    fn of(&self, caller: u64) -> usize {
        self.by_caller.get(&caller).map_or(0, VecDeque::len)
    }

    /// Makes room for one task of a caller, who may have `most`: forgets results, the oldest first,
    /// and never work that runs.
    fn make_room(&mut self, caller: u64, most: usize) -> Result<(), ErrorData> {
        self.forget(caller, usize::MAX, State::has_expired);
        let has_ended = |state: &State| state.ended.get().is_some();
        if self.of(caller) >= most {
            self.forget(caller, 1, has_ended);
        }
        if self.of(caller) >= most {
            metrics().limited(Limit::Tasks);
            let message = format!("a caller may have at most {most} tasks: wait for one of them");
            return Err(ErrorData::new(ErrorCode::INVALID_REQUEST, message, None));
        }
        if self.count >= MAX_TASKS {
            let all: Vec<u64> = self.by_caller.keys().copied().collect();
            for each in all {
                self.forget(each, usize::MAX, State::has_expired);
            }
            // A caller with many results loses one before a caller with few.
            let most =
                self.by_caller.iter().filter(|(_, all)| all.iter().any(|one| has_ended(one)));
            let most = most.max_by_key(|(_, all)| all.len()).map(|(caller, _)| *caller);
            if let Some(other) = most.filter(|_| self.count >= MAX_TASKS) {
                self.forget(other, 1, has_ended);
            }
        }
        if self.count >= MAX_TASKS {
            metrics().limited(Limit::Tasks);
            let message = "the server has too many tasks: try again later";
            return Err(ErrorData::new(ErrorCode::INTERNAL_ERROR, message, None));
        }
        Ok(())
    }
}

impl ServerTasks {
    /// The call that a task came from, if the task is this caller's and this client's.
    pub(crate) fn call_of(&self, task: &str, caller: &Principal) -> Option<Arc<TaskCall>> {
        let table = self.0.lock();
        let call = &table.known.get(task)?.call;
        call.is_of(caller).then(|| Arc::clone(call))
    }

    /// The manager of a task, if the task is this caller's and the caller may still make its call.
    pub(crate) fn of(
        &self,
        task: &str,
        caller: Option<&Principal>,
    ) -> Result<TaskManager, ErrorData> {
        let call = caller.and_then(|caller| self.call_of(task, caller));
        let is_allowed =
            caller.zip(call).is_some_and(|(caller, call)| caller.may(call.operation()).is_allow());
        let manager = self.0.lock().known.get(task).map(|kept| kept.manager.clone());
        // Another caller's task and an unknown task get the same error, so that nobody learns which
        // tasks exist.
        manager.filter(|_| is_allowed).ok_or_else(unknown_task)
    }

    /// Takes a place among the tasks of a caller.
    fn reserve(&self, caller: u64, most: usize, options: &TaskOptions) -> Result<Place, ErrorData> {
        let kept_for = options.ttl_ms.map_or(MAX_KEPT, Duration::from_millis);
        let state = Arc::new(State { kept_for, ..State::default() });
        let mut table = self.0.lock();
        table.make_room(caller, most)?;
        table.by_caller.entry(caller).or_default().push_back(Arc::clone(&state));
        table.count += 1;
        drop(table);
        Ok(Place { tasks: self.clone(), caller, state, is_known: false })
    }
}

/// The place of running work among the tasks of its caller. It is given back when the work ends,
/// however it ends, unless the client knows the task: then the result keeps the place.
struct Place {
    tasks: ServerTasks,
    caller: u64,
    state: Arc<State>,
    is_known: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.state.ended.set(Instant::now());
        if !self.is_known {
            let this = Arc::as_ptr(&self.state);
            self.tasks.0.lock().forget(self.caller, 1, |state| std::ptr::eq(state, this));
        }
    }
}

fn unknown_task() -> ErrorData {
    ErrorData::invalid_params("Unknown task", None)
}

/// Makes tasks, as a tool's parameter. The call is answered with a task, which belongs to the
/// caller.
///
/// The work is told to stop ([`TaskContext::cancelled`]) when the caller's access is revoked, and is
/// dropped if it does not stop within ten seconds. A caller has at most
/// [`max_tasks_per_caller`](crate::Limits::max_tasks_per_caller) tasks.
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
pub struct Tasks {
    server: ServerTasks,
    call: Arc<TaskCall>,
    caller: Principal,
    revocations: Revocations,
    most: usize,
    /// `true` if the client has declared that it knows tasks.
    are_known: bool,
    gone: Gone,
}

/// Waits until the client of a call has gone away.
pub(super) type Gone = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("are_known", &self.are_known).finish_non_exhaustive()
    }
}

/// What bounds the tasks of a server, besides its table.
#[derive(Debug, Clone)]
pub(crate) struct TaskBounds {
    pub(crate) revocations: Revocations,
    /// The most tasks of one caller.
    pub(crate) most: usize,
}

impl Tasks {
    /// Makes the parameter for a call of `tool` by `caller`. `are_known` is `true` if the client
    /// knows tasks.
    pub(super) fn of(
        server: ServerTasks,
        bounds: TaskBounds,
        caller: &Principal,
        (tool, arguments): (&str, Option<&JsonObject>),
        are_known: bool,
        gone: Gone,
    ) -> Self {
        let call = Arc::new(TaskCall::new(caller, tool, arguments));
        let TaskBounds { revocations, most } = bounds;
        Self { server, call, caller: caller.clone(), revocations, most, are_known, gone }
    }

    /// Starts the work, and answers the call with its task.
    ///
    /// # Errors
    ///
    /// Error -32021 if the client has not declared the extension, because such a client could not see
    /// the task. The work is not started. [`Self::spawn_or_wait`] serves such clients as well. An
    /// error as well if the caller has too many tasks that run.
    pub fn spawn<F>(&self, options: TaskOptions, work: F) -> Result<CallToolResponse, ErrorData>
    where
        F: FnOnce(TaskContext) -> TaskFuture,
    {
        if !self.are_known {
            let needed = ClientCapabilities::builder().enable_tasks().build();
            return Err(ErrorData::missing_required_client_capability(needed));
        }
        let mut place = self.server.reserve(self.caller.number(), self.most, &options)?;
        place.is_known = true;
        let state = Arc::clone(&place.state);
        let (manager, task) = self.start(options, place, work);
        let kept = Kept { call: Arc::clone(&self.call), manager };
        let mut table = self.server.0.lock();
        // Work that ended at once may have lost its place to a further task by now.
        let all = table.by_caller.get(&self.caller.number());
        if all.is_some_and(|all| all.iter().any(|one| Arc::ptr_eq(one, &state))) {
            table.known.insert(task.task_id.clone(), kept);
            let _ = state.id.set(task.task_id.clone());
        }
        drop(table);
        Ok(CreateTaskResult::new(task).into())
    }

    /// Starts work that holds its place until it ends, and that ends when its time is over or its
    /// caller is revoked.
    fn start<F>(&self, options: TaskOptions, place: Place, work: F) -> (TaskManager, Task)
    where
        F: FnOnce(TaskContext) -> TaskFuture,
    {
        let manager = TaskManager::new();
        let time = options.ttl_ms.map(Duration::from_millis);
        let (caller, revocations) = (self.caller.clone(), self.revocations.clone());
        let own = manager.clone();
        let task = manager.spawn(options, |context| {
            let id = context.task_id().to_owned();
            let mut work = work(context);
            Box::pin(async move {
                let _place = place;
                let over = async {
                    match time {
                        Some(time) => tokio::time::sleep(time).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    result = &mut work => return result,
                    () = revocations.revoked(caller.token()) => {}
                    () = over => {
                        let error = "task expired: TTL elapsed before completion";
                        return Err(ErrorData::internal_error(error, None).into());
                    }
                }
                let _ = own.cancel_task(&id);
                let stopped = tokio::time::timeout(PATIENCE, work).await;
                stopped.unwrap_or(Err(TaskExit::Cancelled))
            })
        });
        (manager, task)
    }

    /// Starts the work like [`Self::spawn`], but answers a client that does not know tasks when the
    /// work is done. Use it for work that asks its caller nothing on the way, because such a client
    /// could not answer. If the client goes away meanwhile, the work is told to stop
    /// ([`TaskContext::cancelled`]), and has its place among the caller's tasks until it does.
    ///
    /// ```
    /// use scopeward::{mcp::Tasks, rmcp};
    /// use rmcp::{model::{CallToolResponse, CallToolResult, ContentBlock, ErrorData}, task_manager::TaskOptions};
    ///
    /// async fn export(tasks: &Tasks) -> Result<CallToolResponse, ErrorData> {
    ///     tasks
    ///         .spawn_or_wait(TaskOptions::new(), |_| {
    ///             Box::pin(async { Ok(CallToolResult::success(vec![ContentBlock::text("done")])) })
    ///         })
    ///         .await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the work, or an internal error if the work was stopped. An error as well if the
    /// caller has too many tasks that run.
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
        let place = self.server.reserve(self.caller.number(), self.most, &options)?;
        let (tell, told) = tokio::sync::oneshot::channel::<Result<CallToolResult, TaskExit>>();
        let (manager, task) = self.start(options, place, |context| {
            let work = work(context);
            Box::pin(async {
                // No client knows the id of this task, so the result goes to the waiting call
                // alone.
                let _ = tell.send(work.await);
                Err(TaskExit::Cancelled)
            })
        });
        let _stop = CancelOnDrop(&manager, &task.task_id);
        tokio::pin!(told);
        let result = tokio::select! {
            result = &mut told => result,
            () = (self.gone)() => {
                let _ = manager.cancel_task(&task.task_id);
                // The call ends with its work, so that it is counted for as long as it runs.
                told.await
            }
        };
        match result {
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
