//! The check that `#[scoped_tool]` and its siblings put in front of a method's body.

use std::sync::Arc;

use rmcp::{
    ErrorData,
    handler::server::{
        common::FromContextPart, prompt::PromptContext, router::tool::ToolRouter,
        tool::ToolCallContext,
    },
    model::{Extensions, JsonObject, Prompt},
};
use serde_json::json;

use super::{ResourceContext, Services, extract::principal_of, stray::find_stray_argument};
use crate::{
    mcp::{
        ScopedTools,
        refusal::{Refusal, refusal_to_result},
    },
    policy::{Decision, Declaration, Operation, Rule, UriTemplate},
    record::audit::{Denied, Recorder},
};

/// Proof that the caller may use the declaration with this number in the registry. rmcp extracts
/// the proof before any other parameter, so no method can run without it, however the method is
/// mounted.
#[derive(Debug, Clone, Copy)]
pub struct ScopeCheck<const NUMBER: usize>(());

impl<S: ScopedTools, const NUMBER: usize> FromContextPart<ToolCallContext<'_, S>>
    for ScopeCheck<NUMBER>
{
    fn from_context_part(context: &mut ToolCallContext<'_, S>) -> Result<Self, ErrorData> {
        let extensions = &context.request_context.extensions;
        check_own::<S>(NUMBER, context.arguments.as_ref(), extensions)?;
        Ok(Self(()))
    }
}

impl<S: ScopedTools, const NUMBER: usize> FromContextPart<PromptContext<'_, S>>
    for ScopeCheck<NUMBER>
{
    fn from_context_part(context: &mut PromptContext<'_, S>) -> Result<Self, ErrorData> {
        check_own::<S>(NUMBER, context.arguments.as_ref(), &context.context.extensions)?;
        Ok(Self(()))
    }
}

impl<S: ScopedTools, const NUMBER: usize> FromContextPart<ResourceContext<'_, S>>
    for ScopeCheck<NUMBER>
{
    fn from_context_part(context: &mut ResourceContext<'_, S>) -> Result<Self, ErrorData> {
        let declared = declared::<S>(NUMBER);
        // The rule is found by the URI, as at the gate. It is this resource's own rule, because the
        // URIs of two resources never overlap.
        check(declared, context.uri(), None, &context.request_context().extensions)?;
        Ok(Self(()))
    }
}

/// The declaration with this number. No other function here names the registry, because the
/// compiler examines the whole constant in every function that names it, and each declaration has
/// its own copy of the functions above.
fn declared<S: ScopedTools>(number: usize) -> &'static Declaration {
    &S::REGISTRY.all()[number]
}

/// Checks a tool or a prompt by its declared name, not by the name in the call, so that a tool that
/// is mounted under another name keeps its rule.
fn check_own<S: ScopedTools>(
    number: usize,
    arguments: Option<&JsonObject>,
    extensions: &Extensions,
) -> Result<(), ErrorData> {
    let declared = declared::<S>(number);
    check(declared, declared.name(), arguments, extensions)
}

/// Checks that the caller in `extensions` may use the declaration, and records a refusal.
fn check(
    declared: &Declaration,
    name: &str,
    arguments: Option<&JsonObject>,
    extensions: &Extensions,
) -> Result<(), ErrorData> {
    let feature = declared.feature();
    let Some(caller) = principal_of(extensions) else {
        recorder(extensions).unauthenticated_use(feature, declared.name());
        let refusal = Refusal::unauthenticated(feature, declared.name(), declared.scopes());
        return Err(refusal.into_error_data());
    };
    let nothing = JsonObject::new();
    let operation = Operation::new(feature, name).with_arguments(arguments.unwrap_or(&nothing));
    let (refusal, rule) = match caller.may(operation) {
        Decision::Allow(rule) => return check_names(declared, rule, arguments),
        Decision::Deny(denial) => (
            Refusal::insufficient_scope(feature, declared.name(), &denial, caller),
            Some(denial.rule()),
        ),
        Decision::Unknown => (Refusal::without_policy(feature, declared.name(), caller), None),
    };
    let denied = Denied { feature, name: declared.name(), rule, missing: &refusal.missing };
    recorder(extensions).denied(caller, denied, None);
    Err(refusal.into_error_data())
}

/// The server's recorder. Tools that are mounted without the server write to the log alone.
fn recorder(extensions: &Extensions) -> Recorder {
    Services::of(extensions).map(|services| services.recorder.clone()).unwrap_or_default()
}

/// Refuses arguments that the input schema does not name, if the rule has conditions on arguments.
/// A tool may accept an argument under a second name (serde's `alias`), which a condition on the
/// first name would not see.
fn check_names(
    declared: &Declaration,
    rule: &Rule,
    arguments: Option<&JsonObject>,
) -> Result<(), ErrorData> {
    let Some(arguments) = arguments.filter(|_| rule.asks_for_arguments()) else { return Ok(()) };
    let Some(schema) = declared.arguments() else { return Ok(()) };
    match find_stray_argument(&schema, arguments) {
        None => Ok(()),
        Some(name) => {
            let message = format!("{} takes no argument `{name:.64}`", declared.name());
            Err(ErrorData::invalid_params(message, None))
        }
    }
}

/// Turns the refusals of a router's tools into tool results, because every transport and client can
/// show a tool result. All other answers pass unchanged.
pub fn refusals_as_results<S: 'static>(mut router: ToolRouter<S>) -> ToolRouter<S> {
    for route in router.map.values_mut() {
        let call = Arc::clone(&route.call);
        route.call = Arc::new(move |context| {
            let answer = call(context);
            Box::pin(async move {
                match answer.await {
                    Err(error) => refusal_to_result(error).map(Into::into),
                    answer => answer,
                }
            })
        });
    }
    router
}

/// The JSON Schema of a prompt's arguments, which are all strings.
pub fn prompt_arguments(prompt: &Prompt) -> Arc<JsonObject> {
    let arguments = prompt.arguments.iter().flatten();
    let required = arguments.clone().filter(|argument| argument.required == Some(true));
    Arc::new(strings(
        arguments.clone().map(|argument| &*argument.name),
        required.map(|argument| &*argument.name),
    ))
}

/// The JSON Schema of the variables of a URI template, which are all strings and all required.
pub fn uri_arguments(template: &str) -> Arc<JsonObject> {
    let template = UriTemplate::parse(template).ok();
    let names = || template.iter().flat_map(UriTemplate::variables);
    Arc::new(strings(names(), names()))
}

/// The JSON Schema of an object whose members are strings.
fn strings<'a>(
    names: impl Iterator<Item = &'a str>,
    required: impl Iterator<Item = &'a str>,
) -> JsonObject {
    let properties: JsonObject =
        names.map(|name| (name.to_owned(), json!({ "type": "string" }))).collect();
    let mut schema = JsonObject::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), properties.into());
    schema.insert("required".to_owned(), required.collect::<Vec<_>>().into());
    schema
}
