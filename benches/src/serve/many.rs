//! A server with a thousand tools, to measure lists, and one with ten thousand, to measure reloads.

use std::{convert::Infallible, process::ExitCode, sync::Arc};

use rmcp::{
    handler::server::{
        router::tool::{ToolRoute, ToolRouter},
        tool::ToolCallContext,
    },
    model::{CallToolResponse, CallToolResult, ContentBlock, JsonObject, Tool},
};
use scopeward::{Declaration, Environment, Location, Registry, ScopedTools, policy::Feature};

use crate::work::get_todo;

/// Nested arrays of string literals: `$start` followed by one decimal digit for each `d`.
macro_rules! digits {
    ($start:expr;) => { $start };
    ($start:expr; d $($more:ident)*) => {
        [
            digits!(concat!($start, "0"); $($more)*), digits!(concat!($start, "1"); $($more)*),
            digits!(concat!($start, "2"); $($more)*), digits!(concat!($start, "3"); $($more)*),
            digits!(concat!($start, "4"); $($more)*), digits!(concat!($start, "5"); $($more)*),
            digits!(concat!($start, "6"); $($more)*), digits!(concat!($start, "7"); $($more)*),
            digits!(concat!($start, "8"); $($more)*), digits!(concat!($start, "9"); $($more)*),
        ]
    };
}

/// The names `tool_0000` to `tool_9999`.
static NAMES: [[[[&str; 10]; 10]; 10]; 10] = digits!("tool_"; d d d d);

/// The names of a thousand tools.
pub fn names() -> impl Iterator<Item = &'static str> {
    huge().take(MANY)
}

/// The names of ten thousand tools.
pub fn huge() -> impl Iterator<Item = &'static str> {
    NAMES.iter().flatten().flatten().flatten().copied()
}

const MANY: usize = 1_000;
const HUGE: usize = 10_000;

const fn declared<const TOOLS: usize>() -> [Declaration; TOOLS] {
    let at = Location::new(file!(), line!(), column!());
    let mut all = [Declaration::new(Feature::Tool, "", &["todo:read"], &[], at); TOOLS];
    let mut n = 0;
    while n < TOOLS {
        let name = NAMES[n / 1_000][n / 100 % 10][n / 10 % 10][n % 10];
        all[n] = Declaration::new(Feature::Tool, name, &["todo:read"], &[], at)
            .with_hints(Some(true), Some(false));
        n += 1;
    }
    all
}

/// A router with a thousand tools, for any server.
pub(super) fn router<S: Send + Sync + 'static>() -> ToolRouter<S> {
    routes(names())
}

fn routes<S: Send + Sync + 'static>(names: impl Iterator<Item = &'static str>) -> ToolRouter<S> {
    let mut router = ToolRouter::new();
    for name in names {
        let tool = Tool::new(name, "Get one todo", Arc::new(JsonObject::new()));
        router.add_route(ToolRoute::new_dyn(tool, |_: ToolCallContext<'_, S>| {
            Box::pin(async {
                let text = ContentBlock::text(get_todo("todo-42"));
                Ok(CallToolResponse::from(CallToolResult::success(vec![text])))
            })
        }));
    }
    router
}

/// A server with `TOOLS` tools behind the gate.
struct Todos<const TOOLS: usize>;

impl<const TOOLS: usize> Todos<TOOLS> {
    const DECLARED: &'static [Declaration] = &declared::<TOOLS>();
}

/// By hand, because no macro writes thousands of tools. A server would leave its checks out so.
impl<const TOOLS: usize> scopeward::__private::Sealed for Todos<TOOLS> {}

impl<const TOOLS: usize> ScopedTools for Todos<TOOLS> {
    const REGISTRY: Registry = Registry::new(Self::DECLARED);
    const SERVER: (&'static str, &'static str) = ("todo", "1.0.0");

    fn tool_router() -> ToolRouter<Self> {
        routes(huge().take(TOOLS))
    }
}

async fn open<const TOOLS: usize>(_: Environment) -> Result<Todos<TOOLS>, Infallible> {
    Ok(Todos)
}

pub(super) fn serve_many() -> ExitCode {
    scopeward::main(open::<MANY>)
}

pub(super) fn serve_huge() -> ExitCode {
    scopeward::main(open::<HUGE>)
}
