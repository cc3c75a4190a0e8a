//! The page of the providers, from their presets.

use std::collections::BTreeSet;

use crate::policy::{
    CompiledPolicy,
    diagnostic::Source,
    provider::{PRESETS, Preset},
};

const INTRODUCTION: &str = "\
# Providers

This page lists every provider that `provider` in `policy.toml` can name, and what the server \
knows of it; it is generated from the server's own tables.

`SERVER provider show NAME` prints the same. `provider = \"embedded\"` is the embedded issuer, for \
development on one machine; it needs no settings. A provider with `opaque = true` also needs \
[`INTROSPECTION_CLIENT_ID` and `INTROSPECTION_CLIENT_SECRET`](commands.md#environment-variables).
";

pub(super) fn page() -> String {
    let sections = PRESETS.iter().map(section);
    format!("{INTRODUCTION}{}", sections.collect::<String>())
}

fn section(preset: &Preset) -> String {
    let needed: String = needed(preset).iter().map(|what| format!("- {what}\n")).collect();
    let needed = if needed.is_empty() {
        "\nNothing else has to be set.\n"
    } else {
        &format!("\nNeeded:\n\n{needed}")
    };
    // The first line is the title and the word of the policy; the facts are below it.
    let shown = preset.to_string();
    let (_, facts) = shown.split_once("\n\n").unwrap_or_default();
    format!(
        "\n## {title}\n\n\
         ```toml\n[server]\nprovider = \"{word}\"\n```\n\
         {needed}\n\
         What the server knows of it:\n\n\
         {facts}",
        title = preset.title,
        word = preset.word,
        facts = facts.lines().map(fact).collect::<String>(),
    )
}

/// A line of `provider show`: a word, spaces, and the fact.
fn fact(line: &str) -> String {
    let line = line.trim_start();
    let (name, fact) = line.split_once("  ").unwrap_or((line, ""));
    format!("- **{name}**: {}\n", fact.trim_start())
}

/// The settings that the server asks for, one after the other until none is missing.
fn needed(preset: &Preset) -> Vec<String> {
    let mut needed = vec![];
    let mut lines = format!("provider = \"{}\"\n", preset.word);
    let mut variables = BTreeSet::new();
    loop {
        let text = format!("version = 1\n[server]\nurl = \"https://mcp.example/mcp\"\n{lines}");
        let policy = CompiledPolicy::compile(Source::new("policy.toml", text)).unwrap();
        let variable =
            |name: &str| variables.contains(name).then(|| "https://issuer.example".to_owned());
        let Err(faults) = policy.served_providers(&variable) else { return needed };
        let fault = &faults[0];
        let (_, what) = fault.message().split_once(" needs ").unwrap_or_default();
        needed.push(format!("{what}: {}", fault.help()));
        assert!(needed.len() < 9, "{} is never content: {needed:#?}", preset.title);
        if fault.help().contains("`issuer = ") {
            lines += "issuer = \"https://issuer.example\"\n";
        } else if fault.help().contains("`audience = ") {
            lines += "audience = \"a-client\"\n";
        } else {
            variables.extend(fault.missing_variable().map(str::to_owned));
        }
    }
}
