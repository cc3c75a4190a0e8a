//! The startup check: do the annotated tools, the policy and the registered scopes agree?

use std::ops::Range;

use crate::{
    diagnostic::{Diagnostic, Diagnostics, Source, nearest},
    policy::{CompiledPolicy, Draft, Rule, Scope},
    registry::{DeclaredTool, Registry},
};

/// Compiles the policy and checks it, in one go: everything that is wrong with the file and, as
/// far as it can be read, everything in which it disagrees with the tools.
///
/// # Errors
///
/// What is wrong with the file. What only disagrees is beside the policy: whether that stops the
/// start is for the caller to say.
pub fn compile(
    source: Source,
    registry: &Registry,
) -> Result<(CompiledPolicy, Diagnostics), Diagnostics> {
    let Draft { policy, unreadable, mut errors } = Draft::new(&source);
    let Some(policy) = policy else { return Err(Diagnostics::new(source, errors)) };
    if errors.is_empty() {
        let found = check(&policy, registry);
        return Ok((policy, found));
    }
    let is_unreadable = |tool: &str| unreadable.iter().any(|name| name.value == tool);
    errors.extend(tools(&policy, registry, is_unreadable));
    for name in unreadable.iter().filter(|name| registry.get(&name.value).is_none()) {
        errors.push(unknown_tool(&policy, registry, &name.value, name.span.clone()));
    }
    Err(Diagnostics::new(source, errors))
}

/// Everything that disagrees, in the order of `policy.toml`.
///
/// | code | what it means |
/// |---|---|
/// | `tool-without-policy` | a tool that nobody could call |
/// | `unknown-tool` | a rule for a tool that does not exist |
/// | `undeclared-scope` | a tool declares a scope that `[scopes]` does not define |
/// | `weakened` | a rule asks for less than the tool declares, without `relax` |
/// | `unregistered-scope` | a rule that no registered scope can meet: nobody could ever call the tool |
/// | `unused-scope` | a registered scope that nothing needs (a warning) |
pub fn check(policy: &CompiledPolicy, registry: &Registry) -> Diagnostics {
    let mut found = tools(policy, registry, |_| false);
    for tool in registry.tools() {
        undefined_scopes(policy, tool, &mut found);
    }
    for (name, rule) in policy.tools() {
        found.extend(unregistered(policy, name, rule));
    }
    found.extend(unused_scopes(policy, registry));
    Diagnostics::new(policy.source().clone(), found)
}

/// The tools of the registry against those of the policy, and the other way round.
fn tools(
    policy: &CompiledPolicy,
    registry: &Registry,
    is_unreadable: impl Fn(&str) -> bool,
) -> Vec<Diagnostic> {
    let mut found = vec![];
    for tool in registry.tools() {
        match policy.rule(tool.name()) {
            Some(rule) => found.extend(weakened(policy, tool, rule)),
            None if is_unreadable(tool.name()) => {}
            None => found.push(tool_without_policy(policy, tool)),
        }
    }
    for (name, rule) in policy.tools() {
        if registry.get(name).is_none() {
            found.push(unknown_tool(policy, registry, name, rule.span()));
        }
    }
    found
}

fn quoted(scopes: &[&str]) -> String {
    scopes.iter().map(|scope| format!("\"{scope}\"")).collect::<Vec<_>>().join(", ")
}

/// The shortest rule that asks for exactly `scopes`.
fn rule_for(scopes: &[&str]) -> String {
    match scopes {
        [] => "{ authenticated = true }".to_owned(),
        [one] => match one.rsplit_once(':') {
            Some((name, level @ ("read" | "write" | "admin"))) => {
                format!("{{ {level} = \"{name}\" }}")
            }
            _ => format!("{{ all_of = [\"{one}\"] }}"),
        },
        several => format!("{{ all_of = [{}] }}", quoted(several)),
    }
}

fn tool_without_policy(policy: &CompiledPolicy, tool: &DeclaredTool) -> Diagnostic {
    let name = tool.name();
    Diagnostic::error(
        "tool-without-policy",
        policy.tools_at(),
        format!("`[tools]` has no rule for the tool `{name}`, so nobody could call it"),
    )
    .note(format!("`{name}` is declared at {}", tool.location()))
    .help(format!("add it: `{name} = {}`", rule_for(tool.scopes())))
}

