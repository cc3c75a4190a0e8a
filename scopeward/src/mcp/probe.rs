//! What the macros know of a type by the type itself, not by its name.
//!
//! An inherent constant or method is found before one of a trait, and an inherent implementation
//! counts only for the types that meet its bounds. So `Probe::<T, S>::IS_PRINCIPAL` is `true` for
//! [`Principal`] under every alias, and `false` for another type of that name. The traits here have
//! the answers for all other types.

#![allow(missing_docs, reason = "the traits of the same constants and methods have them")]

use std::{marker::PhantomData, sync::Arc};

use rmcp::{
    ErrorData, Peer, RoleServer,
    handler::server::{
        common::{FromContextPart, schema_for_empty_input, schema_for_input, schema_for_output},
        prompt::{IntoGetPromptResult, PromptContext, cached_arguments_from_schema},
        tool::{IntoCallToolResult, ToolCallContext},
        wrapper::{Json, Parameters},
    },
    model::{
        CallToolResponse, GetPromptResponse, JsonObject, PromptArgument, ReadResourceResponse,
        RequestMetaObject,
    },
    schemars::JsonSchema,
    service::RequestContext,
};
use serde::de::DeserializeOwned;

use super::{
    IntoResource, ResourceContext, Round, Tasks, Updates,
    check::Checked,
    extract::{principal_of, required},
    refusal::refusal_to_result,
    resource::read_variables,
    text,
};
use crate::{identity::Principal, policy::Feature};

/// Asks about the type `T`, as a parameter or result of a method of the server `S`.
pub struct Probe<T, S>(PhantomData<fn() -> (T, S)>);

impl<T, S> std::fmt::Debug for Probe<T, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Probe").field(&std::any::type_name::<T>()).finish()
    }
}

impl<T, S> Probe<T, S> {
    /// A probe of the type.
    pub const NEW: Self = Self(PhantomData);
}

/// A probe of the type of a value.
pub const fn probe_of<T>(_: &T) -> Probe<T, ()> {
    Probe::NEW
}

type Schema = fn() -> Arc<JsonObject>;
type Arguments = fn() -> Option<Vec<PromptArgument>>;

/// The answers for types of which nothing is known.
pub trait Unknown {
    /// Whether a parameter of this type cannot send anything before the tool's result.
    const ONLY_ANSWERS: bool = false;
    /// Whether the type is [`Tasks`].
    const IS_TASKS: bool = false;
    /// Whether the type is [`Principal`].
    const IS_PRINCIPAL: bool = false;
    /// Whether the type is an [`Option`] of a [`Principal`].
    const IS_MAYBE_PRINCIPAL: bool = false;
    /// Whether the type is [`Parameters`].
    const IS_PARAMETERS: bool = false;
    /// Whether a tool can take the type.
    const TAKEN_BY_TOOL: bool = false;
    /// Whether a prompt can take the type.
    const TAKEN_BY_PROMPT: bool = false;
    /// Whether a resource can take the type.
    const TAKEN_BY_RESOURCE: bool = false;
    /// Whether a tool can return the type.
    const TOOL_RESULT: bool = false;
    /// Whether a tool would answer with a list, which is no object.
    const IS_LIST: bool = false;
    /// Whether a tool would answer with a number, a text or a truth value, which is no object.
    const IS_SCALAR: bool = false;
    /// Whether a prompt can return the type.
    const PROMPT_RESULT: bool = false;
    /// Whether a resource can return the type.
    const RESOURCE_RESULT: bool = false;
    /// Whether a resource can return the type as an error.
    const RESOURCE_ERROR: bool = false;
    /// The JSON Schema of a tool's arguments.
    const INPUT_SCHEMA: Option<Schema> = None;
    /// The JSON Schema of a struct that the variables of a URI are read into.
    const FIELDS: Option<Schema> = None;
    /// Whether a method that takes the type cannot learn the variables of a URI from it.
    const HAS_NO_VARIABLES: bool = false;
    /// The arguments of a prompt.
    const PROMPT_ARGUMENTS: Option<Arguments> = None;
    /// The JSON Schema of a tool's result.
    const OUTPUT_SCHEMA: Option<Schema> = None;
}

