//! Writes a first policy, and tests of it, from what the code declares.

use std::collections::BTreeMap;

use toml_edit::{Array, Value};

use crate::{
    CompiledPolicy, Declaration, Feature, Operation, Registry, ResourceUrl,
    diagnostic::{Diagnostic, Diagnostics, Source},
    format,
    lint::{self, LintInputs, Stage, rule_as_declared},
    title_for,
    toml_key::toml_key,
};

/// At most this many tests are written, one for each set of scopes, so that a person can read them.
const MOST_TESTS: usize = 12;
/// How often the policy is linted again, because an `allow` can uncover another finding.
const PASSES: usize = 8;
/// The reason that is written beside a finding about what the code declares.
const REASON: &str = "as the code declares it: review this";

/// A first policy, and tests of it.
///
/// ```
/// use scopeward_policy::{Registry, ResourceUrl, init::{FirstPolicy, NoFirstPolicy, first_policy}};
///
/// fn write(declared: &Registry, url: &ResourceUrl) -> std::io::Result<()> {
///     match first_policy(declared, url, Some("keycloak")) {
///         Ok(FirstPolicy { policy, tests }) => {
///             std::fs::write("policy.toml", policy)?;
///             std::fs::write("policy.test.toml", tests)
///         }
///         Err(NoFirstPolicy { found, .. }) => Err(std::io::Error::other(found.render(false))),
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstPolicy {
    /// The text of `policy.toml`.
    pub policy: String,
    /// The text of `policy.test.toml`.
    pub tests: String,
}

/// Why no policy could be written: the declarations contradict each other, as two resources do that
/// one URI matches.
#[derive(Debug)]
pub struct NoFirstPolicy {
    /// The findings about the policy that the declarations would need.
    pub found: Diagnostics,
}

/// The lints that are silenced at an entry of the policy, by table and name.
type Allowed = BTreeMap<(String, String), Vec<&'static str>>;

/// Writes a policy with a rule for everything that is declared, at exactly the declared scopes, and
/// tests of it. `policy lint` has no finding about it, and its tests pass.
///
/// ```
/// use scopeward_policy::{Declaration, Feature, Location, Registry, ResourceUrl, init};
///
/// static DECLARED: [Declaration; 1] = [
///     Declaration::new(Feature::Tool, "add", &["note:write"], &[], Location::new("src/a.rs", 1, 1)),
/// ];
/// let url = ResourceUrl::parse("http://localhost:3002/mcp")?;
/// let first = init::first_policy(&Registry::new(&DECLARED), &url, None).unwrap();
/// assert!(first.policy.contains("add = { write = \"note\" }"));
/// assert!(first.policy.contains("\"note:write\" = \"Create and change notes\""));
/// # Ok::<(), scopeward_policy::ResourceUrlError>(())
/// ```
///
/// # Errors
///
/// The findings, if no policy suits the declarations.
pub fn first_policy(
    registry: &Registry,
    url: &ResourceUrl,
    provider: Option<&str>,
) -> Result<FirstPolicy, NoFirstPolicy> {
    let inputs = LintInputs { registry, snapshot: None, now: std::time::UNIX_EPOCH };
    let mut allowed = Allowed::new();
    let mut pass = 0;
    loop {
        let text = policy(registry, url, provider, &allowed);
        let source = Source::new("policy.toml", text);
        let examined = lint::examine(&source, &inputs, Stage::Advice);
        match examined.policy {
            Some(policy) if examined.found.iter().all(is_about_provider) => {
                let tests = tests(registry, &policy);
                return Ok(FirstPolicy { policy: source.text().to_owned(), tests });
            }
            _ => {}
        }
        pass += 1;
        if pass > PASSES || !allow(&examined.found, &mut allowed) {
            return Err(NoFirstPolicy { found: examined.found });
        }
    }
}

/// Whether a finding is about the provider, which a first policy leaves to its reader.
fn is_about_provider(finding: &Diagnostic) -> bool {
    finding.kind().is_called("provider-setup") || finding.kind().is_called("provider-sign-in")
}

