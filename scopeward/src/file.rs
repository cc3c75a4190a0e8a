//! Files and folders of a deployment: read within a bound, made for their owner only.

use std::{
    fs::{DirBuilder, File},
    io::{self, Read},
    path::Path,
};

/// A policy of ten thousand tools has a sixteenth of this. What is larger is not one.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The whole text of a file; of one without end, or of one that is far too large, an error.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {} MiB", LARGEST / 1024 / 1024),
        ));
    }
    Ok(text)
}

/// Makes the folder if it is not there. One that is there stays as whoever made it wanted it.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)
}
