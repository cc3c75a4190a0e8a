//! The program of a server: its command line, with what the author adds.

use std::{error::Error, ffi::OsString, process::ExitCode};

use axum::Router;
use clap::{CommandFactory, FromArgMatches};

use super::{
    AFTER_HELP, Cli, Command, FAILED, Failure, REFUSED, Verdict, audit, doctor, env_file, health,
    options, output,
    own::{self, OwnCommand, OwnSetting},
    policy, provider, resource, revocation,
    serve::{self, Additions},
    token,
};
use crate::{
    identity::provider::CustomProvider,
    mcp::ScopedTools,
    serve::{Environment, Opened, server_settings::ServerSettings},
};

/// Runs the program of a server, as the body of its `main`. Its commands are `serve`, `policy lint`
/// (and `diff`, `explain`, `matrix`, `test`, `fmt`, …), `resource pull`, `provider list`, `audit tail`,
/// `revocation add`, `doctor` and `token`.
///
/// `tools` is a value, or a function that opens one; only `serve` calls that function. [`App`] adds a
/// title, routes, commands and settings.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use scopeward::scoped_tools;
///
/// struct Clock;
///
/// #[scoped_tools]
/// impl Clock {
///     /// The time, in seconds since 1970.
///     #[scoped_tool(scopes = ["clock:read"])]
///     fn now(&self) -> String {
///         let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
///         now.as_secs().to_string()
///     }
/// }
///
/// fn main() -> ExitCode {
///     scopeward::main(Clock)
/// }
/// ```
pub fn main<Marker, T: Opened<Marker>>(tools: T) -> ExitCode {
    App::new(tools).run()
}

/// The program of a server, with what its author adds to the command line and to the routes.
///
/// ```no_run
/// use std::{io, process::ExitCode};
///
/// use axum::{Router, routing::get};
/// use scopeward::{App, Environment, scoped_tools};
///
/// struct Notes(Vec<String>);
///
/// #[scoped_tools]
/// impl Notes {
///     /// Counts the notes.
///     #[scoped_tool(scopes = ["note:read"])]
///     fn count(&self) -> String {
///         self.0.len().to_string()
///     }
/// }
///
/// impl Notes {
///     async fn open(environment: Environment) -> io::Result<Self> {
///         let file = environment.variable("NOTES_FILE").unwrap_or("notes.txt".to_owned());
///         let text = std::fs::read_to_string(environment.data().join(file))?;
///         Ok(Self(text.lines().map(str::to_owned).collect()))
///     }
/// }
///
/// fn main() -> ExitCode {
///     App::new(Notes::open)
///         .about("Keeps notes, and shares them with those who may see them")
///         .title("Notes")
///         .instructions("Search before you create a note.")
///         .setting("NOTES_FILE", "The file of the notes, in the data folder [default: notes.txt]")
///         .command("clear", "Remove all notes", |environment, _| {
///             std::fs::write(environment.data().join("notes.txt"), "")?;
///             Ok(())
///         })
///         .routes(Router::new().route("/", get(|| async { "Notes" })))
///         .run()
/// }
/// ```
#[derive(Debug)]
#[must_use = "an app does nothing until it runs"]
pub struct App<T> {
    tools: T,
    about: Option<&'static str>,
    settings: Vec<OwnSetting>,
    commands: Vec<OwnCommand>,
    provider: Option<CustomProvider>,
    additions: Additions,
}

impl<T> App<T> {
    /// The program of these tools. `tools` is a value, or a function that opens one.
    pub fn new<Marker>(tools: T) -> Self
    where
        T: Opened<Marker>,
    {
        Self {
            tools,
            about: None,
            settings: vec![],
            commands: vec![],
            provider: None,
            additions: Additions::default(),
        }
    }

