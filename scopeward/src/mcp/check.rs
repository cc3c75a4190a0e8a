//! The check that stands in front of each method of `#[scoped_tools]`, in the route to it.

use std::sync::Arc;

use rmcp::{
    ErrorData,
    handler::server::{prompt::PromptContext, tool::ToolCallContext},
    model::{Extensions, JsonObject, PromptArgument},
};
use serde_json::json;

use super::{ResourceContext, Services, extract::caller_of, stray::find_stray_argument};
use crate::{
    mcp::refusal::Refusal,
    policy::{Decision, Declaration, Feature, Operation, Rule, UriTemplate, diagnostic::nearest},
    record::audit::{Denied, Recorder},
    text::in_backticks,
};

/// The most bytes of an unknown argument's name that an error shows.
const LONGEST_SHOWN_ARGUMENT: usize = 64;

/// The context of a call whose caller passed the check of a declaration. Only this module makes
/// one, and the parameters of a method can be taken only from it. So no route of `#[scoped_tools]`
/// runs its method, or reads an argument, before the check.
#[derive(Debug)]
pub struct Checked<C> {
    context: C,
    declared: &'static Declaration,
}

impl<C> Checked<C> {
    /// The context, from which parameters are taken.
    pub(super) fn context(&mut self) -> &mut C {
        &mut self.context
    }

    /// The declaration whose check passed.
    pub(super) fn declared(&self) -> &'static Declaration {
        self.declared
    }
}

impl<'s, S> Checked<ToolCallContext<'s, S>> {
    /// Checks the caller of a tool.
    pub(super) fn tool(
        declared: &'static Declaration,
        context: ToolCallContext<'s, S>,
    ) -> Result<Self, ErrorData> {
        let extensions = &context.request_context.extensions;
        check(declared, declared.name(), context.arguments.as_ref(), extensions)?;
        Ok(Self { context, declared })
    }

    /// The value whose method is the tool.
    pub fn server(&self) -> &'s S {
        self.context.service
    }
}

impl<'s, S> Checked<PromptContext<'s, S>> {
    /// Checks the caller of a prompt.
    pub(super) fn prompt(
        declared: &'static Declaration,
        context: PromptContext<'s, S>,
    ) -> Result<Self, ErrorData> {
        let extensions = &context.context.extensions;
        check(declared, declared.name(), context.arguments.as_ref(), extensions)?;
        Ok(Self { context, declared })
    }

    /// The value whose method is the prompt.
    pub fn server(&self) -> &'s S {
        self.context.server
    }
}

impl<'s, S> Checked<ResourceContext<'s, S>> {
    /// Checks the caller of a resource.
    pub(super) fn resource(
        declared: &'static Declaration,
        context: ResourceContext<'s, S>,
    ) -> Result<Self, ErrorData> {
        // The rule is found by the canonical URI, as at the gate. It is this resource's own rule,
        // because the policy has a rule for each resource, and the narrower is found in both.
        check(declared, context.uri(), None, &context.request_context().extensions)?;
        Ok(Self { context, declared })
    }

    /// The value whose method reads the resource.
    pub fn server(&self) -> &'s S {
        self.context.server()
    }

    /// The URI that is read.
    pub fn uri(&self) -> &str {
        self.context.uri()
    }
}

/// Checks that the caller in `extensions` may use the declaration, and records a refusal. A tool or
/// prompt is checked by its declared name, not by the name in the call, so that a route that is
/// mounted under another name keeps its rule.
fn check(
    declared: &Declaration,
    name: &str,
    arguments: Option<&JsonObject>,
    extensions: &Extensions,
) -> Result<(), ErrorData> {
    let feature = declared.feature();
    let unauthenticated = || {
        recorder(extensions).unauthenticated_use(feature, declared.name());
        let refusal = Refusal::unauthenticated(feature, declared.name(), declared.scopes());
        Err(refusal.into_error_with_challenge())
    };
    let Some(caller) = caller_of(extensions) else { return unauthenticated() };
    let nothing = JsonObject::new();
    let operation = Operation::new(feature, name).with_arguments(arguments.unwrap_or(&nothing));
    let decision = caller.may(operation);
    let is_own = |rule: &Rule| feature != Feature::Resource || rule.name() == declared.name();
    if let Decision::Allow(rule) = decision
        && is_own(rule)
    {
        return check_names(declared, rule, arguments);
    }
    let Some(caller) = caller.principal() else { return unauthenticated() };
    let (refusal, rule) = match decision {
        Decision::Allow(rule) => {
            (Refusal::without_policy(feature, declared.name(), caller), Some(rule))
        }
        Decision::Deny(denial) => (
            Refusal::insufficient_scope(feature, declared.name(), &denial, caller),
            Some(denial.rule()),
        ),
        Decision::Unknown => (Refusal::without_policy(feature, declared.name(), caller), None),
    };
    let denied = Denied {
        feature,
        name: declared.name(),
        rule,
        missing: &refusal.missing,
        conditions: None,
    };
    recorder(extensions).denied(caller, denied, None);
    Err(refusal.into_error_with_challenge())
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
            let mut message = format!(
                "{} takes no argument {}",
                declared.name(),
                // The name is the caller's own text, so it is cut and shown as one thing.
                in_backticks(&name[..name.floor_char_boundary(LONGEST_SHOWN_ARGUMENT)])
            );
            let known = schema.get("properties").and_then(serde_json::Value::as_object);
            let known = known.into_iter().flat_map(|all| all.keys().map(String::as_str));
            if let Some(right) = nearest(name, known).filter(|_| arguments.contains_key(name)) {
                message += &format!(": did you mean `{right}`?");
            }
            Err(ErrorData::invalid_params(message, None))
        }
    }
}

/// The JSON Schema of a prompt's arguments, which are all strings.
pub fn prompt_arguments(arguments: Option<Vec<PromptArgument>>) -> Arc<JsonObject> {
    let arguments = arguments.unwrap_or_default();
    let required = arguments.iter().filter(|argument| argument.required == Some(true));
    Arc::new(strings(
        arguments.iter().map(|argument| &*argument.name),
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
