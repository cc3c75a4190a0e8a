//! The page of the commands, their options, and the environment variables.

use std::{collections::BTreeSet, fs, path::Path};

use clap::{Arg, Command};

const INTRODUCTION: &str = "\
# Commands and settings

This page lists every command, option and environment variable; it is generated from the command \
line's own definition.

Every server that is built with Scopeward has these commands. `SERVER` stands for its program: \
`cargo run --` for the todo server, from a checkout.
";

/// A setting that is read from the environment and has no option.
struct Setting {
    name: &'static str,
    /// Whether `NAME_FILE` may name a file that holds it.
    is_secret: bool,
    about: &'static str,
}

const fn setting(name: &'static str, about: &'static str) -> Setting {
    Setting { name, is_secret: false, about }
}

const fn secret(name: &'static str, about: &'static str) -> Setting {
    Setting { name, is_secret: true, about }
}

/// The settings that the sources ask for by name.
const SETTINGS: &[Setting] = &[
    setting("ISSUER_URL", "the provider's issuer, in place of `issuer` in the policy"),
    setting("SCALEKIT_ENVIRONMENT_URL", "Scalekit: the URL of the environment; required"),
    setting("SCALEKIT_RESOURCE_ID", "Scalekit: the id of the MCP server, `res_…`; required"),
    setting("SCALEKIT_CLIENT_ID", "Scalekit: the client that asks for the registered scopes"),
    secret("SCALEKIT_CLIENT_SECRET", "Scalekit: the secret of that client"),
    setting("INTROSPECTION_URL", "where opaque tokens are checked, if the metadata does not say"),
    setting("INTROSPECTION_CLIENT_ID", "the client that checks opaque tokens"),
    secret("INTROSPECTION_CLIENT_SECRET", "the secret of that client"),
    setting("DATABASE_URL", "the todo server only: its database, `sqlite://…`"),
];

/// The settings that libraries read.
const LIBRARY_SETTINGS: &[Setting] = &[
    setting("RUST_LOG", "what is logged, in the syntax of `tracing_subscriber`'s `EnvFilter`"),
    setting("HTTPS_PROXY", "the proxy for requests to providers; `NO_PROXY` lists the exceptions"),
    setting("NO_COLOR", "if it is set, the output has no colour"),
    setting(
        "FORCE_COLOR",
        "if it is set, the output has colour, in CI too; `CLICOLOR_FORCE` is the same",
    ),
];

pub(super) fn page() -> String {
    let mut root = crate::cli::command().name("SERVER").bin_name("SERVER");
    root.build();
    let mut page = format!("{INTRODUCTION}\n## Starting the server\n\n{}", usage(&root));
    page += "\nWithout a command the server starts, as with `serve`. An option belongs to the commands \
             that list it; before a command it means the same as behind it.\n";
    for command in root.get_subcommands() {
        page += &command_section(command, "");
    }
    page + &variables(&root)
}

fn command_section(command: &Command, path: &str) -> String {
    let path = format!("{path}{}", command.get_name());
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(|about| sentence(&about.to_string())).unwrap_or_default();
    let mut section = format!("\n## `{path}`\n\n{about}\n");
    if command.has_subcommands() {
        for inner in command.get_subcommands() {
            section += &command_section(inner, &format!("{path} "));
        }
        return section;
    }
    section += &format!("\n{}", usage(command));
    section += &options(command, |arg| arg.get_help_heading().is_none(), &path);
    let headings = command.get_arguments().filter_map(Arg::get_help_heading);
    let mut headings: Vec<&str> = headings.collect();
    headings.dedup();
    for heading in headings {
        section += &format!("\n### {heading}\n");
        section += &options(command, |arg| arg.get_help_heading() == Some(heading), &path);
    }
    section
}

fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    format!("```text\n{}\n```\n", usage.trim_start_matches("Usage: "))
}

