//! Reads and replaces the files that commands work on.

use std::{
    fs,
    io::{Read, Write},
    path::Path,
};

use super::Failure;
use crate::file;

/// Replaces a file's text in one step: whoever reads it sees the old text or the new one. A
/// symbolic link stays one, and the file keeps its permissions.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::failed(format!("cannot write {}: {error}", path.display()))
    };
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    // A new file is for everyone to read, not private as temporary files are.
    match fs::metadata(&target) {
        Ok(metadata) => file.as_file().set_permissions(metadata.permissions()).map_err(failed)?,
        #[cfg(unix)]
        Err(_) => {
            let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            file.as_file().set_permissions(readable).map_err(failed)?;
        }
        #[cfg(not(unix))]
        Err(_) => {}
    }
    file.persist(&target).map_err(|error| failed(error.error))?;
    Ok(())
}

/// A token from a file, or from standard input.
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
