//! Reads and replaces the files of commands.

use std::{io::Read, path::Path};

use super::Failure;
use crate::file::{self, Access};

/// Replaces the text of a file that people edit.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    file::replace(path, text.as_bytes(), Access::AsBefore)
        .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))
}

/// Makes a file that people edit, and the folders above it. `false` if there is a file already, which
/// stays as it is.
pub(super) fn create(path: &Path, text: &str) -> Result<bool, Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| file::create(path, text.as_bytes(), Access::AsBefore))
        .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))
}

/// Reads a token from a file, or from standard input for `-`.
pub(super) fn read_token(file: &Path) -> Result<String, Failure> {
    let mut given = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut given).map(|_| given)
    } else {
        file::read(file)
    };
    let cannot =
        |error| Failure::refused(format!("cannot read the token from {}: {error}", file.display()));
    Ok(read.map_err(cannot)?.trim().to_owned())
}
