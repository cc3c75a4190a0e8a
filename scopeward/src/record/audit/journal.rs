//! The audit files of a data folder: records are appended and chained, and large files are rotated.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::chain::{ChainHead, ChainWalk};

/// The name of the file that is written.
const CURRENT: &str = "audit.jsonl";
/// The beginning of a rotated file's name, before the number of the file's last record.
const ROTATED_PREFIX: &str = "audit-";
/// The end of a rotated file's name.
const ROTATED_SUFFIX: &str = ".jsonl";
/// How many bytes at the end of a file are searched for its last line: 64 KiB. If that is too few,
/// the whole file is read.
const TAIL: u64 = 64 * 1024;

/// The path of the current audit file in the data folder.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join(CURRENT)
}

/// All audit files that exist, oldest first.
pub(crate) fn files(data: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = rotated_files(data)?;
    let current = path(data);
    if current.exists() {
        all.push(current);
    }
    Ok(all)
}

/// The rotated audit files, which are no longer written, oldest first.
fn rotated_files(data: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = vec![];
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        let number =
            name.strip_prefix(ROTATED_PREFIX).and_then(|name| name.strip_suffix(ROTATED_SUFFIX));
        if let Some(number) = number.and_then(|number| number.parse::<u64>().ok()) {
            all.push((number, entry.path()));
        }
    }
    all.sort();
    Ok(all.into_iter().map(|(_, path)| path).collect())
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

/// The audit files of one data folder, open for appending.
#[derive(Debug)]
pub(super) struct Journal {
    data: PathBuf,
    rotation: Rotation,
    file: File,
    size: u64,
    pub(super) head: ChainHead,
}

impl Journal {
    /// Opens the current file and continues the chain of the last record. A line that a crash cut
    /// short is removed, because it never was a record.
    pub(super) fn open(data: &Path, rotation: Rotation) -> io::Result<Self> {
        let mut file = open(&path(data))?;
        let (mut whole, mut last) = last_line(&mut file)?;
        let length = file.metadata()?.len();
        if whole < length {
            tracing::warn!("the audit file ended in an incomplete record, which was removed");
            file.set_len(whole)?;
        }
        if whole == 0
            && let Some(newest) = rotated_files(data)?.pop()
        {
            last = last_line(&mut File::open(newest)?)?.1;
        }
        whole = file.metadata()?.len();
        let mut walk = ChainWalk::default();
        if let Some(last) = last {
            // A damaged line does not stop the server, because `audit verify` finds the damage. The
            // chain begins anew after it.
            let _ = walk.next(&last);
        }
        Ok(Self { data: data.to_owned(), rotation, file, size: whole, head: walk.head() })
    }

    /// Appends bytes and returns how many were written. That can be fewer than given, and then the
    /// caller has to write the rest.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.size += written as u64;
        if written == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(written)
    }

    /// Begins a new file if the current one is large enough. Call this only between two records,
    /// because a record must not span two files.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        if self.rotation.size == 0 || self.size < self.rotation.size {
            return Ok(());
        }
        let name = format!("{ROTATED_PREFIX}{:012}{ROTATED_SUFFIX}", self.head.number);
        let current = path(&self.data);
        let rotated = self.data.join(name);
        // A failed rotation is tried again after as many bytes once more, not at every write.
        self.size = 0;
        fs::rename(&current, &rotated)?;
        self.file = open(&current).or_else(|error| {
            fs::rename(&rotated, &current)?;
            Err(error)
        })?;
        if self.rotation.kept > 0 {
            let all = rotated_files(&self.data)?;
            for old in &all[..all.len().saturating_sub(self.rotation.kept)] {
                fs::remove_file(old)?;
            }
        }
        Ok(())
    }
}

/// Opens a file for appending, readable only by its owner, because it says who did what.
fn open(path: &Path) -> io::Result<File> {
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

    fn add(journal: &mut Journal, record: &str) {
        let mut line = vec![];
        journal.head.append(format!("{{\"a\":\"{record}\"}}\n").as_bytes(), &mut line);
        assert_eq!(journal.write(&line).unwrap(), line.len());
        journal.rotate().unwrap();
    }

    fn walk(data: &Path) -> ChainWalk {
        let mut walk = ChainWalk::default();
        for file in files(data).unwrap() {
            for line in fs::read_to_string(file).unwrap().lines() {
                walk.next(line.as_bytes()).unwrap();
            }
        }
        walk
    }

    #[test]
    fn the_chain_goes_on_after_a_crash_within_a_line() {
        let data = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(data.path(), EVERYTHING).unwrap();
        add(&mut journal, "one");
        let head = journal.head;
        journal.write(b"{\"a\":\"tw").unwrap();
        let mut journal = Journal::open(data.path(), EVERYTHING).unwrap();
        assert_eq!(journal.head, head);
        // This record is longer than the part of the file that is searched first.
        add(&mut journal, &"x".repeat(2 * usize::try_from(TAIL).unwrap()));
        let mut journal = Journal::open(data.path(), EVERYTHING).unwrap();
        add(&mut journal, "three");
        assert_eq!(walk(data.path()).head(), journal.head);
        assert_eq!(journal.head.number, 3);
    }

    #[test]
    fn the_chain_goes_through_all_files() {
        let data = tempfile::tempdir().unwrap();
        let rotation = Rotation { size: 200, kept: 2 };
        for number in 0..20 {
            let mut journal = Journal::open(data.path(), rotation).unwrap();
            add(&mut journal, &number.to_string());
        }
        let walk = walk(data.path());
        assert_eq!(walk.head().number, 20);
        assert!(walk.first > 1, "the oldest are gone");
        assert!(files(data.path()).unwrap().len() <= 3);
    }
}
