//! Policies of any size, and the tools that they govern.

use std::fmt::Write;

use scopeward::{
    Declaration, Location, Registry,
    policy::{
        CompiledPolicy, Feature,
        diagnostic::{Diagnostics, Source},
    },
};

/// The number of scopes in a large policy.
pub const SCOPES: usize = 1_000;

/// The text of a policy with this many tools. A tenth of its scopes imply another scope. With
/// `changed`, every tenth tool has another rule, and one scope implies a different scope.
pub fn text(tools: usize, changed: bool) -> String {
    let scopes = SCOPES.min(tools);
    let mut text = "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n".to_owned();
    for n in 0..scopes {
        let implies = match n {
            _ if n % 10 == 9 => format!(", implies = [\"s{}:read\"]", n - 1),
            1 if changed => ", implies = [\"s0:read\"]".to_owned(),
            _ => String::new(),
        };
        let level = level(n);
        let _ = writeln!(text, "\"s{n}:{level}\" = {{ title = \"Scope {n}\"{implies} }}");
    }
    text += "[tools]\n";
    for n in 0..tools {
        let scope = n % scopes;
        let level = level(scope);
        let other = (scope + 2) % scopes;
        let both = format!("[\"s{scope}:{level}\", \"s{other}:{level}\"]");
        let rule = match n % 10 {
            5 if changed => format!("any_of = {both}"),
            7 => format!("all_of = {both}"),
            _ => format!("{level} = \"s{scope}\""),
        };
        let _ = writeln!(text, "tool_{n} = {{ {rule} }}");
    }
    text
}

fn level(scope: usize) -> &'static str {
    ["read", "write"][scope % 2]
}

/// The tools of [`text`], as a registry. Its memory is never freed, because the registry of a real
/// server is a constant.
pub fn registry(tools: usize) -> Registry {
    let scopes = SCOPES.min(tools);
    let declared: Vec<Declaration> = (0..tools)
        .map(|n| {
            let scope = n % scopes;
            let scope: &'static str = format!("s{scope}:{}", level(scope)).leak();
            let reads = scope.ends_with(":read");
            let scopes: &'static [&'static str] = vec![scope].leak();
            let name: &'static str = format!("tool_{n}").leak();
            Declaration::new(Feature::Tool, name, scopes, &[], Location::new("src/tools.rs", 1, 1))
                .with_hints(Some(reads), Some(false))
        })
        .collect();
    Registry::new(declared.leak())
}

/// Compiles the text of a policy.
pub fn compile(text: &str) -> Result<CompiledPolicy, Diagnostics> {
    CompiledPolicy::compile(Source::new("policy.toml", text))
}
