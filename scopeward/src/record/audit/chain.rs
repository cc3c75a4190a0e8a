//! The chain of audit records: each record names its predecessor, so that a record that is changed,
//! removed or inserted afterwards breaks the chain.
//!
//! A record's last two members are its number and the SHA-256 of the line before it, without the
//! line's end, so that `sha256sum` is enough to check a record by hand. Records removed from the
//! end leave no trace in the file. To notice that, keep the [`ChainHead`] elsewhere.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;

/// The SHA-256 of a line.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub(crate) fn of(line: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, line).as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            let digit = |half: u8| b"0123456789abcdef"[usize::from(half)];
            *pair = [digit(byte >> 4), digit(byte & 0xf)];
        }
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The error of a text that is not a chain head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not NUMBER:DIGEST, as `audit verify` prints it")]
pub(crate) struct NotAChainHead;

impl FromStr for Digest {
    type Err = NotAChainHead;

    fn from_str(text: &str) -> Result<Self, NotAChainHead> {
        let mut bytes = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return Err(NotAChainHead);
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            let digit = |one: u8| char::from(one).to_digit(16).and_then(|d| u8::try_from(d).ok());
            *byte = digit(pair[0])
                .zip(digit(pair[1]))
                .map(|(high, low)| high << 4 | low)
                .ok_or(NotAChainHead)?;
        }
        Ok(Self(bytes))
    }
}

/// The last record of a chain: its number, and the digest of its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ChainHead {
    pub(crate) number: u64,
    pub(crate) digest: Digest,
}

impl fmt::Display for ChainHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.digest)
    }
}

impl FromStr for ChainHead {
    type Err = NotAChainHead;

    fn from_str(text: &str) -> Result<Self, NotAChainHead> {
        let (number, digest) = text.split_once(':').ok_or(NotAChainHead)?;
        Ok(Self { number: number.parse().map_err(|_| NotAChainHead)?, digest: digest.parse()? })
    }
}

impl ChainHead {
    /// Adds a record to `out` with its number and predecessor, and makes it the head. `record` is
    /// `{…}` with the line's end.
    pub(super) fn append(&mut self, record: &[u8], out: &mut Vec<u8>) {
        use std::io::Write;
        let start = out.len();
        out.extend_from_slice(record.strip_suffix(b"}\n").unwrap_or(record));
        let number = self.number + 1;
        // Writing to memory does not fail.
        let _ = write!(out, ",\"number\":{number},\"previous\":\"{}\"}}", self.digest);
        *self = Self { number, digest: Digest::of(&out[start..]) };
        out.push(b'\n');
    }
}

/// The decision of a record that says that the file before it was taken away or changed by somebody
/// else. The record carries on the number and the digest of the last record that the server wrote,
/// so the chain holds although records may be missing before it.
pub(crate) const CONTINUED: &str = "continued";

/// The members of a line that place it in the chain.
#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    decision: String,
    #[serde(default)]
    reason: Option<String>,
    number: Option<u64>,
    previous: Option<String>,
}

/// A place in a chain where the server went on after somebody else had taken away or changed its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Continuation {
    /// The number of the record that says so.
    pub(crate) number: u64,
    pub(crate) reason: String,
    /// How many records before it are in none of the files that were walked through.
    pub(crate) missing: u64,
}

/// The reason why a line breaks the chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BrokenChain {
    #[error("it is not a record")]
    NotARecord,
    #[error("it has no number or no predecessor, but the records before it have both")]
    NotChained,
    #[error("it is number {0}, but {1} was expected: records were removed or inserted")]
    Number(u64, u64),
    #[error("its predecessor is not the line before it: that line was changed")]
    Predecessor,
}

/// A walk through a chain from its first record, which checks each line.
#[derive(Debug, Default)]
pub(crate) struct ChainWalk {
    /// The last record, if it is chained.
    head: Option<ChainHead>,
    /// The digest of the last unchained line.
    before: Option<Digest>,
    /// The number of the first chained record.
    pub(crate) first: u64,
    /// How many records were written before records were chained.
    pub(crate) unchained: u64,
    /// Where the server went on after somebody else had taken away or changed its file.
    pub(crate) continuations: Vec<Continuation>,
}