impl<T, S> Unknown for Probe<T, S> {}

impl<T, S> Probe<Parameters<T>, S> {
    pub const ONLY_ANSWERS: bool = true;
    pub const IS_PARAMETERS: bool = true;
}

impl<S> Probe<Principal, S> {
    pub const ONLY_ANSWERS: bool = true;
    pub const IS_PRINCIPAL: bool = true;
    pub const HAS_NO_VARIABLES: bool = true;
}

impl<S> Probe<Option<Principal>, S> {
    pub const ONLY_ANSWERS: bool = true;
    pub const IS_MAYBE_PRINCIPAL: bool = true;
    pub const HAS_NO_VARIABLES: bool = true;
}

impl<S> Probe<Round, S> {
    pub const HAS_NO_VARIABLES: bool = true;
}

impl<S> Probe<RequestContext<RoleServer>, S> {
    pub const HAS_NO_VARIABLES: bool = true;
}

impl<S> Probe<Peer<RoleServer>, S> {
    pub const HAS_NO_VARIABLES: bool = true;
}

impl<S> Probe<RequestMetaObject, S> {
    pub const HAS_NO_VARIABLES: bool = true;
}

impl<S> Probe<Updates, S> {
    pub const ONLY_ANSWERS: bool = true;
}

impl<S> Probe<Tasks, S> {
    pub const IS_TASKS: bool = true;
}

impl<T: JsonSchema + 'static, S> Probe<Parameters<T>, S> {
    pub const INPUT_SCHEMA: Option<Schema> = Some(input_schema_of::<T>);
    pub const FIELDS: Option<Schema> =
        Some(rmcp::handler::server::common::schema_for_type::<Parameters<T>>);
    pub const PROMPT_ARGUMENTS: Option<Arguments> =
        Some(cached_arguments_from_schema::<Parameters<T>>);
}

#[expect(clippy::panic, reason = "a mistake in the program, found at the start, as rmcp finds it")]
fn input_schema_of<T: JsonSchema + 'static>() -> Arc<JsonObject> {
    schema_for_input::<Parameters<T>>().unwrap_or_else(|error| {
        panic!("Invalid input schema for `{}`: {error}", std::any::type_name::<Parameters<T>>())
    })
}

impl<T: JsonSchema + 'static, S> Probe<Json<T>, S> {
    pub const OUTPUT_SCHEMA: Option<Schema> = Some(schema_for_output::<T>);
}

impl<T: JsonSchema + 'static, E, S> Probe<Result<Json<T>, E>, S> {
    pub const OUTPUT_SCHEMA: Option<Schema> = Some(schema_for_output::<T>);
}

impl<T: for<'a> FromContextPart<ToolCallContext<'a, S>>, S> Probe<T, S> {
    pub const TAKEN_BY_TOOL: bool = true;
}

impl<T: for<'a> FromContextPart<PromptContext<'a, S>>, S> Probe<T, S> {
    pub const TAKEN_BY_PROMPT: bool = true;
}

impl<T: for<'a> FromContextPart<ResourceContext<'a, S>>, S> Probe<T, S> {
    pub const TAKEN_BY_RESOURCE: bool = true;
}

impl<T: IntoCallToolResult, S> Probe<T, S> {
    pub const TOOL_RESULT: bool = true;
}

impl<T, S> Probe<Json<Vec<T>>, S> {
    pub const IS_LIST: bool = true;
}

impl<T, E, S> Probe<Result<Json<Vec<T>>, E>, S> {
    pub const IS_LIST: bool = true;
}

macro_rules! scalars {
    ($($scalar:ty)*) => {$(
        impl<S> Probe<Json<$scalar>, S> {
            pub const IS_SCALAR: bool = true;
        }

        impl<E, S> Probe<Result<Json<$scalar>, E>, S> {
            pub const IS_SCALAR: bool = true;
        }
    )*};
}

