//! Reads files within a bound, and replaces them in one step.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read, Write},
    path::Path,
};

use tempfile::NamedTempFile;

/// The largest file that is read, in bytes: 16 MiB, which is sixteen times a policy of ten thousand
/// tools. A larger file was named by mistake, and some files (such as `/dev/zero`) have no end.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Who may read a file that was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Only its owner, because the file holds secrets or other people's data.
    OwnerOnly,
    /// The users who could read the file before. A new file is readable by everyone.
    AsBefore,
}

/// Reads the whole text of a file. A file larger than 16 MiB, or something that is no file, is an
/// error.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    String::from_utf8(read_bytes(path)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// Reads the whole content of a file, like [`read`].
pub(crate) fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = vec![];
    open(path)?.take(LARGEST + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LARGEST {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {} MiB", LARGEST / 1024 / 1024),
        ));
    }
    Ok(content)
}

/// Opens a file to read it. A pipe, a device, a socket or a folder is an error, and not waited for:
/// opening a named pipe without a writer would wait for ever.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    // Of what was opened, because the name may have been given to something else meanwhile.
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    let kind = if kind.is_dir() { "a folder" } else { "a pipe or a device" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {kind}, and no file")))
}

/// Makes the data folder if it does not exist. An existing folder keeps its permissions.
///
/// The folder makes Git ignore all of it, as Cargo's and uv's folders do, because it holds keys. A
/// folder that is more than a data folder (it holds a project) is left as it is.
pub(crate) fn make_data_folder(path: &Path) -> io::Result<()> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)?;
    let is_project = PROJECT.iter().any(|name| path.join(name).exists());
    if is_project {
        return Ok(());
    }
    match File::create_new(path.join(".gitignore")) {
        Ok(mut file) => file.write_all(IGNORE_ALL.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // A folder that cannot be written is reported by whoever needs to write there.
        Err(_) => Ok(()),
    }
}

/// Names that stand in the folder of a project, and not in a data folder.
const PROJECT: [&str; 5] = [".git", "Cargo.toml", "policy.toml", "package.json", "src"];
/// The content of a `.gitignore` that ignores its own folder.
const IGNORE_ALL: &str = "# Keys and records of people are kept here.\n*\n";

/// Replaces a file's content in one step, so that a reader or a crash finds the old content or the new
/// one. The content is on the disk when this returns. A symbolic link stays one.
pub(crate) fn replace(path: &Path, content: &[u8], access: Access) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let file = write_beside(&target, content)?;
    if access == Access::AsBefore {
        let before = fs::metadata(&target).ok().map(|metadata| metadata.permissions());
        if let Some(permissions) = before.or_else(for_everyone) {
            file.as_file().set_permissions(permissions)?;
        }
    }
    file.persist(&target).map_err(|error| error.error)?;
    sync_folder(&target);
    Ok(())
}

/// Makes a file, whole or not at all. `false` if the file exists already, which then stays as it is.
pub(crate) fn create(path: &Path, content: &[u8], access: Access) -> io::Result<bool> {
    let file = write_beside(path, content)?;
    if access == Access::AsBefore
        && let Some(permissions) = for_everyone()
    {
        file.as_file().set_permissions(permissions)?;
    }
    match file.persist_noclobber(path) {
        Ok(_) => {
            sync_folder(path);
            Ok(true)
        }
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

/// Writes this content to a temporary file beside `path`, and to the disk. Only its owner may read
/// the file, from the moment it exists.
fn write_beside(path: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(folder_of(path))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Writes the folder to the disk, because the name of a new file is safe only then. An error is
/// ignored, because not every system can do this, and the content is safe without it.
fn sync_folder(path: &Path) {
    if let Ok(folder) = File::open(folder_of(path)) {
        let _ = folder.sync_all();
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "systems other than Unix have no such permissions")]
fn for_everyone() -> Option<fs::Permissions> {
    Some(std::os::unix::fs::PermissionsExt::from_mode(0o644))
}

#[cfg(not(unix))]
fn for_everyone() -> Option<fs::Permissions> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_created_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        assert!(create(&path, b"first", Access::OwnerOnly).unwrap());
        assert!(!create(&path, b"second", Access::OwnerOnly).unwrap());
        assert_eq!(read(&path).unwrap(), "first");
        replace(&path, b"third", Access::AsBefore).unwrap();
        assert_eq!(read(&path).unwrap(), "third");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_an_error_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        fs::create_dir(at("folder")).unwrap();
        std::os::unix::fs::symlink(at("circle"), at("circle")).unwrap();
        std::os::unix::fs::symlink(at("pipe"), at("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        File::create(at("large")).unwrap().set_len(5 << 30).unwrap();
        for (name, says) in [
            ("pipe", "a pipe or a device"),
            ("link", "a pipe or a device"),
            ("folder", "a folder"),
            ("circle", ""),
            ("socket", ""),
            ("large", "larger than 16 MiB"),
            ("none", "No such file"),
        ] {
            let error = read(&at(name)).unwrap_err().to_string();
            assert!(error.contains(says), "{name}: {error}");
        }
        for device in ["/dev/zero", "/dev/tty"] {
            assert!(read(Path::new(device)).is_err(), "{device}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_keeps_its_permissions_and_a_link_stays_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("file"), folder.path().join("link"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        replace(&path, b"new", Access::AsBefore).unwrap();
        assert_eq!(mode(&path), 0o644);
        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, b"newer", Access::AsBefore).unwrap();
        assert_eq!((mode(&path), read(&path).unwrap()), (0o640, "newer".to_owned()));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        replace(&path, b"secret", Access::OwnerOnly).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_data_folder_ignores_itself_and_a_project_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("new/data");
        make_data_folder(&data).unwrap();
        assert_eq!(read(&data.join(".gitignore")).unwrap(), IGNORE_ALL);
        fs::write(data.join(".gitignore"), "mine").unwrap();
        make_data_folder(&data).unwrap();
        assert_eq!(read(&data.join(".gitignore")).unwrap(), "mine");
        for name in PROJECT {
            let project = folder.path().join(format!("project of {name}"));
            fs::create_dir(&project).unwrap();
            fs::write(project.join(name), "").unwrap();
            make_data_folder(&project).unwrap();
            assert!(!project.join(".gitignore").exists(), "{name}");
        }
    }
}
