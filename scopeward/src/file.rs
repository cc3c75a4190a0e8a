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
    text(read_bytes(path)?)
}

/// The text of a content that must be UTF-8. The error says what else it is.
pub(crate) fn text(content: Vec<u8>) -> io::Result<String> {
    String::from_utf8(content)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, encoding(error.as_bytes())))
        .and_then(|text| match looks_like_utf_16(text.as_bytes()) {
            Some(order) => Err(io::Error::new(io::ErrorKind::InvalidData, utf_16(order))),
            None => Ok(text),
        })
}

/// The likely encoding of a content that is not UTF-8, and the first byte that shows it.
fn encoding(content: &[u8]) -> String {
    if let Some(order) = looks_like_utf_16(content) {
        return utf_16(order);
    }
    let valid = match std::str::from_utf8(content) {
        Ok(_) => content.len(),
        Err(error) => error.valid_up_to(),
    };
    let (before, rest) = content.split_at(valid);
    let line = before.split(|byte| *byte == b'\n').count();
    let is_text = content.iter().all(|byte| *byte >= b' ' || b"\t\n\r\x0c".contains(byte));
    if !is_text {
        return "it is not text".to_owned();
    }
    let byte = rest.first().copied().unwrap_or_default();
    // The bytes 0x80 to 0x9f are letters and signs in Windows-1252, and control characters in Latin-1.
    let name = if content.iter().any(|byte| (0x80..0xa0).contains(byte)) {
        "Windows-1252"
    } else {
        "Latin-1 (ISO 8859-1)"
    };
    format!(
        "it is not UTF-8 but probably {name}: line {line} has the byte 0x{byte:02x}; save it as UTF-8"
    )
}

fn utf_16(order: &str) -> String {
    format!("it is UTF-16 ({order}); save it as UTF-8")
}

/// The byte order of UTF-16, by its mark, or by zeros in the place of every second byte.
fn looks_like_utf_16(content: &[u8]) -> Option<&'static str> {
    const SHOWN: usize = 1024;
    match content {
        [0xff, 0xfe, ..] => return Some("little-endian"),
        [0xfe, 0xff, ..] => return Some("big-endian"),
        _ => {}
    }
    let pairs = content.get(..SHOWN).unwrap_or(content).chunks_exact(2);
    let (count, first, second) = pairs.fold((0, 0, 0), |(count, first, second), pair| {
        let is_zero = |at: usize| usize::from(pair.get(at) == Some(&0));
        (count + 1, first + is_zero(0), second + is_zero(1))
    });
    // Nearly every character of a settings file is ASCII, which has one zero byte in UTF-16.
    let is_most = |zeros: usize| count > 0 && zeros * 4 >= count * 3;
    match (is_most(first), is_most(second)) {
        (false, true) => Some("little-endian"),
        (true, false) => Some("big-endian"),
        _ => None,
    }
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