impl ChainWalk {
    /// Checks the next line, which is given without its end.
    pub(crate) fn next(&mut self, line: &[u8]) -> Result<(), BrokenChain> {
        let chained: Link = serde_json::from_slice(line).map_err(|_| BrokenChain::NotARecord)?;
        let digest = Digest::of(line);
        let (Some(number), Some(previous)) = (chained.number, chained.previous) else {
            if self.head.is_some() {
                return Err(BrokenChain::NotChained);
            }
            self.unchained += 1;
            self.before = Some(digest);
            return Ok(());
        };
        let previous: Digest = previous.parse().map_err(|_| BrokenChain::NotARecord)?;
        let is_continued = chained.decision == CONTINUED;
        if is_continued {
            let before = self.head.map_or(0, |head| head.number);
            self.continuations.push(Continuation {
                number,
                reason: chained.reason.unwrap_or_default(),
                missing: number.saturating_sub(before + 1),
            });
        }
        match (self.head, self.before) {
            // Somebody took away the records in between, and this record says so.
            (Some(head), _) if is_continued && number > head.number + 1 => {}
            (Some(head), _) if number != head.number + 1 => {
                return Err(BrokenChain::Number(number, head.number + 1));
            }
            (Some(ChainHead { digest: expected, .. }), _) | (None, Some(expected))
                if previous != expected =>
            {
                return Err(BrokenChain::Predecessor);
            }
            (Some(_), _) => {}
            (None, before) => {
                // The first record of all has no predecessor. If the walk begins with a later
                // record, its predecessor was in a file that has been removed, and cannot be
                // checked.
                if before.is_none() && number == 1 && previous != Digest::default() {
                    return Err(BrokenChain::Predecessor);
                }
                self.first = number;
            }
        }
        self.head = Some(ChainHead { number, digest });
        Ok(())
    }

    /// The end of the chain, which the next record follows.
    pub(crate) fn head(&self) -> ChainHead {
        let unchained = ChainHead { number: 0, digest: self.before.unwrap_or_default() };
        self.head.unwrap_or(unchained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chained(records: &[&str]) -> Vec<Vec<u8>> {
        let mut head = ChainHead::default();
        let line = |record: &&str| {
            let mut line = vec![];
            head.append(format!("{record}\n").as_bytes(), &mut line);
            line.pop();
            line
        };
        records.iter().map(line).collect()
    }

    fn walk(lines: &[Vec<u8>]) -> Result<ChainHead, (usize, BrokenChain)> {
        let mut walk = ChainWalk::default();
        for (place, line) in lines.iter().enumerate() {
            walk.next(line).map_err(|broken| (place, broken))?;
        }
        Ok(walk.head())
    }

    const RECORDS: [&str; 4] = [r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#, r#"{"a":4}"#];

    #[test]
    fn an_unchanged_chain_holds() {
        let lines = chained(&RECORDS);
        let head = walk(&lines).unwrap();
        assert_eq!(head.number, 4);
        assert_eq!(head.to_string().parse(), Ok(head));
        // The oldest file may be gone.
        assert_eq!(walk(&lines[2..]), Ok(head));
    }

    #[test]
    fn a_changed_chain_breaks() {
        let lines = chained(&RECORDS);
        let changed = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
            let mut lines = lines.clone();
            change(&mut lines);
            walk(&lines)
        };
        assert_eq!(changed(&|all| all[1][5] = b'9'), Err((2, BrokenChain::Predecessor)));
        assert_eq!(changed(&|all| drop(all.remove(1))), Err((1, BrokenChain::Number(3, 2))));
        assert_eq!(changed(&|all| all.swap(1, 2)), Err((1, BrokenChain::Number(3, 2))));
        assert_eq!(
            changed(&|all| all.insert(2, all[1].clone())),
            Err((2, BrokenChain::Number(2, 3)))
        );
        assert_eq!(
            changed(&|all| all.insert(1, b"{\"a\":5}".to_vec())),
            Err((1, BrokenChain::NotChained))
        );
        assert_eq!(changed(&|all| all[3].truncate(9)), Err((3, BrokenChain::NotARecord)));
    }

    #[test]
    fn a_record_that_continues_names_what_is_missing() {
        let mut records = RECORDS;
        records[2] = r#"{"decision":"continued","reason":"was removed"}"#;
        let lines = chained(&records);
        let continued = |lines: &[Vec<u8>]| {
            let mut walk = ChainWalk::default();
            lines.iter().try_for_each(|line| walk.next(line)).map(|()| walk.continuations)
        };
        let expected =
            |missing| vec![Continuation { number: 3, reason: "was removed".to_owned(), missing }];
        assert_eq!(continued(&lines), Ok(expected(0)));
        assert_eq!(continued(&lines[2..]), Ok(expected(2)));
        assert_eq!(continued(&[&lines[..1], &lines[2..]].concat()), Ok(expected(1)));
        // It does not excuse a record that was changed, or one that stands twice.
        let mut changed = lines.clone();
        changed[1][5] = b'9';
        assert_eq!(continued(&changed), Err(BrokenChain::Predecessor));
        let twice = [&lines[..], &lines[2..]].concat();
        assert_eq!(continued(&twice), Err(BrokenChain::Number(3, 5)));
    }

    #[test]
    fn unchained_records_may_stand_before_chained_ones() {
        let mut walk = ChainWalk::default();
        walk.next(b"{\"old\":1}").unwrap();
        let mut head = walk.head();
        let mut line = vec![];
        head.append(b"{\"new\":1}\n", &mut line);
        line.pop();
        walk.next(&line).unwrap();
        assert_eq!((walk.unchained, walk.first, walk.head()), (1, 1, head));
        let mut changed = ChainWalk::default();
        changed.next(b"{\"old\":2}").unwrap();
        assert_eq!(changed.next(&line), Err(BrokenChain::Predecessor));
    }
}
