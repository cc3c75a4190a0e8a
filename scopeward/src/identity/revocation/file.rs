//! Reads and writes `revoked.toml`, which has one table for each revocation.
//!
//! ```toml
//! [[revoked]]
//! subject = "usr_58327482062864390"
//! issuer = "https://acme.scalekit.dev"
//! issued_before = 2026-11-26T10:00:00Z
//! reason = "laptop lost"
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::{
    file::{self, Access},
    identity::token::{Revocation, RevocationTarget},
};

/// The path of the list in the data folder.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join("revoked.toml")
}

/// The content of `revoked.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RevokedList {
    pub(crate) entries: Vec<Revocation>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RevokedError {
    #[error("cannot read {0}: {1}")]
    Read(String, io::Error),
    #[error("cannot write {0}: {1}")]
    Write(String, io::Error),
    #[error("{0} is not a list of revocations: {1}")]
    Form(String, String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    revoked: Option<Vec<WrittenEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEntry {
    token: Option<String>,
    subject: Option<String>,
    client: Option<String>,
    issuer: Option<String>,
    issued_before: Option<toml_edit::Datetime>,
    reason: Option<String>,
}

/// Reads the text of the file; `None` if there is no file.
pub(crate) fn read(path: &Path) -> Result<Option<String>, RevokedError> {
    match file::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(RevokedError::Read(path.display().to_string(), error)),
    }
}

impl RevokedList {
    /// Parses the text of the file. One mistake refuses the whole text, so that no revocation is
    /// skipped.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, RevokedError> {
        let form = |reason: String| RevokedError::Form(path.display().to_string(), reason);
        let file: WrittenFile =
            toml_edit::de::from_str(text).map_err(|error| form(error.to_string()))?;
        // A file that says nothing may be one that is being written, or was cut off. It must let nobody
        // in again.
        let entries = file.revoked.ok_or_else(|| {
            form("it says nothing; a list of nobody is `revoked = []`".to_owned())
        })?;
        let entry = |(index, written): (usize, WrittenEntry)| {
            let wrong = |what: &str| form(format!("entry {} {what}", index + 1));
            let whom = match (written.token, written.subject, written.client) {
                (Some(id), None, None) => RevocationTarget::Token(id),
                (None, Some(id), None) => RevocationTarget::Subject(id),
                (None, None, Some(id)) => RevocationTarget::Client(id),
                _ => return Err(wrong("must have one of `token`, `subject` and `client`")),
            };
            if whom.id().is_empty() {
                return Err(wrong(&format!("has an empty `{}`", whom.key())));
            }
            if matches!(whom, RevocationTarget::Token(_))
                && (written.issuer.is_some() || written.issued_before.is_some())
            {
                return Err(wrong("names one token, so it takes no `issuer` or `issued_before`"));
            }
            let issued_before = written.issued_before.map(|time| time.to_string().parse());
            let issued_before = issued_before.transpose().map_err(|_| {
                wrong("needs a time with a zone in `issued_before`, such as 2026-11-26T10:00:00Z")
            })?;
            Ok(Revocation { whom, issuer: written.issuer, issued_before, reason: written.reason })
        };
        let entries = entries.into_iter().enumerate().map(entry).collect::<Result<_, _>>()?;
        Ok(Self { entries })
    }
}

/// Changes the list, and keeps the comments that people wrote into the file. A lock makes several
/// writers wait for each other. Returns the new text, which is on the disk by then.
pub(crate) fn edit<T>(
    data: &Path,
    change: impl FnOnce(&mut Vec<Revocation>) -> T,
) -> Result<(String, T), RevokedError> {
    let path = path(data);
    let write = |error| RevokedError::Write(path.display().to_string(), error);
    file::make_data_folder(data).map_err(write)?;
    let lock = fs::File::create(data.join("revoked.lock")).map_err(write)?;
    lock.lock().map_err(write)?;
    let text = read(&path)?;
    let mut entries = match &text {
        Some(text) => RevokedList::parse(&path, text)?.entries,
        None => vec![],
    };
    let text = text.unwrap_or_default();
    let before = entries.clone();
    let outcome = change(&mut entries);
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error| RevokedError::Form(path.display().to_string(), format!("{error}")))?;
    let tables = document.entry("revoked").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    if let Some(tables) = tables.as_array_of_tables_mut() {
        let mut kept = before.iter().map(|entry| entries.contains(entry));
        tables.retain(|_| kept.next().unwrap_or(true));
        for entry in entries.iter().filter(|entry| !before.contains(entry)) {
            tables.push(table(entry));
        }
    } else {
        // A list written as `revoked = []` has no tables to add to, so it is replaced.
        *tables = Item::ArrayOfTables(entries.iter().map(table).collect());
    }
    let mut text = document.to_string();
    if text.trim().is_empty() {
        // Not an empty file, because that is a file which is being written.
        "revoked = []\n".clone_into(&mut text);
    }
    // Parsed before it is written, so that the server never gets a list that it must refuse.
    RevokedList::parse(&path, &text)?;
    file::replace(&path, text.as_bytes(), Access::OwnerOnly).map_err(write)?;
    Ok((text, outcome))
}

