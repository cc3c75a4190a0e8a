//! The audit file and those before it: appended to, chained, and rotated.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::chain::{ChainHead, ChainWalk};

/// The file that is written.
const CURRENT: &str = "audit.jsonl";
/// Those before it: `audit-` and the number of the last record.
const BEFORE: &str = "audit-";
const KIND: &str = ".jsonl";
/// A last line that is longer than this is looked for from the start of the file.
const LONGEST: u64 = 64 * 1024;

/// Where it is, in the data folder.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join(CURRENT)
}

/// All files that are there, the oldest first.
pub(crate) fn files(data: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = before(data)?;
    let current = path(data);
    if current.exists() {
        all.push(current);
    }
    Ok(all)
}

/// Those that are no longer written, the oldest first.
fn before(data: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = vec![];
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        let number = name.strip_prefix(BEFORE).and_then(|name| name.strip_suffix(KIND));
        if let Some(number) = number.and_then(|number| number.parse::<u64>().ok()) {
            all.push((number, entry.path()));
        }
    }
    all.sort();
    Ok(all.into_iter().map(|(_, path)| path).collect())
}

/// When another file is begun, and how many are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rotation {
    /// In bytes; a file can be larger by what comes within a moment.
    pub(crate) size: u64,
    /// Besides the one that is written; 0 keeps all.
    pub(crate) kept: usize,
}

/// What is written to.
#[derive(Debug)]
pub(super) struct Journal {
    data: PathBuf,
    rotation: Rotation,
    file: File,
    size: u64,
    pub(super) head: ChainHead,
}

impl Journal {
    /// Goes on where the last one stopped. A line that was cut short by a crash never was a record:
    /// it is taken off.
    pub(super) fn open(data: &Path, rotation: Rotation) -> io::Result<Self> {
        let mut file = open(&path(data))?;
        let (mut whole, mut last) = last_line(&mut file)?;
        let length = file.metadata()?.len();
        if whole < length {
            tracing::warn!("the audit file ended in half a record, which is taken off");
            file.set_len(whole)?;
        }
        if whole == 0
            && let Some(newest) = before(data)?.pop()
        {
            last = last_line(&mut File::open(newest)?)?.1;
        }
        whole = file.metadata()?.len();
        let mut walk = ChainWalk::default();
        if let Some(last) = last {
            // Damaged ones are `audit verify`'s to find: here the chain goes on from what is there.
            let _ = walk.next(&last);
        }
        Ok(Self { data: data.to_owned(), rotation, file, size: whole, head: walk.head() })
    }

    /// Adds what it is given; how much of it is written, the caller has to look after.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.size += written as u64;
        if written == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(written)
    }

    /// Begins another file if this one is large enough. Only between two records.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        if self.rotation.size == 0 || self.size < self.rotation.size {
            return Ok(());
        }
        let name = format!("{BEFORE}{:012}{KIND}", self.head.number);
        let current = path(&self.data);
        let rotated = self.data.join(name);
        // If it fails, it is tried again when as much has come once more.
        self.size = 0;
        fs::rename(&current, &rotated)?;
        self.file = open(&current).or_else(|error| {
            fs::rename(&rotated, &current)?;
            Err(error)
        })?;
        if self.rotation.kept > 0 {
            let all = before(&self.data)?;
            for old in &all[..all.len().saturating_sub(self.rotation.kept)] {
                fs::remove_file(old)?;
            }
        }
        Ok(())
    }
}

/// For appending, and for nobody else to read: it says who did what.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Where the last whole line ends, and that line without its end.
fn last_line(file: &mut File) -> io::Result<(u64, Option<Vec<u8>>)> {
    let length = file.metadata()?.len();
    for most in [LONGEST, length] {
        let start = length.saturating_sub(most);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = vec![];
        // A device can give more than its length.
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
        // Longer than what is looked at first.
        add(&mut journal, &"x".repeat(2 * usize::try_from(LONGEST).unwrap()));
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
