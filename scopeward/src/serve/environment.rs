//! The environment of a server: its data folder and its settings.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Reads a setting by its name.
type Read = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The settings of a deployment: from the process environment, or from the program itself.
#[derive(Clone)]
pub(crate) struct Settings(Arc<Read>);

impl Settings {
    /// Settings that the program gives instead of the environment.
    pub(crate) fn by(read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The value of a setting. An empty value counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let of = |name: &str| (self.0)(name).filter(|value| !value.is_empty());
        match name {
            // Newer guides of Scalekit call it BASE_URL.
            "MCP_URL" => of(name).or_else(|| of("BASE_URL")),
            _ => of(name),
        }
    }
}

impl Default for Settings {
    /// The settings in the process environment.
    fn default() -> Self {
        Self::by(|name| std::env::var(name).ok())
    }
}

impl fmt::Debug for Settings {
    /// Shows nothing, because settings can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

/// The environment of a server, for the function that opens its tools: its data folder and its
/// settings.
///
/// ```
/// use scopeward::Environment;
///
/// struct Notes;
///
/// impl Notes {
///     async fn open(environment: Environment) -> Result<Self, std::io::Error> {
///         let file = environment.data().join("notes.json");
///         let title = environment.variable("NOTES_TITLE").unwrap_or_default();
///         // …
///         # let _ = (file, title);
///         Ok(Self)
///     }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Environment {
    data: PathBuf,
    settings: Settings,
}

impl Environment {
    pub(crate) fn new(data: PathBuf, settings: Settings) -> Self {
        Self { data, settings }
    }

    /// The folder for data that the server keeps between runs. The folder exists, and Git ignores it.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A setting of the deployment, from the process environment or `.env`. An empty value counts
    /// as absent.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.settings.get(name)
    }
}
