//! The audit files of a data folder: records are appended and chained, large files are rotated, and
//! what somebody else does to a file is noticed.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::chain::{ChainHead, ChainWalk};

/// The end of a rotated file's name, after the number of the file's last record.
const SUFFIX: &str = ".jsonl";
/// How many bytes at the end of a file are searched for its last line: 64 KiB. If that is too few,
/// the whole file is read.
const TAIL: u64 = 64 * 1024;
/// How many bytes at the start of a file are searched for its first line: 1 MiB, which is many times
/// the longest record.
const FIRST: u64 = 1024 * 1024;
/// The ends of names of compressed files, which are not read.
const COMPRESSED: [&str; 4] = [".gz", ".xz", ".zst", ".bz2"];

/// One chain of records, by the names of its files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Book {
    /// The name of the file that is written.
    current: &'static str,
    /// The beginning of a rotated file's name, before the number of the file's last record.
    rotated: &'static str,
}

/// The decisions about authenticated callers.
pub(crate) const CALLERS: Book = Book { current: "audit.jsonl", rotated: "audit-" };

/// The requests without a valid token. They have a chain and a bound of their own, so that requests
/// that anybody can send never push out what an authenticated caller did.
pub(crate) const UNAUTHENTICATED: Book =
    Book { current: "audit-unauthenticated.jsonl", rotated: "audit-unauthenticated-" };

impl Book {
    /// The path of the current file in the data folder.
    pub(crate) fn path(self, data: &Path) -> PathBuf {
        data.join(self.current)
    }

    /// All files that exist, oldest first. Files that another program has moved aside beside the
    /// current one (`audit.jsonl.1`) are among them, if their records are in no other file.
    pub(crate) fn files(self, data: &Path) -> io::Result<Vec<PathBuf>> {
        let mut own = self.rotated_files(data)?;
        let current = self.path(data);
        if current.exists() {
            own.push(current);
        }
        let moved = self.moved_files(data)?;
        if moved.is_empty() {
            return Ok(own);
        }
        let mut all: Vec<(Span, PathBuf)> =
            own.into_iter().map(|path| (Span::of(&path).unwrap_or_default(), path)).collect();
        for path in moved {
            if let Some(span) = Span::of(&path).filter(|span| span.first > 0)
                && !all.iter().any(|(other, _)| span.overlaps(other))
            {
                all.push((span, path));
            }
        }
        // A file without records, such as one that was just begun, is the last.
        all.sort_by_key(|(span, _)| if span.last == 0 { u64::MAX } else { span.first });
        Ok(all.into_iter().map(|(_, path)| path).collect())
    }

    /// The rotated files, which are no longer written, oldest first.
    fn rotated_files(self, data: &Path) -> io::Result<Vec<PathBuf>> {
        let mut all = vec![];
        for entry in fs::read_dir(data)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            let number = name.strip_prefix(self.rotated).and_then(|name| name.strip_suffix(SUFFIX));
            if let Some(number) = number.and_then(|number| number.parse::<u64>().ok()) {
                all.push((number, entry.path()));
            }
        }
        all.sort();
        Ok(all.into_iter().map(|(_, path)| path).collect())
    }

    /// The files that another program (such as logrotate) has moved aside or copied.
    fn moved_files(self, data: &Path) -> io::Result<Vec<PathBuf>> {
        let mut all = vec![];
        for entry in fs::read_dir(data)? {
            let entry = entry?;
            let name = entry.file_name();
            let rest = name.to_str().and_then(|name| name.strip_prefix(self.current));
            if rest.is_some_and(|rest| {
                rest.starts_with(['.', '-']) && !COMPRESSED.iter().any(|end| rest.ends_with(end))
            }) && entry.file_type().is_ok_and(|kind| kind.is_file())
            {
                all.push(entry.path());
            }
        }
        all.sort();
        Ok(all)
    }
}

/// The numbers of the first and the last record of a file; 0 where records are not chained.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    first: u64,
    last: u64,
}

impl Span {
    fn of(path: &Path) -> Option<Self> {
        #[derive(Deserialize)]
        struct Numbered {
            number: Option<u64>,
        }
        let number = |line: &[u8]| serde_json::from_slice::<Numbered>(line).ok()?.number;
        let mut file = File::open(path).ok()?;
        let last = last_line(&mut file).ok()?.1.and_then(|line| number(&line)).unwrap_or(0);
        file.seek(SeekFrom::Start(0)).ok()?;
        let mut first = vec![];
        BufReader::new(file.take(FIRST)).read_until(b'\n', &mut first).ok()?;
        Some(Self { first: number(&first).unwrap_or(0), last })
    }

