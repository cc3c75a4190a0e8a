//! Reads every record of the audit while its file is rotated, moved and removed, and takes the file
//! away in these ways.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt,
    path::Path,
    thread,
    time::Duration,
};

use serde_json::Value;

use super::World;

/// How many allowed creations each subject has on record.
pub(super) type Created = HashMap<String, usize>;

/// After this many looks that found nothing, a removed file is let go, because its space is free only
/// then. The server writes to another file a second after the removal.
const MOST_SILENT: usize = 200;

/// A file of the audit, which stays readable by its open handle when it is removed.
struct Seen {
    reader: BufReader<File>,
    /// The beginning of a line that is not whole yet.
    line: String,
    /// How many looks in a row found nothing.
    silent: usize,
}

/// The files that were seen, by inode.
#[derive(Default)]
pub(super) struct Records {
    files: HashMap<u64, Seen>,
    pub(super) created: Created,
    pub(super) lines: usize,
}

impl Records {
    /// Opens the new files of a folder, and reads what was added to all of them.
    pub(super) fn read(&mut self, folder: &Path) {
        let names = fs::read_dir(folder).into_iter().flatten().flatten();
        for entry in names {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with("audit")
                || name.contains("unauthenticated")
                || !name.contains("jsonl")
            {
                continue;
            }
            let Ok(file) = File::open(entry.path()) else { continue };
            let Ok(inode) = file.metadata().map(|metadata| metadata.ino()) else { continue };
            self.files.entry(inode).or_insert_with(|| Seen {
                reader: BufReader::new(file),
                line: String::new(),
                silent: 0,
            });
        }
        for Seen { reader, line, silent } in self.files.values_mut() {
            *silent += 1;
            while reader.read_line(line).unwrap_or(0) > 0 && line.ends_with('\n') {
                *silent = 0;
                self.lines += 1;
                if line.contains("create_todo") {
                    let record: Value = serde_json::from_str(line).unwrap();
                    if record["decision"] == "allow" {
                        let subject = record["subject"].as_str().unwrap().to_owned();
                        *self.created.entry(subject).or_default() += 1;
                    }
                }
                line.clear();
            }
        }
        self.files.retain(|_, seen| {
            let is_removed = || {
                let metadata = seen.reader.get_ref().metadata();
                metadata.is_ok_and(|metadata| metadata.nlink() == 0)
            };
            seen.silent < MOST_SILENT || !is_removed()
        });
    }
}

impl World<'_> {
    /// Reads the records until the test is over and the server has written all of them.
    pub(super) fn recording(&self) {
        let folder = self.server.folder.path().join("data");
        while self.goes_on() {
            self.records.lock().unwrap().read(&folder);
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Takes the audit file away: by removing it, as logrotate does by moving it, and by making it
    /// read-only.
    pub(super) fn taking_away(&self) {
        let file = self.server.folder.path().join("data/audit.jsonl");
        let moved = file.with_file_name("audit.moved.jsonl");
        for turn in 0_usize.. {
            for _ in 0..50 {
                thread::sleep(Duration::from_millis(100));
                if !self.goes_on() {
                    return;
                }
            }
            let done = match turn % 2 {
                0 => fs::remove_file(&file),
                _ => fs::rename(&file, &moved),
            };
            if done.is_ok() {
                self.taken_away.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }
}