fn unknown_tool(
    policy: &CompiledPolicy,
    registry: &Registry,
    name: &str,
    at: Range<usize>,
) -> Diagnostic {
    let error = Diagnostic::error("unknown-tool", at, format!("there is no tool named `{name}`"));
    // A tool that has its rule already cannot be the one that was meant.
    let unruled =
        registry.tools().iter().map(DeclaredTool::name).filter(|t| policy.rule(t).is_none());
    match nearest(name, unruled) {
        Some(right) => error.label(format!("did you mean `{right}`?")),
        None => error.help("remove this line, or annotate the tool with `#[scoped_tool]`"),
    }
}

fn undefined_scopes(policy: &CompiledPolicy, tool: &DeclaredTool, found: &mut Vec<Diagnostic>) {
    for scope in tool.scopes().iter().chain(tool.optional()) {
        if policy.scope_id(scope).is_some() {
            continue;
        }
        let at = policy.rule(tool.name()).map_or_else(|| policy.tools_at(), Rule::span);
        let known = policy.scopes().iter().map(|scope| scope.name().as_str());
        let error = Diagnostic::error(
            "undeclared-scope",
            at,
            format!(
                "`{}` declares the scope `{scope}`, which `[scopes]` does not define",
                tool.name()
            ),
        )
        .note(format!("`{}` is declared at {}", tool.name(), tool.location()));
        found.push(match nearest(scope, known) {
            Some(right) => error.help(format!(
                "correct the declaration to `{right}`, or define it: `\"{scope}\" = \"What it allows\"`"
            )),
            None => error.help(format!("define it in `[scopes]`: `\"{scope}\" = \"What it allows\"`")),
        });
    }
}

/// A rule is weaker than its tool's declaration if some caller meets the rule without holding
/// every declared scope.
fn weakened(policy: &CompiledPolicy, tool: &DeclaredTool, rule: &Rule) -> Option<Diagnostic> {
    if rule.relax().is_some() {
        return None;
    }
    let lacking: Vec<&str> = tool
        .scopes()
        .iter()
        .copied()
        .filter(|declared| !policy.always_gives(rule, declared))
        .collect();
    if lacking.is_empty() {
        return None;
    }
    let needs = policy.describe(rule);
    Some(
        Diagnostic::error(
            "weakened",
            rule.span(),
            format!(
                "`{}` may be called without {}, which it declares",
                tool.name(),
                lacking.join(", ")
            ),
        )
        .label(format!("asks for {needs}"))
        .note(format!(
            "`{}` is declared at {} with {}",
            tool.name(),
            tool.location(),
            quoted(tool.scopes())
        ))
        .help(format!(
            "ask for it: `{} = {}`, or say why not: add `relax = \"the reason\"`",
            tool.name(),
            rule_for(tool.scopes())
        )),
    )
}

fn unregistered(policy: &CompiledPolicy, name: &str, rule: &Rule) -> Option<Diagnostic> {
    if policy.is_reachable(rule) {
        return None;
    }
    let missing = policy.unregistered_of(rule);
    let list = missing.iter().map(|scope| scope.as_str()).collect::<Vec<_>>();
    let mut error = Diagnostic::error(
        "unregistered-scope",
        rule.span(),
        format!(
            "nobody could ever call `{name}`: {} is not registered for this resource",
            list.join(", ")
        ),
    )
    .label(format!("asks for {}", policy.describe(rule)));
    if let Some(at) = policy.registered_at() {
        error = error.context(at, "the registered scopes");
    }
    Some(error.help(format!("add {} to `registered`, or change the rule", quoted(&list))))
}

fn unused_scopes(policy: &CompiledPolicy, registry: &Registry) -> Vec<Diagnostic> {
    let optional: Vec<&str> =
        registry.tools().iter().flat_map(|tool| tool.optional().iter().copied()).collect();
    let is_used = |scope: &Scope| {
        optional.contains(&scope.as_str())
            || policy.tools().any(|(_, rule)| policy.gains_from(rule, scope))
    };
    let unused = policy.registered_scopes().filter(|scope| !is_used(scope.name()));
    unused
        .map(|scope| {
            let message = format!("`{}` is registered, and nothing needs it", scope.name());
            Diagnostic::warning("unused-scope", scope.span(), message)
                .help("remove it, so that nobody is asked for it")
        })
        .collect()
}