    fn overlaps(&self, other: &Self) -> bool {
        other.last > 0 && self.first <= other.last && other.first <= self.last
    }
}

/// The settings of rotation: when a new file is begun, and how many old files are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rotation {
    /// The size in bytes at which a new file is begun; 0 is never. A file can grow beyond it by the
    /// records that are written together.
    pub(crate) size: u64,
    /// How many files are kept besides the current one; 0 keeps all.
    pub(crate) kept: usize,
}

/// What somebody else did to the current file, after which the chain goes on in what is there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interruption {
    Gone,
    Replaced,
    Truncated,
    Written,
}

impl Interruption {
    /// What happened, as the end of a sentence about the file.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "was removed or moved away",
            Self::Replaced => "was replaced by another file",
            Self::Truncated => "was truncated",
            Self::Written => "was written by another program",
        }
    }
}

/// The files of one chain in one data folder, open for appending.
#[derive(Debug)]
pub(super) struct Journal {
    book: Book,
    data: PathBuf,
    rotation: Rotation,
    file: File,
    identity: Identity,
    /// How many bytes the file has, if nobody else writes it.
    size: u64,
    /// The size at which a new file is begun.
    rotate_at: u64,
    /// `true` if the file may end in a part of a record that could not be cut off.
    is_torn: bool,
    pub(super) head: ChainHead,
}

impl Journal {
    /// Opens the current file and continues the chain of the last record. A line that a crash cut
    /// short is removed, because it never was a record.
    pub(super) fn open(data: &Path, book: Book, rotation: Rotation) -> io::Result<Self> {
        let mut file = open(&book.path(data))?;
        let (whole, mut last) = last_line(&mut file)?;
        let length = file.metadata()?.len();
        if whole < length {
            tracing::warn!("the audit file ended in an incomplete record, which was removed");
            file.set_len(whole)?;
        }
        if whole == 0 {
            let before = book.files(data)?;
            let mut before = before.iter().rev().filter(|path| **path != book.path(data));
            if let Some(newest) = before.next() {
                last = last_line(&mut File::open(newest)?)?.1;
            }
        }
        let mut walk = ChainWalk::default();
        if let Some(last) = last {
            // A damaged line does not stop the server, because `audit verify` finds the damage. The
            // chain begins anew after it.
            let _ = walk.next(&last);
        }
        let found = file.metadata()?;
        Ok(Self {
            book,
            data: data.to_owned(),
            rotation,
            identity: Identity::of(&found),
            size: found.len(),
            rotate_at: rotation.size,
            file,
            is_torn: false,
            head: walk.head(),
        })
    }

    /// Checks that records can be appended to the file that has the current name. If somebody else
    /// has removed, replaced or changed it, the journal goes on with what is there now, and says what
    /// happened.
    pub(super) fn inspect(&mut self) -> io::Result<Option<Interruption>> {
        let path = self.book.path(&self.data);
        let found = match fs::metadata(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !self.data.is_dir() {
                    let message = format!("the folder {} was removed", self.data.display());
                    return Err(io::Error::new(io::ErrorKind::NotFound, message));
                }
                self.attach(open(&path)?)?;
                return Ok(Some(Interruption::Gone));
            }
            Err(error) => return Err(error),
        };
        can_hold_records(&found)?;
        if Identity::of(&found) != self.identity {
            self.attach(open(&path)?)?;
            self.end_line()?;
            return Ok(Some(Interruption::Replaced));
        }
        if !found.is_file() {
            return Ok(None);
        }
        if found.permissions().readonly() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"));
        }
        #[cfg(unix)]
        if fs::metadata(&self.data)?.permissions().readonly() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "its folder is read-only"));
        }
        if self.is_torn {
            self.file.set_len(self.size)?;
            self.is_torn = false;
            return Ok(None);
        }
        if found.len() < self.size {
            let whole = last_line(&mut self.file)?.0;
            self.file.set_len(whole)?;
            self.size = whole;
            return Ok(Some(Interruption::Truncated));
        }
        if found.len() > self.size {
            self.size = found.len();
            self.end_line()?;
            return Ok(Some(Interruption::Written));
        }
        has_room(&self.data)?;
        Ok(None)
    }

    /// Goes on with another file, or with the current one from where it ends now.
    fn attach(&mut self, file: File) -> io::Result<()> {
        let found = file.metadata()?;
        self.identity = Identity::of(&found);
        self.size = found.len();
        self.file = file;
        self.is_torn = false;
        self.rotate_at = self.rotation.size;
        Ok(())
    }

    /// Ends a last line that somebody else wrote without its end, so that the next record has a line
    /// of its own.
    fn end_line(&mut self) -> io::Result<()> {
        let mut last = [b'\n'];
        if self.size > 0 && self.file.metadata()?.is_file() {
            self.file.seek(SeekFrom::Start(self.size - 1))?;
            self.file.read_exact(&mut last)?;
        }
        if last == *b"\n" { Ok(()) } else { self.append(b"\n") }
    }

    /// Appends whole lines, all of them or none: what a failed write has left is cut off again.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut rest = lines;
        while !rest.is_empty() {
            let error = match self.file.write(rest) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(written) => {
                    rest = &rest[written..];
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            if rest.len() < lines.len() {
                self.is_torn = self.file.set_len(self.size).is_err();
            }
            return Err(error);
        }
        self.size += lines.len() as u64;
        Ok(())
    }

    /// Begins a new file if the current one is large enough. Call this only between two records,
    /// because a record must not span two files.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        if self.rotation.size == 0 || self.size < self.rotate_at {
            return Ok(());
        }
        let name = format!("{}{:012}{SUFFIX}", self.book.rotated, self.head.number);
        let current = self.book.path(&self.data);
        let rotated = self.data.join(name);
        // A failed rotation is tried again after as many bytes once more, not at every write.
        self.rotate_at = self.size + self.rotation.size;
        fs::rename(&current, &rotated)?;
        let file = open(&current).or_else(|error| {
            fs::rename(&rotated, &current)?;
            Err(error)
        })?;
        self.attach(file)?;
        if self.rotation.kept > 0 {
            let all = self.book.rotated_files(&self.data)?;
            for old in &all[..all.len().saturating_sub(self.rotation.kept)] {
                fs::remove_file(old)?;
            }
        }
        Ok(())
    }
}