fn table(entry: &Revocation) -> Table {
    let mut table = Table::new();
    table.insert(entry.whom.key(), value(entry.whom.id()));
    if let Some(issuer) = &entry.issuer {
        table.insert("issuer", value(issuer));
    }
    if let Some(before) = entry.issued_before
        && let Ok(before) = before.to_string().parse::<toml_edit::Datetime>()
    {
        table.insert("issued_before", value(before));
    }
    if let Some(reason) = &entry.reason {
        table.insert("reason", value(reason));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(whom: RevocationTarget) -> Revocation {
        Revocation { whom, issuer: None, issued_before: None, reason: None }
    }

    #[test]
    fn an_edit_is_read_back_and_keeps_comments() {
        let data = tempfile::tempdir().unwrap();
        let path = path(data.path());
        let by_hand = "# for the auditors\n\n[[revoked]]\nclient = \"cli\" # leaked\n";
        fs::write(&path, by_hand).unwrap();
        let mut person = entry(RevocationTarget::Subject("ada".to_owned()));
        person.issuer = Some("https://x.example".to_owned());
        person.issued_before = Some("2026-11-26T10:00:00Z".parse().unwrap());
        person.reason = Some("lost \"laptop\"".to_owned());
        let (text, ()) = edit(data.path(), |all| all.push(person.clone())).unwrap();
        assert!(text.starts_with(by_hand), "{text}");
        assert_eq!(text, read(&path).unwrap().unwrap());
        let all = RevokedList::parse(&path, &text).unwrap().entries;
        assert_eq!(all, [entry(RevocationTarget::Client("cli".to_owned())), person]);
        let (text, ()) = edit(data.path(), |all| drop(all.remove(0))).unwrap();
        assert_eq!(RevokedList::parse(&path, &text).unwrap().entries, &all[1..]);
        let (text, ()) = edit(data.path(), Vec::clear).unwrap();
        assert_eq!(RevokedList::parse(&path, &text).unwrap(), RevokedList::default());
        fs::write(&path, "").unwrap();
        assert!(edit(data.path(), Vec::clear).is_err(), "it may be one that is being written");
        fs::remove_file(&path).unwrap();
        edit(data.path(), |all| all.push(entry(RevocationTarget::Client("cli".to_owned()))))
            .unwrap();
        let (text, ()) = edit(data.path(), Vec::clear).unwrap();
        assert_eq!(text, "revoked = []\n", "an empty file is one that is being written");
    }

    #[test]
    fn a_list_with_a_mistake_is_refused() {
        let parse = |text: &str| RevokedList::parse(Path::new("revoked.toml"), text);
        for bad in [
            "revoked = 1",
            "[[revoke]]\nsubject = \"a\"",
            "[[revoked]]",
            "[[revoked]]\nsubject = \"a\"\nclient = \"b\"",
            "[[revoked]]\nsubject = \"\"",
            "[[revoked]]\nsubject = \"a\"\nisuer = \"b\"",
            "[[revoked]]\nsubject = \"a\"\nissued_before = 2026-11-26",
            "[[revoked]]\ntoken = \"a\"\nissued_before = 2026-11-26T10:00:00Z",
            "[[revoked]]\nsubject = \"a\"\n[[revoked]]\nsubject = ",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        for nothing in ["", " \n", "# nobody\n"] {
            assert!(parse(nothing).is_err(), "{nothing:?}");
        }
        assert_eq!(parse("revoked = []").unwrap(), RevokedList::default());
    }

    /// Whatever beginning of a list is read, it revokes all whom it names, or is refused.
    #[test]
    fn no_beginning_of_a_list_revokes_nobody() {
        let whole = "# by hand\n[[revoked]]\nsubject = \"ada\"\n\n[[revoked]]\nclient = \"cli\"\n";
        for length in 0..whole.len() {
            if let Ok(list) = RevokedList::parse(Path::new("revoked.toml"), &whole[..length]) {
                assert!(!list.entries.is_empty(), "{length}");
            }
        }
    }
}
