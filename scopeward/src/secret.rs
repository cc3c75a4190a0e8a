//! Secrets of a deployment: zeroed when they are given up, and never printed.
//!
//! `NAME` holds one, or `NAME_FILE` names the file that does, as the secret managers of container
//! platforms have it. The file is read each time the secret is needed, so that one which is rotated
//! needs no restart.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use crate::file;

/// A secret, or where it is.
#[derive(Clone)]
pub(crate) enum Secret {
    Given(SecretString),
    File(PathBuf),
}

/// Why there is none. It names the setting or the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretError {
    #[error(
        "{0} and {0}_FILE are both set\n  = help: take one of them out: which one counts would be a guess"
    )]
    Both(String),
    #[error("cannot read the secret in {0}: {1}")]
    Read(String, String),
    #[error("{0} holds no secret: it is empty")]
    Empty(String),
}

impl Secret {
    /// The secret that `name` or `name_FILE` is about; `None` if neither is set. `variable` reads a
    /// setting.
    pub(crate) fn setting(
        name: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, SecretError> {
        match (variable(name), variable(&format!("{name}_FILE"))) {
            (Some(_), Some(_)) => Err(SecretError::Both(name.to_owned())),
            (Some(secret), None) => Ok(Some(Self::Given(secret.into()))),
            (None, Some(path)) => {
                let secret = Self::File(path.into());
                // Said at the start, not when it is first needed.
                secret.read()?;
                Ok(Some(secret))
            }
            (None, None) => Ok(None),
        }
    }

    /// The secret as it is now.
    pub(crate) fn read(&self) -> Result<SecretString, SecretError> {
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::File(path) => read(path),
        }
    }
}

/// A line's end after it is not part of it.
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

/// Where it is, not what.
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
    fn one_that_is_rotated_is_read_anew_and_never_printed() {
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
    fn two_are_none() {
        let both = |name: &str| Some(format!("{name} is set"));
        assert_eq!(Secret::setting("S", both).map(|_| ()), Err(SecretError::Both("S".into())));
        assert!(Secret::setting("S", |_| None).unwrap().is_none());
    }
}
