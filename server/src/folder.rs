//! The folder of what a server keeps: its owner's only, since the database in it is other people's.

use std::{fs::DirBuilder, io, path::Path};

/// Makes the folder if it is not there. One that is there stays as whoever made it wanted it.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)
}
