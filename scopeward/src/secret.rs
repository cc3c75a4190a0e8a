//! Secrets of a deployment, which are erased from memory when they are dropped and are never
//! printed.
//!
//! The setting `NAME` holds a secret, or `NAME_FILE` names the file that holds it, as the secret
//! managers of container platforms provide it. The file is read each time the secret is needed, so
//! that a rotated secret needs no restart.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use crate::file;

/// A secret, or the file that holds it.
#[derive(Clone)]
pub(crate) enum Secret {
    Given(SecretString),
    File(PathBuf),
}

/// Why there is no secret. The error names the setting or the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretError {
    #[error(
        "{0} and {0}_FILE are both set\n  = help: remove one of them, because it would be a guess which one counts"
    )]
    Both(String),
    #[error("cannot read the secret in {0}: {1}")]
    Read(String, String),
    #[error("{0} holds no secret: it is empty")]
    Empty(String),
}

impl Secret {
    /// Finds the secret of the setting `name` or `name_FILE`; `None` if neither is set. `variable`
    /// reads a setting.
    pub(crate) fn setting(
        name: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, SecretError> {
        match (variable(name), variable(&format!("{name}_FILE"))) {
            (Some(_), Some(_)) => Err(SecretError::Both(name.to_owned())),
            (Some(secret), None) => Ok(Some(Self::Given(secret.into()))),
            (None, Some(path)) => {
                let secret = Self::File(path.into());
                // Read now, so that a mistake is reported at the start and not at the first use.
                secret.read()?;
                Ok(Some(secret))
            }
            (None, None) => Ok(None),
        }
    }

    /// Reads the current secret.
    pub(crate) fn read(&self) -> Result<SecretString, SecretError> {
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::File(path) => read(path),
        }
    }
}

/// A variable of the process environment. An empty one counts as absent.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads a secret from a file. Line ends at the end of the file are not part of the secret.
fn read(path: &Path) -> Result<SecretString, SecretError> {
    let name = || path.display().to_string();
    let text = file::read(path).map_err(|error| SecretError::Read(name(), error.to_string()))?;
    let text = zeroize::Zeroizing::new(text);
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(SecretError::Empty(name()));
    }
    Ok(secret.into())
}

/// Shows where the secret is, and never the secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => f.write_str("Given"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_rotated_secret_is_read_again_and_never_printed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "first\n").unwrap();
        let variable = |name: &str| (name == "S_FILE").then(|| path.to_str().unwrap().to_owned());
        let secret = Secret::setting("S", variable).unwrap().unwrap();
        assert_eq!(secret.read().unwrap().expose_secret(), "first");
        std::fs::write(&path, "second").unwrap();
        assert_eq!(secret.read().unwrap().expose_secret(), "second");
        assert!(!format!("{secret:?} {:?}", secret.read().unwrap()).contains("second"));
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(secret.read().map(|_| ()), Err(SecretError::Empty(path.display().to_string())));
    }

    #[test]
    fn a_secret_that_is_set_twice_is_an_error() {
        let both = |name: &str| Some(format!("{name} is set"));
        assert_eq!(Secret::setting("S", both).map(|_| ()), Err(SecretError::Both("S".into())));
        assert!(Secret::setting("S", |_| None).unwrap().is_none());
    }
}
