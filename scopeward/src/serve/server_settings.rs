//! All settings of a server, each from an option of the command line or from a variable.

use std::{
    env,
    error::Error,
    ffi::{OsStr, OsString},
};

use clap::{
    Arg, ArgMatches, CommandFactory, FromArgMatches, Parser,
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};

use super::{StartError, deployment::Deployment, given::GivenSettings, options::Options};

/// The settings of a deployment and those of serving.
#[derive(Debug, Parser)]
#[command(name = "settings", no_binary_name = true, disable_help_flag = true)]
pub(crate) struct ServerSettings {
    #[command(flatten)]
    pub(crate) deployment: Deployment,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// The words of a variable that is on or off, in any case.
const ON: [&str; 5] = ["1", "true", "yes", "on", "y"];
const OFF: [&str; 5] = ["0", "false", "no", "off", "n"];

impl ServerSettings {
    /// The options of all settings, with their variables.
    pub(crate) fn arguments() -> Vec<Arg> {
        Self::command().get_arguments().cloned().collect()
    }

    /// The settings: each by the option in `given`, or by its variable, or by default. An empty
    /// variable counts as absent.
    ///
    /// # Errors
    ///
    /// A value that cannot be read. The message names the variable if the value is a variable's.
    pub(crate) fn read(given: Option<&ArgMatches>) -> Result<Self, StartError> {
        let mut line = vec![];
        let mut by_variable = vec![];
        let mut all_given = GivenSettings::default();
        for argument in Self::arguments() {
            let option = format!("--{}", argument.get_long().unwrap_or_default());
            if let Some(values) = given.and_then(|given| on_command_line(given, &argument)) {
                let takes_value = argument.get_action().takes_values();
                let last = values.last().map(|last| last.to_string_lossy().into_owned());
                all_given.add(argument.get_id().as_str(), option.clone(), last.unwrap_or_default());
                let values = values.iter().map(|value| with_value(&option, value));
                line.extend(if takes_value { values.collect() } else { vec![option.into()] });
                continue;
            }
            let Some(name) = argument.get_env().map(|name| name.to_string_lossy().into_owned())
            else {
                continue;
            };
            let Some(value) = env::var_os(&name).filter(|value| !value.is_empty()) else {
                continue;
            };
            if argument.get_action().takes_values() {
                let text = value.to_string_lossy().into_owned();
                all_given.add(argument.get_id().as_str(), name.clone(), text);
                line.push(with_value(&option, &value));
            } else if is_on(&name, &value)? {
                line.push(option.clone().into());
            }
            by_variable.push((option, name));
        }
        // The variables are on the line already, and an empty one would be read as a value.
        let command = Self::command().mut_args(|argument| argument.env(None));
        let matches = command.try_get_matches_from(line);
        let mut settings = matches
            .and_then(|matches| Self::from_arg_matches(&matches))
            .map_err(|error| refused(&error, &by_variable))?;
        settings.deployment.given = all_given;
        Ok(settings)
    }
}

/// The values of an option that was given on the command line.
fn on_command_line(given: &ArgMatches, argument: &Arg) -> Option<Vec<OsString>> {
    let id = argument.get_id().as_str();
    let values = given.try_get_raw(id).ok().flatten()?;
    let is_given = given.value_source(id) == Some(ValueSource::CommandLine);
    is_given.then(|| values.map(OsStr::to_owned).collect())
}

fn with_value(option: &str, value: &OsStr) -> OsString {
    let mut word = OsString::from(format!("{option}="));
    word.push(value);
    word
}

/// Whether a variable that is on or off is on.
fn is_on(name: &str, value: &OsStr) -> Result<bool, StartError> {
    let word = value.to_string_lossy().to_ascii_lowercase();
    if ON.contains(&word.as_str()) {
        return Ok(true);
    }
    if OFF.contains(&word.as_str()) {
        return Ok(false);
    }
    Err(StartError::refused(format!(
        "{name} is \"{}\", and can be on (1, yes, on, true) or off (0, no, off, false)",
        value.to_string_lossy()
    )))
}

/// clap's message, about the variable from which the value came.
fn refused(error: &clap::Error, by_variable: &[(String, String)]) -> StartError {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let variable = |argument: &str| {
        let option = argument.split([' ', '=']).next().unwrap_or(argument);
        by_variable.iter().find(|(known, _)| known == option).map(|(_, name)| name.as_str())
    };
    let wrong = context(ContextKind::InvalidArg).and_then(variable);
    if let (Some(name), ErrorKind::ValueValidation | ErrorKind::InvalidValue) =
        (wrong, error.kind())
    {
        let value = context(ContextKind::InvalidValue).unwrap_or_default();
        let why = error.source().map_or_else(String::new, |why| format!(": {why}"));
        return StartError::refused(format!("{name} is \"{value}\"{why}"));
    }
    // Without the usage of a command line that nobody wrote.
    let text = error.to_string();
    let text = text.trim_start_matches("error: ");
    let mut text = text.split("\n\n").next().unwrap_or(text).trim_end().to_owned();
    if let Some(name) = wrong
        && let Some(argument) = context(ContextKind::InvalidArg)
    {
        text = text.replace(argument, name);
    }
    StartError::refused(text)
}