/// Which file it is, whatever its name is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    number: u64,
}

impl Identity {
    #[cfg(unix)]
    fn of(found: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: found.dev(), number: found.ino() }
    }

    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Self {
        Self {}
    }
}

/// Refuses what cannot hold records: a folder, and a pipe or a socket, whose reader could stop the
/// writer for ever.
fn can_hold_records(found: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    let is_device = std::os::unix::fs::FileTypeExt::is_char_device(&found.file_type());
    #[cfg(not(unix))]
    let is_device = false;
    if found.is_file() || is_device {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"))
}

/// Whether the disk has room for a record, so that a full disk is known before the first record that
/// it cannot take. Where that cannot be asked, the write tells it.
#[cfg(unix)]
fn has_room(data: &Path) -> io::Result<()> {
    let Ok(disk) = rustix::fs::statvfs(data) else { return Ok(()) };
    // Some blocks are kept for root.
    let is_root = rustix::process::geteuid().is_root();
    let blocks = if is_root { disk.f_bfree } else { disk.f_bavail };
    // A file system that does not count its blocks says that it has none at all.
    if blocks == 0 && disk.f_blocks > 0 {
        return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is full"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn has_room(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Opens a file for appending, readable only by its owner, because it says who did what.
fn open(path: &Path) -> io::Result<File> {
    // Looked at first, because the opening of a pipe can wait for ever.
    match fs::metadata(path) {
        Ok(found) => can_hold_records(&found)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
/// Finds the offset in bytes at which the last whole line ends, and that line without its end.
fn last_line(file: &mut File) -> io::Result<(u64, Option<Vec<u8>>)> {
    let length = file.metadata()?.len();
    for most in [TAIL, length] {
        let start = length.saturating_sub(most);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = vec![];
        // A device can give more bytes than its length says, so the read is bounded.
        Read::by_ref(file).take(length - start).read_to_end(&mut tail)?;
        let Some(end) = tail.iter().rposition(|byte| *byte == b'\n') else {
            if start == 0 {
                return Ok((0, None));
            }
            continue;
        };
        let begin = tail[..end].iter().rposition(|byte| *byte == b'\n');
        match begin {
            Some(begin) => {
                return Ok((start + end as u64 + 1, Some(tail[begin + 1..end].to_vec())));
            }
            None if start == 0 => return Ok((end as u64 + 1, Some(tail[..end].to_vec()))),
            None => {}
        }
    }
    Ok((0, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYTHING: Rotation = Rotation { size: 0, kept: 0 };

    fn journal(data: &Path, rotation: Rotation) -> Journal {
        Journal::open(data, CALLERS, rotation).unwrap()
    }

    fn add(journal: &mut Journal, record: &str) {
        let mut line = vec![];
        journal.head.append(format!("{{\"a\":\"{record}\"}}\n").as_bytes(), &mut line);
        journal.append(&line).unwrap();
        journal.rotate().unwrap();
    }

    fn walk(data: &Path) -> ChainWalk {
        let mut walk = ChainWalk::default();
        for file in CALLERS.files(data).unwrap() {
            for line in fs::read_to_string(file).unwrap().lines() {
                walk.next(line.as_bytes()).unwrap();
            }
        }
        walk
    }

    #[test]
    fn the_chain_goes_on_after_a_crash_within_a_line() {
        let data = tempfile::tempdir().unwrap();
        let mut first = journal(data.path(), EVERYTHING);
        add(&mut first, "one");
        let head = first.head;
        first.append(b"{\"a\":\"tw").unwrap();
        let mut second = journal(data.path(), EVERYTHING);
        assert_eq!(second.head, head);
        // This record is longer than the part of the file that is searched first.
        add(&mut second, &"x".repeat(2 * usize::try_from(TAIL).unwrap()));
        let mut third = journal(data.path(), EVERYTHING);
        add(&mut third, "three");
        assert_eq!(walk(data.path()).head(), third.head);
        assert_eq!(third.head.number, 3);
    }

    #[test]
    fn the_chain_goes_through_all_files() {
        let data = tempfile::tempdir().unwrap();
        let rotation = Rotation { size: 200, kept: 2 };
        for number in 0..20 {
            let mut journal = journal(data.path(), rotation);
            add(&mut journal, &number.to_string());
        }
        let walk = walk(data.path());
        assert_eq!(walk.head().number, 20);
        assert!(walk.first > 1, "the oldest are gone");
        assert!(CALLERS.files(data.path()).unwrap().len() <= 3);
    }

    #[test]
    fn what_somebody_else_does_to_the_file_is_noticed() {
        let data = tempfile::tempdir().unwrap();
        let mut journal = journal(data.path(), EVERYTHING);
        let path = CALLERS.path(data.path());
        add(&mut journal, "one");
        assert_eq!(journal.inspect().unwrap(), None);

        fs::remove_file(&path).unwrap();
        assert_eq!(journal.inspect().unwrap(), Some(Interruption::Gone));
        assert_eq!(journal.inspect().unwrap(), None, "the file is there again");
        add(&mut journal, "two");
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);

        fs::write(data.path().join("other"), "{\"half\"").unwrap();
        fs::rename(data.path().join("other"), &path).unwrap();
        assert_eq!(journal.inspect().unwrap(), Some(Interruption::Replaced));
        add(&mut journal, "three");
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2, "a line of its own");

        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(12).unwrap();
        assert_eq!(journal.inspect().unwrap(), Some(Interruption::Truncated));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");

        fs::write(&path, "longer than it was").unwrap();
        assert_eq!(journal.inspect().unwrap(), Some(Interruption::Written));
        add(&mut journal, "four");
        assert_eq!(journal.inspect().unwrap(), None);

        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(journal.inspect().unwrap_err().to_string().contains("not a file"));
        fs::remove_dir_all(data.path()).unwrap();
        assert!(journal.inspect().unwrap_err().to_string().contains("was removed"));
        fs::create_dir(data.path()).unwrap();
        assert_eq!(journal.inspect().unwrap(), Some(Interruption::Gone));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_or_folder_that_is_made_read_only_is_noticed() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        let mut journal = journal(data.path(), EVERYTHING);
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let path = CALLERS.path(data.path());
        for (path, mode) in [(&*path, 0o400), (data.path(), 0o500)] {
            let before = fs::metadata(path).unwrap().permissions().mode();
            set(path, mode);
            assert!(journal.inspect().unwrap_err().to_string().contains("read-only"));
            set(path, before);
            assert_eq!(journal.inspect().unwrap(), None);
        }
    }

    #[test]
    fn files_that_were_moved_aside_are_read_and_copies_are_not() {
        let data = tempfile::tempdir().unwrap();
        let mut journal = journal(data.path(), EVERYTHING);
        let path = CALLERS.path(data.path());
        let aside = data.path().join("audit.jsonl.1");
        add(&mut journal, "one");
        add(&mut journal, "two");
        fs::copy(&path, &aside).unwrap();
        assert_eq!(CALLERS.files(data.path()).unwrap(), [path.as_path()], "a copy");
        fs::rename(&path, &aside).unwrap();
        journal.inspect().unwrap();
        assert_eq!(CALLERS.files(data.path()).unwrap(), [aside.clone(), path.clone()]);
        add(&mut journal, "three");
        assert_eq!(CALLERS.files(data.path()).unwrap(), [aside, path]);
        assert_eq!(walk(data.path()).head().number, 3);
    }
}
