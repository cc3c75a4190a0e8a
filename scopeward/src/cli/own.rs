//! The author's own commands and settings, beside those of Scopeward.

use std::{error::Error, ffi::OsString, fmt};

use clap::{Arg, ArgMatches, Command, value_parser};

use super::Failure;
use crate::serve::{Environment, StartError};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;
type Run = dyn FnOnce(Environment, Vec<OsString>) -> Outcome;

/// The name of the arguments of an own command, which clap passes on as they are.
const ARGUMENTS: &str = "arguments";

/// A command of the author.
pub(super) struct OwnCommand {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) run: Box<Run>,
}

impl fmt::Debug for OwnCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnCommand").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A setting of the author, which stands in `--help` and in `doctor`.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnSetting {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
}

/// Adds the author's commands and settings to the command line.
///
/// # Errors
///
/// A command whose name is taken already.
pub(super) fn add(
    mut command: Command,
    commands: &[OwnCommand],
    settings: &[OwnSetting],
    after_help: &str,
) -> Result<Command, Failure> {
    for own in commands {
        if command.get_subcommands().any(|known| known.get_name() == own.name) {
            return Err(Failure::refused(format!(
                "the program has two commands `{}`\n  = help: give its own one another name",
                own.name
            )));
        }
        let rest = Arg::new(ARGUMENTS)
            .num_args(0..)
            .trailing_var_arg(true)
            .allow_hyphen_values(true)
            .value_parser(value_parser!(OsString));
        command = command.subcommand(Command::new(own.name).about(own.about).arg(rest));
    }
    if settings.is_empty() {
        return Ok(command);
    }
    let width = settings.iter().map(|setting| setting.name.len()).max().unwrap_or_default();
    let lines: Vec<String> =
        settings.iter().map(|one| format!("  {:width$}  {}", one.name, one.help)).collect();
    let own = format!("Settings of this server, from the environment:\n{}\n\n", lines.join("\n"));
    Ok(command.after_help(own + after_help))
}

/// The own command that was asked for, with its arguments.
pub(super) fn chosen(
    commands: Vec<OwnCommand>,
    matches: &ArgMatches,
) -> Option<(OwnCommand, Vec<OsString>)> {
    let (name, matches) = matches.subcommand()?;
    let own = commands.into_iter().find(|own| own.name == name)?;
    let rest = matches.get_many::<OsString>(ARGUMENTS).into_iter().flatten().cloned().collect();
    Some((own, rest))
}

/// Runs an own command.
pub(super) fn run(
    (command, arguments): (OwnCommand, Vec<OsString>),
    environment: Environment,
) -> Result<(), Failure> {
    (command.run)(environment, arguments).map_err(|error| StartError::by_author(error).into())
}
