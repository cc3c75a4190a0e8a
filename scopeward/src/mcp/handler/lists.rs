//! The lists of each caller, which follow the same decision that a use would get.

use std::time::Duration;

use rmcp::model::{MetaObject, Prompt, Resource, ResourceTemplate, Tool};
use serde_json::Value;

use super::McpHandler;
use crate::{
    identity::{Caller, expiry::lifetime},
    mcp::{ScopedTools, security_schemes},
    policy::{Decision, Denial, Feature, ListMode, Operation, Scope},
};

/// The `_meta` key under which a listed tool, resource or prompt names the scopes that the caller
/// still needs.
///
/// ```
/// use scopeward::{mcp::handler::REQUIRED_SCOPES_META, rmcp::model::Tool};
///
/// /// The scopes that the caller still needs for a listed tool.
/// fn missing(tool: &Tool) -> Option<&serde_json::Value> {
///     tool.meta.as_ref()?.get(REQUIRED_SCOPES_META)
/// }
/// ```
pub const REQUIRED_SCOPES_META: &str = "scopeward/required_scopes";

/// How long a client may cache a list: one minute, so that a change of the policy is seen soon.
const FRESH: Duration = Duration::from_mins(1);

/// How long a caller may cache a list, in milliseconds: never beyond the expiry of its token.
pub(super) fn time_to_live(caller: Caller<'_>) -> u64 {
    let lifetime = caller.principal().map_or(FRESH, lifetime);
    u64::try_from(FRESH.min(lifetime).as_millis()).unwrap_or(0)
}

impl<S: ScopedTools> McpHandler<S> {
    /// The tools in the order of their names.
    pub(super) fn tools(&self, caller: Option<Caller<'_>>) -> Vec<Tool> {
        let (all, _) = &self.inner.listed;
        let mut tools = show(all, Feature::Tool, caller, |tool| &tool.name, |tool| &mut tool.meta);
        if let Some(caller) = caller {
            for tool in &mut tools {
                let (key, schemes) = security_schemes::of_tool(caller.policy(), &tool.name);
                tool.meta.get_or_insert_with(MetaObject::default).insert(key, schemes);
            }
        }
        tools
    }

    /// The resources in the order of their URIs.
    pub(super) fn resources(&self, caller: Option<Caller<'_>>) -> Vec<Resource> {
        let all = self.inner.resources.all().into_iter().filter(|route| !route.is_template());
        let all: Vec<_> = all.map(crate::mcp::ResourceRoute::listed).collect();
        show(&all, Feature::Resource, caller, |one| &one.uri, |one| &mut one.meta)
    }

    /// The resource templates in the order of their URI templates.
    pub(super) fn templates(&self, caller: Option<Caller<'_>>) -> Vec<ResourceTemplate> {
        let all = self.inner.resources.all().into_iter().filter(|route| route.is_template());
        let all: Vec<_> = all.map(crate::mcp::ResourceRoute::listed_template).collect();
        show(&all, Feature::Resource, caller, |one| &one.uri_template, |one| &mut one.meta)
    }

    /// The prompts in the order of their names.
    pub(super) fn prompts(&self, caller: Option<Caller<'_>>) -> Vec<Prompt> {
        let (_, all) = &self.inner.listed;
        show(all, Feature::Prompt, caller, |prompt| &prompt.name, |prompt| &mut prompt.meta)
    }
}

/// Copies the items of `all` that the caller is shown, and no others, because copies cost time.
fn show<T: Clone>(
    all: &[T],
    feature: Feature,
    caller: Option<Caller<'_>>,
    name: impl Fn(&T) -> &str,
    meta: impl Fn(&mut T) -> &mut Option<MetaObject>,
) -> Vec<T> {
    let Some(caller) = caller else { return vec![] };
    let listed = |one| Operation::new(feature, name(one)).for_some_arguments();
    let shown = all.iter().filter_map(|one| match visibility(listed(one), caller) {
        Visibility::None => None,
        Visibility::Full => Some(one.clone()),
        Visibility::Needing(scopes) => {
            let mut one = one.clone();
            let meta = meta(&mut one).get_or_insert_with(MetaObject::default);
            meta.insert(REQUIRED_SCOPES_META.to_owned(), scopes);
            Some(one)
        }
    });
    shown.collect()
}

/// The way in which a caller's list shows a tool, a resource or a prompt.
#[derive(Debug)]
pub(super) enum Visibility {
    /// The item is left out.
    None,
    /// The item is shown, because the caller may use it.
    Full,
    /// The item is shown with the scopes that the caller still needs.
    Needing(Value),
}

pub(super) fn visibility(operation: Operation<'_>, caller: Caller<'_>) -> Visibility {
    let denial = match caller.may(operation) {
        Decision::Allow(_) => return Visibility::Full,
        Decision::Unknown => return Visibility::None,
        Decision::Deny(denial) => denial,
    };
    // Without a token no scopes can be asked for, so the list has what can be used and no more.
    let Some(principal) = caller.principal().filter(|_| !denial.rule().is_hidden()) else {
        return Visibility::None;
    };
    let shown: Option<Denial<'_>> = match caller.policy().list_mode() {
        ListMode::Callable => None,
        ListMode::StepUp => denial.by_step_up(principal.held()),
        ListMode::Reachable => caller.policy().is_reachable(denial.rule()).then_some(denial),
    };
    shown.map_or(Visibility::None, |shown| {
        Visibility::Needing(shown.required().map(Scope::as_str).collect())
    })
}