/// A list of the options that `is_listed` takes. `command` keeps the anchors of two commands apart.
fn options(command: &Command, is_listed: impl Fn(&Arg) -> bool, path: &str) -> String {
    let listed = command.get_arguments().filter(|arg| !is_built_in(arg) && is_listed(arg));
    let lines: String = listed.map(|arg| option(arg, path)).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

fn is_built_in(arg: &Arg) -> bool {
    arg.is_hide_set() || ["help", "version"].contains(&arg.get_id().as_str())
}

fn option(arg: &Arg, path: &str) -> String {
    let help = arg.get_long_help().or(arg.get_help());
    let help = help.map(|help| sentence(&help.to_string())).unwrap_or_default();
    let mut line = format!("- <a id=\"{}\"></a>**`{}`**", anchor(arg, path), spelling(arg));
    if !help.is_empty() {
        line += &format!(": {help}");
    }
    if arg.get_action().takes_values() {
        let words: Vec<String> =
            arg.get_possible_values().iter().map(|v| format!("`{}`", v.get_name())).collect();
        if !words.is_empty() {
            line += &format!(" One of {}.", words.join(", "));
        }
        if let Some(default) = default(arg) {
            line += &format!(" Default: `{default}`.");
        }
    }
    if let Some(name) = arg.get_env() {
        line += &format!(" Environment: `{}`.", name.display());
    }
    line + "\n"
}

fn anchor(arg: &Arg, path: &str) -> String {
    let path = path.replace(' ', "-");
    let separator = if path.is_empty() { "" } else { "-" };
    format!("option-{path}{separator}{}", arg.get_long().unwrap_or(arg.get_id().as_str()))
}

/// An option as it is typed: `-n, --lines COUNT`.
fn spelling(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default();
    let value: Vec<&str> = values.iter().map(clap::builder::Str::as_str).collect();
    let value = if arg.get_action().takes_values() { value.join(" ") } else { String::new() };
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    format!("{} {value}", names.join(", ")).trim().to_owned()
}

fn default(arg: &Arg) -> Option<String> {
    Some(arg.get_default_values().first()?.to_string_lossy().into_owned())
}

/// clap's texts end without a full stop.
fn sentence(text: &str) -> String {
    let text = text.trim().replace('\n', " ").replace('<', "&lt;");
    if text.is_empty() || text.ends_with('.') { text } else { text + "." }
}

fn variables(root: &Command) -> String {
    let mut text = String::from(
        "\n## Environment variables\n\n\
         They are also read from a file named `.env` in the current folder or above it, each value \
         as it is written there. An empty variable counts as absent. A variable that is on or off \
         takes `1`, `yes`, `on` or `true`, and `0`, `no`, `off` or `false`.\n\n\
         | variable | option | default |\n|---|---|---|\n",
    );
    let serve = root.find_subcommand("serve");
    for arg in serve.into_iter().flat_map(Command::get_arguments) {
        let (Some(name), Some(long)) = (arg.get_env(), arg.get_long()) else { continue };
        let takes_value = arg.get_action().takes_values();
        let default = default(arg).filter(|_| takes_value);
        let default = default.map_or_else(String::new, |default| format!("`{default}`"));
        let (name, anchor) = (name.display(), anchor(arg, "serve"));
        text += &format!("| `{name}` | [`--{long}`](#{anchor}) | {default} |\n");
    }
    text += "\nThese have no option:\n\n| variable | meaning |\n|---|---|\n";
    for setting in SETTINGS.iter().chain(LIBRARY_SETTINGS) {
        text += &format!("| `{}` | {} |\n", setting.name, setting.about);
    }
    let secrets = SETTINGS.iter().filter(|setting| setting.is_secret);
    let secrets: Vec<String> = secrets.map(|setting| format!("`{}_FILE`", setting.name)).collect();
    text += &format!(
        "\nA secret can be in a file instead, which is read again each time the secret is needed: \
         {} name such a file. The secret of a `[[client]]` is in the variable that its \
         `secret_env` names, or in the file that this name with `_FILE` names.\n",
        secrets.join(" and ")
    );
    text
}

/// The names that the sources give to the functions that read a setting.
fn names_in_sources() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![here.join("src"), here.join("../server/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // This folder has the names, too, and reads none.
                if !path.ends_with("reference") {
                    folders.push(path);
                }
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            // Examples in documents read settings of their own.
            let is_code = |line: &&str| !line.trim_start().starts_with("///");
            let text: String = text.lines().filter(is_code).collect();
            for reads in ["variable(\"", "setting(\"", "env::var(\""] {
                let calls = text.split(reads).skip(1).filter_map(|rest| rest.split_once('"'));
                names.extend(calls.map(|(name, _)| name.to_owned()));
            }
        }
    }
    // The tests of `secret.rs` use the name `S`.
    names.retain(|name| name.len() > 1 && !name.contains(char::is_lowercase));
    names
}

#[test]
fn every_setting_is_in_the_table() {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for Setting { name, is_secret, .. } in SETTINGS {
        known.insert((*name).to_owned());
        if *is_secret {
            known.insert(format!("{name}_FILE"));
        }
    }
    let command = crate::cli::command();
    let serve = command.find_subcommand("serve");
    let options: BTreeSet<String> = serve
        .into_iter()
        .flat_map(Command::get_arguments)
        .filter_map(|arg| Some(arg.get_env()?.display().to_string()))
        .collect();
    let mut read = names_in_sources();
    read.extend(crate::policy::served::VARIABLES.map(str::to_owned));
    let missing: Vec<_> =
        read.iter().filter(|n| !known.contains(*n) && !options.contains(*n)).collect();
    assert!(missing.is_empty(), "`SETTINGS` lacks {missing:?}");
    let gone: Vec<_> =
        SETTINGS.iter().map(|setting| setting.name).filter(|name| !read.contains(*name)).collect();
    assert!(gone.is_empty(), "nothing reads {gone:?} any more");
}
