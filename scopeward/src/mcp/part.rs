//! The parts of a server: one for each block of `#[scoped_tools]` that its type has.

use std::{borrow::Cow, pin::Pin, sync::Arc};

use rmcp::{
    ErrorData,
    handler::server::{
        prompt::PromptContext,
        router::{
            prompt::{PromptRoute, PromptRouter},
            tool::{ToolRoute, ToolRouter},
        },
        tool::ToolCallContext,
    },
    model::{
        CallToolResponse, GetPromptResponse, JsonObject, Prompt, PromptArgument,
        ReadResourceResponse, Tool,
    },
};

use super::{
    Completions, ResourceContext, ResourceDetails, ResourceRouter, check::Checked,
    listed_schema::plain, refusal::refusal_to_result,
};
use crate::policy::Declaration;

/// What one block adds to a server.
pub struct Part<S: 'static> {
    pub(super) declared: &'static [Declaration],
    pub(super) has_tasks: bool,
    pub(super) tools: fn(&mut Tools<'_, S>),
    pub(super) resources: fn(&mut Resources<'_, S>),
    pub(super) prompts: fn(&mut Prompts<'_, S>),
    pub(super) completions: fn(Completions<S>) -> Completions<S>,
}

impl<S> std::fmt::Debug for Part<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.declared).finish()
    }
}

impl<S> Part<S> {
    /// A part that adds nothing.
    pub const EMPTY: Self = Self::new(&[], false, |_| {}, |_| {}, |_| {}, std::convert::identity);

    /// Makes a part from its declarations, and from functions that add its routes.
    pub const fn new(
        declared: &'static [Declaration],
        has_tasks: bool,
        tools: fn(&mut Tools<'_, S>),
        resources: fn(&mut Resources<'_, S>),
        prompts: fn(&mut Prompts<'_, S>),
        completions: fn(Completions<S>) -> Completions<S>,
    ) -> Self {
        Self { declared, has_tasks, tools, resources, prompts, completions }
    }

    /// The declarations of the part.
    pub const fn declared(&self) -> &'static [Declaration] {
        self.declared
    }
}

/// The block without `part`. The parameter is there for the compiler's message about a second such
/// block: "conflicting implementations of trait `MainBlock<(dyn needs_scoped_tools<part = its_name> + …)>`".
pub trait MainBlock<Hint: ?Sized>: Send + Sync + Sized + 'static {
    /// The part of this block, and those that it lists.
    const PARTS: &'static [Part<Self>];
    /// The declarations of each part.
    const DECLARED: &'static [&'static [Declaration]];
    /// The server's name and version.
    const SERVER: (&'static str, &'static str);
}

/// How a second block is written: `#[scoped_tools(part = its_name)]`.
pub type Hint = dyn needs_scoped_tools<part = its_name>;

/// Reads as the attribute does, in the compiler's message.
#[expect(non_camel_case_types, reason = "it reads as the attribute does")]
pub trait needs_scoped_tools {
    /// Reads as the argument of the attribute does.
    type part;
}

/// Stands for the name of a part, in the compiler's message.
#[expect(non_camel_case_types, reason = "it reads as the attribute does")]
#[derive(Debug)]
pub enum its_name {}

/// A block with `part = …`. The number is the hash of the part's name.
pub trait HasPart<const NAME: u64>: Sized + 'static {
    /// What the block adds.
    const PART: Part<Self>;
}

/// Implemented by the block without `part`, for each part that it lists.
pub trait ListsPart<const NAME: u64> {}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

type CallTool<S> = for<'a> fn(
    Checked<ToolCallContext<'a, S>>,
) -> BoxFuture<'a, Result<CallToolResponse, ErrorData>>;

type GetPrompt<S> = for<'a> fn(
    Checked<PromptContext<'a, S>>,
) -> BoxFuture<'a, Result<GetPromptResponse, ErrorData>>;

type ReadResource<S> = for<'a> fn(
    Checked<ResourceContext<'a, S>>,
) -> BoxFuture<'a, Result<ReadResourceResponse, ErrorData>>;

/// A router of tools, to which a part adds its own.
#[derive(Debug)]
pub struct Tools<'r, S> {
    router: &'r mut ToolRouter<S>,
    declared: &'static [Declaration],
}

impl<'r, S: Send + Sync + 'static> Tools<'r, S> {
    pub(super) fn new(router: &'r mut ToolRouter<S>, declared: &'static [Declaration]) -> Self {
        Self { router, declared }
    }

    /// Adds the tool with this number behind its check.
    pub fn add(
        &mut self,
        number: usize,
        description: Option<Cow<'static, str>>,
        output: Option<fn() -> Arc<JsonObject>>,
        details: Option<fn(Tool) -> Tool>,
        call: CallTool<S>,
    ) {
        let declared = &self.declared[number];
        let schema = plain(declared.arguments().unwrap_or_default());
        let mut tool = Tool::new_with_raw(declared.name(), description, schema);
        if let Some(output) = output {
            tool = tool.with_raw_output_schema(plain(output()));
        }
        if let Some(details) = details {
            tool = details(tool);
        }
        self.router.add_route(ToolRoute::new_dyn(tool, move |context| {
            match Checked::tool(declared, context) {
                Ok(context) => call(context),
                // Every transport and client can show a tool result.
                Err(refusal) => {
                    let answer = refusal_to_result(refusal).map(Into::into);
                    Box::pin(std::future::ready(answer))
                }
            }
        }));
    }
}

/// A router of prompts, to which a part adds its own.
#[derive(Debug)]
pub struct Prompts<'r, S> {
    router: &'r mut PromptRouter<S>,
    declared: &'static [Declaration],
}

impl<'r, S: Send + Sync + 'static> Prompts<'r, S> {
    pub(super) fn new(router: &'r mut PromptRouter<S>, declared: &'static [Declaration]) -> Self {
        Self { router, declared }
    }

    /// Adds the prompt with this number behind its check.
    pub fn add(
        &mut self,
        number: usize,
        description: Option<String>,
        arguments: Option<Vec<PromptArgument>>,
        details: Option<fn(Prompt) -> Prompt>,
        get: GetPrompt<S>,
    ) {
        let declared = &self.declared[number];
        let mut prompt = Prompt::from_raw(declared.name(), description, arguments);
        if let Some(details) = details {
            prompt = details(prompt);
        }
        self.router.add_route(PromptRoute::new_dyn(prompt, move |context| {
            match Checked::prompt(declared, context) {
                Ok(context) => get(context),
                Err(refusal) => Box::pin(std::future::ready(Err(refusal))),
            }
        }));
    }
}

/// A router of resources, to which a part adds its own.
#[derive(Debug)]
pub struct Resources<'r, S> {
    router: &'r mut ResourceRouter<S>,
    declared: &'static [Declaration],
}

impl<'r, S: 'static> Resources<'r, S> {
    pub(super) fn new(router: &'r mut ResourceRouter<S>, declared: &'static [Declaration]) -> Self {
        Self { router, declared }
    }

    /// Adds the resource with this number behind its check.
    pub fn add(&mut self, number: usize, details: ResourceDetails, read: ReadResource<S>) {
        let declared = &self.declared[number];
        let router = std::mem::take(self.router);
        *self.router =
            router.with(declared.name(), details, move |context| {
                match Checked::resource(declared, context) {
                    Ok(context) => read(context),
                    Err(refusal) => Box::pin(std::future::ready(Err(refusal))),
                }
            });
    }
}