    /// Says in one sentence what the program is, at the top of `--help`.
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = Some(about);
        self
    }

    /// The title of the server for people, as MCP's `serverInfo` gives it. The name is that of the
    /// crate.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.additions.details.title = Some(title.into());
        self
    }

    /// What a client's model should know to use the server well (`instructions` of MCP).
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.additions.details.instructions = Some(instructions.into());
        self
    }

    /// Names a setting that [`Environment::variable`] reads, with its help. `--help` lists it, and
    /// `doctor` says whether it is set, never its value.
    pub fn setting(mut self, name: &'static str, help: &'static str) -> Self {
        self.settings.push(OwnSetting { name, help });
        self
    }

    /// Adds a command of the program's own. It gets the environment and the arguments after its name.
    pub fn command(
        mut self,
        name: &'static str,
        about: &'static str,
        run: impl FnOnce(Environment, Vec<OsString>) -> Result<(), Box<dyn Error + Send + Sync>>
        + 'static,
    ) -> Self {
        self.commands.push(OwnCommand { name, about, run: Box::new(run) });
        self
    }

    /// Adds routes beside those of the server. Their fallback, if they have one, answers every path
    /// that nobody has. The server's check of `Host` and `Origin` does not stand in front of them.
    pub fn routes(mut self, routes: Router) -> Self {
        self.additions.routes = Some(match self.additions.routes.take() {
            Some(before) => before.merge(routes),
            None => routes,
        });
        self
    }

    /// Takes tokens of a provider that the program configures itself.
    ///
    /// ```no_run
    /// use scopeward::{App, CustomProvider};
    ///
    /// # fn app<T>(app: App<T>) -> App<T> {
    /// app.provider(CustomProvider::oidc("https://id.example.com").audience("notes"))
    /// # }
    /// ```
    pub fn provider(mut self, provider: CustomProvider) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Reads the command line and runs the command. The exit code is 0 for done, 1 for failed or with
    /// findings, and 2 for a command that could not run.
    #[must_use = "the exit code is what `main` returns"]
    pub fn run<Marker>(self) -> ExitCode
    where
        T: Opened<Marker>,
    {
        output::outcome(match self.try_run() {
            Ok(Verdict::Good) => ExitCode::SUCCESS,
            Ok(Verdict::Bad) => ExitCode::from(FAILED),
            Err(failure) => {
                if !failure.message.is_empty() {
                    errln!("{}", failure.message);
                }
                ExitCode::from(failure.code)
            }
        })
    }

    fn try_run<Marker>(self) -> Result<Verdict, Failure>
    where
        T: Opened<Marker>,
    {
        output::choose_colour(None);
        env_file::read()?;
        output::choose_colour(None);
        let (name, version) = <T::Tools as ScopedTools>::SERVER;
        let mut command = Cli::command().name(name).version(version);
        if let Some(about) = self.about {
            command = command.about(about).long_about(about);
        }
        let command = own::add(command, &self.commands, &self.settings, AFTER_HELP)?;
        let command = options::placed(command);
        let line = options::ordered(&command, std::env::args_os());
        let command = options::without_variables(command);
        let matches = command.try_get_matches_from(line).map_err(|error| said_by_clap(&error))?;
        let given = options::of_the_command(&matches);
        output::choose_colour(options::chosen_colour(given));
        let ServerSettings { mut deployment, options } = ServerSettings::read(Some(given))?;
        if let Some(chosen) = own::chosen(self.commands, &matches) {
            crate::file::make_data_folder(&deployment.data).map_err(Failure::refused)?;
            return own::run(chosen, deployment.environment()).map(|()| Verdict::Good);
        }
        let Cli { command } = Cli::from_arg_matches(&matches).map_err(Failure::refused)?;
        deployment.custom = self.provider;
        let (registry, server) = (&T::Tools::REGISTRY, <T::Tools as ScopedTools>::SERVER);
        match &command {
            Command::Serve => serve::serve(&deployment, &options, self.tools, self.additions),
            Command::Policy { command } => policy::run(command, &deployment, registry, server),
            Command::Resource { command } => resource::run(command, &deployment),
            Command::Provider { command } => provider::run(command),
            Command::Audit { command } => audit::run(command, &deployment),
            Command::Revocation { command } => revocation::run(command, &deployment),
            Command::Health(arguments) => health::health(&deployment, arguments),
            Command::Doctor(arguments) => {
                doctor::doctor(&deployment, registry, server.0, &self.settings, arguments)
            }
            Command::Token(arguments) => token::token(&deployment, server.0, arguments),
        }
    }
}

/// Prints what the command line's parser says: a mistake, or the help that was asked for.
fn said_by_clap(error: &clap::Error) -> Failure {
    if let Err(unwritten) = error.print()
        && !error.use_stderr()
    {
        output::failed(unwritten);
    }
    Failure { code: u8::try_from(error.exit_code()).unwrap_or(REFUSED), message: String::new() }
}