/// Allows each finding at its entry; `false` if one cannot be allowed.
fn allow(found: &Diagnostics, allowed: &mut Allowed) -> bool {
    found.iter().all(|finding| {
        let can_be = lint::find(finding.kind().id).is_some_and(|lint| !lint.is_fixed());
        let Some((table, name)) = finding.entry().filter(|_| can_be) else { return false };
        let lints = allowed.entry((table.to_owned(), name.to_owned())).or_default();
        let is_new = !lints.contains(&finding.kind().name);
        if is_new {
            lints.push(finding.kind().name);
        }
        is_new
    })
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn policy(
    registry: &Registry,
    url: &ResourceUrl,
    provider: Option<&str>,
    allowed: &Allowed,
) -> String {
    let mut text = format!(
        "# Who may call which tool. Written from what the code declares: review each rule.\n\
         version = 1\n\n[server]\nurl = {}\n",
        quoted(url.as_str())
    );
    match provider {
        Some(word) => text += &format!("provider = {}\n", quoted(word)),
        None => {
            text +=
                "# provider = \"…\"  # who issues the tokens: `provider list` shows the words\n";
        }
    }
    text +=
        "\n# The vocabulary. People read the titles when they are asked to consent.\n[scopes]\n";
    let mut titles: Vec<String> = vec![];
    for scope in scopes(registry) {
        let mut title = title_for(scope);
        if titles.contains(&title) {
            title = format!("{title} ({scope})");
        }
        let value = match allow_of(allowed, "scopes", scope) {
            Some(allow) => format!("{{ title = {}, {allow} }}", quoted(&title)),
            None => quoted(&title),
        };
        text += &format!("{} = {value}\n", toml_key(scope));
        titles.push(title);
    }
    for feature in Feature::ALL {
        let mut declared = registry.of(feature).peekable();
        if declared.peek().is_none() {
            continue;
        }
        let table = feature.table();
        text += &format!("\n# One rule for each {feature}.\n[{table}]\n");
        for one in declared {
            let rule = rule_as_declared(one);
            let rule = match allow_of(allowed, table, one.name()) {
                Some(allow) => format!("{}, {allow} }}", rule.trim_end_matches(" }")),
                None => rule,
            };
            text += &format!("{} = {rule}\n", toml_key(one.name()));
        }
    }
    // A text that could not be formatted would have a mistake, which the lint then reports.
    format::format(&text).unwrap_or(text)
}

fn allow_of(allowed: &Allowed, table: &str, name: &str) -> Option<String> {
    let lints = allowed.get(&(table.to_owned(), name.to_owned()))?;
    let reasons: Vec<String> =
        lints.iter().map(|lint| format!("{lint} = {}", quoted(REASON))).collect();
    Some(format!("allow = {{ {} }}", reasons.join(", ")))
}

/// Every declared scope once, in the order of the declarations.
fn scopes(registry: &Registry) -> Vec<&'static str> {
    let mut scopes: Vec<&str> = vec![];
    for one in registry.all() {
        for scope in one.scopes().iter().chain(one.optional()) {
            if !scopes.contains(scope) {
                scopes.push(scope);
            }
        }
    }
    scopes
}

/// A test for a caller without scopes, and one for each set of scopes that a declaration names.
fn tests(registry: &Registry, policy: &CompiledPolicy) -> String {
    let mut text =
        "# What callers with some scopes can and cannot use. `policy test` runs these tests.\n"
            .to_owned();
    let mut sets: Vec<Vec<&str>> = vec![vec![]];
    for one in registry.all() {
        let mut set = one.scopes().to_vec();
        set.sort_unstable();
        set.dedup();
        if !sets.contains(&set) && sets.len() < MOST_TESTS {
            sets.push(set);
        }
    }
    if registry.all().is_empty() {
        return text;
    }
    for set in sets {
        let name = match set.as_slice() {
            [] => "a caller without scopes".to_owned(),
            some => format!("a caller with {}", some.join(" and ")),
        };
        let scopes = list(&set);
        text += &format!("\n[[test]]\nname = {}\nscopes = {scopes}\n", quoted(&name));
        for feature in Feature::ALL {
            let held = policy.hold(set.iter().copied());
            let (can, cannot): (Vec<&Declaration>, Vec<&Declaration>) =
                registry.of(feature).partition(|one| {
                    policy.decide(Operation::new(feature, one.name()), &held).is_allow()
                });
            let (can_key, cannot_key) = match feature {
                Feature::Tool => ("can", "cannot"),
                Feature::Resource => ("can_read", "cannot_read"),
                Feature::Prompt => ("can_get", "cannot_get"),
            };
            for (key, tried) in [(can_key, can), (cannot_key, cannot)] {
                if !tried.is_empty() {
                    let names: Vec<&str> = tried.iter().map(|one| one.name()).collect();
                    text += &format!("{key} = {}\n", list(&names));
                }
            }
        }
    }
    text
}

fn list(items: &[&str]) -> String {
    items.iter().copied().collect::<Array>().to_string()
}

#[cfg(test)]
#[path = "init/tests.rs"]
mod of_any_registry;
