//! Reads and replaces the files of commands.

use std::{io::Read, path::Path};

use super::Failure;
use crate::file::{self, Access};

/// Replaces the text of a file that people edit.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    file::replace(path, text.as_bytes(), Access::AsBefore)
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