scalars!(bool char String &'static str f32 f64 i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

impl<T: IntoGetPromptResult, S> Probe<T, S> {
    pub const PROMPT_RESULT: bool = true;
}

impl<T: IntoResource, S> Probe<T, S> {
    pub const RESOURCE_RESULT: bool = true;
}

impl<T: Into<ErrorData>, S> Probe<T, S> {
    pub const RESOURCE_ERROR: bool = true;
}

/// The schema of a tool's arguments: that of its first parameter that has one.
pub fn input_schema(parameters: &[Option<Schema>]) -> Arc<JsonObject> {
    let first = parameters.iter().flatten().next();
    first.map_or_else(schema_for_empty_input, |schema| schema())
}

/// The arguments of a prompt: those of its first parameter that has some.
pub fn arguments(parameters: &[Option<Arguments>]) -> Option<Vec<PromptArgument>> {
    parameters.iter().flatten().next().and_then(|arguments| arguments())
}

/// The first schema of a struct among the parameters of a resource, with whether each parameter has no
/// variables (`HAS_NO_VARIABLES`). If none has, the schema of no fields; if one may have them in a way
/// of its own, `None`.
pub const fn fields(parameters: &[Option<Schema>], have_none: &[bool]) -> Option<Schema> {
    let mut number = 0;
    while number < parameters.len() {
        if parameters[number].is_some() {
            return parameters[number];
        }
        number += 1;
    }
    let mut number = 0;
    while number < have_none.len() {
        if !have_none[number] {
            return None;
        }
        number += 1;
    }
    Some(no_fields)
}

fn no_fields() -> Arc<JsonObject> {
    Arc::default()
}

impl<S> Probe<Principal, S> {
    /// Takes the caller of a tool.
    pub fn take_from_tool(
        self,
        call: &mut Checked<ToolCallContext<'_, S>>,
    ) -> Result<Principal, ErrorData> {
        let (declared, context) = (call.declared(), call.context());
        let extensions = &context.request_context.extensions;
        Ok(required(extensions, Feature::Tool, declared.name())?.in_use_of(declared))
    }

    /// Takes the caller of a prompt.
    pub fn take_from_prompt(
        self,
        call: &mut Checked<PromptContext<'_, S>>,
    ) -> Result<Principal, ErrorData> {
        let (declared, context) = (call.declared(), call.context());
        let extensions = &context.context.extensions;
        Ok(required(extensions, Feature::Prompt, declared.name())?.in_use_of(declared))
    }

    /// Takes the caller that reads a resource.
    pub fn take_from_resource(
        self,
        call: &mut Checked<ResourceContext<'_, S>>,
    ) -> Result<Principal, ErrorData> {
        let (declared, context) = (call.declared(), call.context());
        let extensions = &context.request_context().extensions;
        Ok(required(extensions, Feature::Resource, declared.name())?.in_use_of(declared))
    }
}

impl<S> Probe<Option<Principal>, S> {
    /// Takes the caller of a tool, if it has a token.
    pub fn take_from_tool(
        self,
        call: &mut Checked<ToolCallContext<'_, S>>,
    ) -> Result<Option<Principal>, ErrorData> {
        let (declared, context) = (call.declared(), call.context());
        let caller = principal_of(&context.request_context.extensions);
        Ok(caller.map(|caller| caller.in_use_of(declared)))
    }

    /// Takes the caller of a prompt, if it has a token.
    pub fn take_from_prompt(
        self,
        call: &mut Checked<PromptContext<'_, S>>,
    ) -> Result<Option<Principal>, ErrorData> {
        let (declared, context) = (call.declared(), call.context());
        let caller = principal_of(&context.context.extensions);
        Ok(caller.map(|caller| caller.in_use_of(declared)))
    }

    /// Takes the caller that reads a resource, if it has a token.
    pub fn take_from_resource(
        self,
        call: &mut Checked<ResourceContext<'_, S>>,
    ) -> Result<Option<Principal>, ErrorData> {
        let (declared, context) = (call.declared(), call.context());
        let caller = principal_of(&context.request_context().extensions);
        Ok(caller.map(|caller| caller.in_use_of(declared)))
    }
}

impl<T: DeserializeOwned, S> Probe<Parameters<T>, S> {
    /// Reads the arguments of a tool.
    pub fn take_from_tool(
        self,
        call: &mut Checked<ToolCallContext<'_, S>>,
    ) -> Result<Parameters<T>, ErrorData> {
        let declared = call.declared();
        let given = call.context().arguments.take().unwrap_or_default();
        super::arguments::read(given, declared).map(Parameters)
    }

    /// Reads the arguments of a prompt, which are texts, into what the fields are.
    pub fn take_from_prompt(
        self,
        call: &mut Checked<PromptContext<'_, S>>,
    ) -> Result<Parameters<T>, ErrorData> {
        let arguments = call.context().arguments.take().unwrap_or_default();
        text::read(&arguments).map(Parameters).map_err(|mismatch| {
            ErrorData::invalid_params(format!("Failed to parse parameters: {mismatch}"), None)
        })
    }

    /// Reads the variables of a URI, which are texts, into what the fields are.
    pub fn take_from_resource(
        self,
        call: &mut Checked<ResourceContext<'_, S>>,
    ) -> Result<Parameters<T>, ErrorData> {
        let name = call.declared().name();
        read_variables(call.context(), Some(name)).map(Parameters)
    }
}

/// Takes a parameter that implements rmcp's trait.
pub trait Take<T, S> {
    /// Takes it from the call of a tool.
    fn take_from_tool(self, call: &mut Checked<ToolCallContext<'_, S>>) -> Result<T, ErrorData>;
}

impl<T: for<'a> FromContextPart<ToolCallContext<'a, S>>, S> Take<T, S> for Probe<T, S> {
    fn take_from_tool(self, call: &mut Checked<ToolCallContext<'_, S>>) -> Result<T, ErrorData> {
        T::from_context_part(call.context())
    }
}

/// As [`Take`], for prompts.
pub trait TakeFromPrompt<T, S> {
    /// Takes it from the use of a prompt.
    fn take_from_prompt(self, call: &mut Checked<PromptContext<'_, S>>) -> Result<T, ErrorData>;
}

impl<T: for<'a> FromContextPart<PromptContext<'a, S>>, S> TakeFromPrompt<T, S> for Probe<T, S> {
    fn take_from_prompt(self, call: &mut Checked<PromptContext<'_, S>>) -> Result<T, ErrorData> {
        T::from_context_part(call.context())
    }
}

/// As [`Take`], for resources.
pub trait TakeFromResource<T, S> {
    /// Takes it from the read of a resource.
    fn take_from_resource(self, call: &mut Checked<ResourceContext<'_, S>>)
    -> Result<T, ErrorData>;
}

impl<T: for<'a> FromContextPart<ResourceContext<'a, S>>, S> TakeFromResource<T, S> for Probe<T, S> {
    fn take_from_resource(
        self,
        call: &mut Checked<ResourceContext<'_, S>>,
    ) -> Result<T, ErrorData> {
        T::from_context_part(call.context())
    }
}

/// For types that no method can take. The macros refuse such a method with one sentence while the
/// program is compiled, and this trait keeps further messages off the screen.
pub trait TakeNothing<T, S> {
    /// Fails.
    fn take_from_tool(self, _: &mut Checked<ToolCallContext<'_, S>>) -> Result<T, ErrorData>;
    /// Fails.
    fn take_from_prompt(self, _: &mut Checked<PromptContext<'_, S>>) -> Result<T, ErrorData>;
    /// Fails.
    fn take_from_resource(self, _: &mut Checked<ResourceContext<'_, S>>) -> Result<T, ErrorData>;
}

impl<T, S> TakeNothing<T, S> for &Probe<T, S> {
    fn take_from_tool(self, _: &mut Checked<ToolCallContext<'_, S>>) -> Result<T, ErrorData> {
        Err(impossible::<T>())
    }

    fn take_from_prompt(self, _: &mut Checked<PromptContext<'_, S>>) -> Result<T, ErrorData> {
        Err(impossible::<T>())
    }

    fn take_from_resource(self, _: &mut Checked<ResourceContext<'_, S>>) -> Result<T, ErrorData> {
        Err(impossible::<T>())
    }
}

fn impossible<T>() -> ErrorData {
    let message = format!("`{}` does not belong here", std::any::type_name::<T>());
    ErrorData::internal_error(message, None)
}

/// The answer of a tool. A refusal becomes a tool result, because every transport and client can
/// show one.
pub fn tool_answer<T: IntoCallToolResult>(value: T) -> Result<CallToolResponse, ErrorData> {
    match value.into_call_tool_result() {
        Err(error) => refusal_to_result(error).map(Into::into),
        answer => answer,
    }
}

/// The answer of a prompt.
pub fn prompt_answer<T: IntoGetPromptResult>(value: T) -> Result<GetPromptResponse, ErrorData> {
    value.into_get_prompt_result()
}

/// The answer of a resource.
pub fn resource_answer<T: IntoResource>(
    value: T,
    uri: &str,
    mime_type: Option<&str>,
) -> Result<ReadResourceResponse, ErrorData> {
    value.into_resource(uri, mime_type)
}

/// Answers with the result of a method.
pub trait AnswerTool<T> {
    /// The answer of a tool.
    fn tool_answer(self, value: T) -> Result<CallToolResponse, ErrorData>;
}

impl<T: IntoCallToolResult, S> AnswerTool<T> for Probe<T, S> {
    fn tool_answer(self, value: T) -> Result<CallToolResponse, ErrorData> {
        tool_answer(value)
    }
}

/// As [`AnswerTool`], for prompts.
pub trait AnswerPrompt<T> {
    /// The answer of a prompt.
    fn prompt_answer(self, value: T) -> Result<GetPromptResponse, ErrorData>;
}

impl<T: IntoGetPromptResult, S> AnswerPrompt<T> for Probe<T, S> {
    fn prompt_answer(self, value: T) -> Result<GetPromptResponse, ErrorData> {
        prompt_answer(value)
    }
}

/// As [`AnswerTool`], for resources.
pub trait AnswerResource<T> {
    /// The answer of a resource.
    fn resource_answer(
        self,
        value: T,
        uri: &str,
        mime_type: Option<&str>,
    ) -> Result<ReadResourceResponse, ErrorData>;
}

impl<T: IntoResource, S> AnswerResource<T> for Probe<T, S> {
    fn resource_answer(
        self,
        value: T,
        uri: &str,
        mime_type: Option<&str>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        resource_answer(value, uri, mime_type)
    }
}

/// For types that no method can return; as [`TakeNothing`].
pub trait AnswerNothing<T> {
    /// Fails.
    fn tool_answer(self, _: T) -> Result<CallToolResponse, ErrorData>;
    /// Fails.
    fn prompt_answer(self, _: T) -> Result<GetPromptResponse, ErrorData>;
    /// Fails.
    fn resource_answer(
        self,
        _: T,
        uri: &str,
        mime_type: Option<&str>,
    ) -> Result<ReadResourceResponse, ErrorData>;
}

impl<T, S> AnswerNothing<T> for &Probe<T, S> {
    fn tool_answer(self, _: T) -> Result<CallToolResponse, ErrorData> {
        Err(impossible::<T>())
    }

    fn prompt_answer(self, _: T) -> Result<GetPromptResponse, ErrorData> {
        Err(impossible::<T>())
    }

    fn resource_answer(
        self,
        _: T,
        _: &str,
        _: Option<&str>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        Err(impossible::<T>())
    }
}

/// Asks about the part with this hash of the server `S`.
#[derive(Debug)]
pub struct PartProbe<S, const NAME: u64>(PhantomData<fn() -> S>);

/// The answers for a part that is not there.
pub trait UnknownPart {
    /// The type of the server.
    type Server: 'static;
    /// Whether the block without `part` lists it.
    const IS_LISTED: bool = false;
    /// Whether there is a block of this part.
    const EXISTS: bool = false;
    /// What the part adds.
    const PART: super::part::Part<Self::Server> = super::part::Part::EMPTY;
}

impl<S: 'static, const NAME: u64> UnknownPart for PartProbe<S, NAME> {
    type Server = S;
}

impl<S: super::part::ListsPart<NAME>, const NAME: u64> PartProbe<S, NAME> {
    pub const IS_LISTED: bool = true;
}

impl<S: super::part::HasPart<NAME>, const NAME: u64> PartProbe<S, NAME> {
    pub const EXISTS: bool = true;
    pub const PART: super::part::Part<S> = S::PART;
}
