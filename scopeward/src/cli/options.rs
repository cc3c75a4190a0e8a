//! Which settings of a deployment each command has as options. An option stands where it works, and
//! only there.

use std::ffi::OsString;

use clap::{Arg, ArgMatches, Command};

use crate::serve::server_settings::ServerSettings;

/// The command that runs when none is named.
const DEFAULT: &str = "serve";

/// The options of the commands whose path begins with these words. `serve` has all of them.
const PLACES: &[(&[&str], &[&str])] = &[
    (&["policy", "init"], &["policy", "url", "port"]),
    (&["policy", "check"], &["policy", "data", "url", "port", "host"]),
    (&["policy", "show"], &["policy", "url", "port"]),
    (&["policy", "lint"], &["policy", "url", "port"]),
    (&["policy", "diff"], &["policy"]),
    (&["policy", "explain"], &["policy", "data", "url", "port", "max_key_age"]),
    (&["policy", "matrix"], &["policy", "url", "port"]),
    (&["policy", "test"], &["policy"]),
    (&["policy", "fmt"], &["policy"]),
    (&["policy", "status"], &["policy", "url", "port", "monitor"]),
    (&["resource"], &["policy", "url", "port"]),
    (&["health"], &["monitor"]),
    (&["audit"], &["data"]),
    (&["revocation"], &["data"]),
    (&["doctor"], &["policy", "data", "url", "port", "max_key_age"]),
    (&["token"], &["policy", "data", "url", "port"]),
];

/// Scopeward's commands that have none of these options.
const NONE: &[&[&str]] = &[&["policy", "schema"], &["provider"]];

/// The option that each command of Scopeward has, because each writes text.
fn colour() -> Arg {
    Arg::new("color")
        .long("color")
        .value_name("WHEN")
        .value_parser(["auto", "always", "never"])
        .default_value("auto")
        .help("Whether the output has colours; `auto` is by FORCE_COLOR, NO_COLOR and the terminal")
}

/// When the output has colours, by the option of the command that was named.
pub(super) fn chosen_colour(given: &ArgMatches) -> Option<&str> {
    given.try_get_one::<String>("color").ok().flatten().map(String::as_str)
}

/// The options of a command of Scopeward.
fn options_of(path: &[&str]) -> Vec<&'static str> {
    let begins = |with: &[&str]| path.starts_with(with);
    if let Some((_, options)) = PLACES.iter().find(|(with, _)| begins(with)) {
        return options.to_vec();
    }
    vec![]
}

/// Whether a command is Scopeward's. An author's own command gets the environment, which has the data
/// folder, and it writes its output itself.
fn is_ours(path: &[&str]) -> bool {
    let places = PLACES.iter().map(|(with, _)| with);
    path == [DEFAULT] || places.chain(NONE).any(|with| path.starts_with(with))
}

/// The command line with the options of each command.
pub(super) fn placed(root: Command) -> Command {
    place(root, &mut vec![])
}

fn place(command: Command, path: &mut Vec<String>) -> Command {
    let inner: Vec<String> =
        command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    if inner.is_empty() {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let is_serve = words == [DEFAULT];
        let is_ours = is_ours(&words);
        let wanted = if is_ours { options_of(&words) } else { vec!["data"] };
        let options = ServerSettings::arguments().into_iter();
        let options =
            options.filter(|option| is_serve || wanted.contains(&option.get_id().as_str()));
        return command.args(options).args(is_ours.then(colour));
    }
    inner.into_iter().fold(command, |command, name| {
        path.push(name.clone());
        let command = command.mut_subcommand(name, |inner| place(inner, path));
        path.pop();
        command
    })
}

/// The command line with the variables in the help alone, because clap would take an empty variable
/// for a value, and name the option for a wrong one.
pub(super) fn without_variables(command: Command) -> Command {
    let command = command.mut_args(|argument| {
        let Some(variable) = argument.get_env().map(|name| name.to_string_lossy().into_owned())
        else {
            return argument;
        };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let long = argument.get_long_help().map(|help| format!("{help} [env: {variable}]"));
        let argument = argument.help(format!("{help} [env: {variable}]")).env(None);
        match long {
            Some(long) => argument.long_help(long),
            None => argument,
        }
    });
    let inner: Vec<String> =
        command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    inner.into_iter().fold(command, |command, name| command.mut_subcommand(name, without_variables))
}

/// The arguments with options before a command moved behind it, where they belong, and with the
/// command that runs when none is named.
pub(super) fn ordered(
    root: &Command,
    arguments: impl IntoIterator<Item = OsString>,
) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let mut line: Vec<OsString> = arguments.next().into_iter().collect();
    let given: Vec<OsString> = arguments.collect();
    let known: Vec<Arg> = ServerSettings::arguments().into_iter().chain([colour()]).collect();
    let takes_value = |word: &str| {
        let named = |argument: &&Arg| {
            argument.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long))
        };
        known.iter().find(named).is_some_and(|argument| argument.get_action().takes_values())
    };
    let mut at = root;
    let mut moved = vec![];
    let mut next = 0;
    while at.has_subcommands() {
        let Some(word) = given.get(next) else { break };
        let text = word.to_string_lossy();
        if ["-h", "--help", "-V", "--version", "--"].contains(&&*text) {
            break;
        }
        if text.starts_with('-') {
            let values = usize::from(takes_value(&text));
            moved.extend(given.iter().skip(next).take(1 + values).cloned());
            next += 1 + values;
        } else if let Some(inner) = at.find_subcommand(&*text) {
            line.push(word.clone());
            at = inner;
            next += 1;
        } else {
            break;
        }
    }
    let rest = given.get(next..).unwrap_or_default();
    if at.get_name() == root.get_name() && rest.is_empty() {
        line.push(DEFAULT.into());
    }
    line.extend(moved);
    line.extend(rest.iter().cloned());
    line
}

/// The options and arguments of the command that was named.
pub(super) fn of_the_command(matches: &ArgMatches) -> &ArgMatches {
    let mut here = matches;
    while let Some((_, inner)) = here.subcommand() {
        here = inner;
    }
    here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_before_a_command_belong_to_it() {
        let root = crate::cli::command();
        for (given, expected) in [
            (&[][..], &["serve"][..]),
            (&["--max-body", "100"], &["serve", "--max-body", "100"]),
            (&["--policy", "a", "policy", "lint"], &["policy", "lint", "--policy", "a"]),
            (
                &["policy", "--policy=a", "lint", "--fix"],
                &["policy", "lint", "--policy=a", "--fix"],
            ),
            (&["--sessions", "serve"], &["serve", "--sessions"]),
            (&["--help"], &["--help"]),
            (&["policy", "--help"], &["policy", "--help"]),
            (&["polcy", "lint"], &["polcy", "lint"]),
        ] {
            let line = ["todo"].iter().chain(given).map(OsString::from);
            let line = ordered(&root, line);
            assert_eq!(line[1..], expected.iter().map(OsString::from).collect::<Vec<_>>()[..]);
        }
    }

    #[test]
    fn each_place_is_that_of_a_command_and_each_option_is_one() {
        let root = crate::cli::command();
        let known = ServerSettings::arguments();
        let is_command = |path: &&[&str]| {
            let mut at = Some(&root);
            for name in *path {
                at = at.and_then(|command| command.find_subcommand(name));
            }
            at.is_some()
        };
        assert!(PLACES.iter().map(|(path, _)| path).chain(NONE).all(is_command));
        for option in PLACES.iter().flat_map(|(_, options)| *options) {
            assert!(known.iter().any(|argument| argument.get_id() == option), "{option}");
        }
    }
}
