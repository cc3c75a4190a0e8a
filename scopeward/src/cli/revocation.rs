//! The commands `revocation …`, which add, remove and list revocations.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use jiff::Timestamp;
use serde::Deserialize;

use super::{Deployment, Failure, Verdict};
use crate::{
    file,
    identity::{
        revocation::{self, RevokedList},
        token::{Revocation, RevocationTarget},
    },
    policy::diagnostic::nearest,
    record::audit::journal,
    serve::lock::DataLock,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum RevocationCommand {
    /// Revoke a token, a subject or a client, and return when the revocation is in force
    Add(AddArguments),
    /// Remove the revocations of a token, a subject or a client
    Remove(TargetArguments),
    /// List the revocations
    List,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct TargetArguments {
    /// One token, by its `jti`
    #[arg(long, value_name = "JTI", allow_hyphen_values = true)]
    token: Option<String>,
    /// Every token with this `sub`
    #[arg(long, value_name = "SUB", allow_hyphen_values = true)]
    subject: Option<String>,
    /// Every token that was issued to this client
    #[arg(long, value_name = "CLIENT_ID", allow_hyphen_values = true)]
    client: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct AddArguments {
    #[command(flatten)]
    target: TargetArguments,
    /// Only tokens of this issuer; by default those of every issuer
    #[arg(long, value_name = "URL", conflicts_with = "token")]
    issuer: Option<String>,
    /// Only tokens that were issued until now, so that a new sign-in gives access again
    #[arg(long, conflicts_with = "token")]
    sign_out: bool,
    /// The reason, for people who read the list
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
}

impl TargetArguments {
    fn named(&self) -> Option<RevocationTarget> {
        let token = self.token.clone().map(RevocationTarget::Token);
        let subject = || self.subject.clone().map(RevocationTarget::Subject);
        token.or_else(subject).or_else(|| self.client.clone().map(RevocationTarget::Client))
    }

    fn target(&self) -> Result<RevocationTarget, Failure> {
        let target = self.named().filter(|target| !target.id().is_empty());
        target.ok_or_else(|| Failure::refused("the token, subject or client to revoke is empty"))
    }
}

pub(super) fn run(
    command: &RevocationCommand,
    deployment: &Deployment,
) -> Result<Verdict, Failure> {
    let data = &deployment.data;
    match command {
        RevocationCommand::List => {
            let path = revocation::path(data);
            let text = revocation::read(&path).map_err(Failure::failed)?.unwrap_or_default();
            for entry in RevokedList::parse(&path, &text).map_err(Failure::failed)?.entries {
                outln!("{entry}");
            }
            Ok(Verdict::Good)
        }
        RevocationCommand::Add(arguments) => {
            let entry = Revocation {
                whom: arguments.target.target()?,
                issuer: arguments.issuer.clone(),
                // The next second, because tokens have whole seconds as their time of issue, and
                // the tokens of this second are revoked as well.
                issued_before: arguments.sign_out.then(next_second),
                reason: arguments.reason.clone(),
            };
            let add = |all: &mut Vec<Revocation>| {
                if !all.contains(&entry) {
                    all.push(entry.clone());
                }
            };
            let (text, ()) = revocation::edit(data, add).map_err(Failure::failed)?;
            if let Some(warning) = unseen(&entry.whom, &seen(data, &entry.whom)) {
                anstream::eprintln!("warning: {warning}");
            }
            report(deployment, &text, &format!("revoked: {entry}"))
        }
        RevocationCommand::Remove(arguments) => {
            let target = arguments.target()?;
            let remove = |all: &mut Vec<Revocation>| {
                let before = all.len();
                all.retain(|entry| entry.whom != target);
                before - all.len()
            };
            let (text, removed) = revocation::edit(data, remove).map_err(Failure::failed)?;
            if removed == 0 {
                return Err(Failure::failed(format!(
                    "{} {} is not revoked\n  = help: `revocation list` shows what is",
                    target.key(),
                    target.id()
                )));
            }
            report(deployment, &text, &format!("let in again: {} {}", target.key(), target.id()))
        }
    }
}

/// At most this many bytes at the end of the audit file are looked through for names.
const MOST_LOOKED_THROUGH: u64 = 64 * 1024 * 1024;

/// The subjects or clients that the audit file has seen; empty for a token, and without a file.
fn seen(data: &Path, whom: &RevocationTarget) -> BTreeSet<String> {
    #[derive(Deserialize)]
    struct Seen {
        subject: Option<String>,
        client: Option<String>,
    }
    let Ok(mut file) = file::open(&journal::CALLERS.path(data)) else { return BTreeSet::new() };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let from = length.saturating_sub(MOST_LOOKED_THROUGH);
    if file.seek(SeekFrom::Start(from)).is_err() {
        return BTreeSet::new();
    }
    let lines = BufReader::new(file.take(MOST_LOOKED_THROUGH)).split(b'\n');
    let records = lines.map_while(Result::ok);
    let records = records.filter_map(|line| serde_json::from_slice::<Seen>(&line).ok());
    let names = records.filter_map(|record| match whom {
        RevocationTarget::Token(_) => None,
        RevocationTarget::Subject(_) => record.subject,
        RevocationTarget::Client(_) => record.client,
    });
    names.collect()
}

/// What is said of a name that nobody has: the revocation is in force, and may be a slip.
fn unseen(whom: &RevocationTarget, seen: &BTreeSet<String>) -> Option<String> {
    let (key, id) = (whom.key(), whom.id());
    if seen.is_empty() || seen.contains(id) {
        return None;
    }
    let in_other_case = seen.iter().find(|name| name.to_lowercase() == id.to_lowercase());
    let near =
        in_other_case.map(String::as_str).or_else(|| nearest(id, seen.iter().map(String::as_str)));
    let help = near.map_or(String::new(), |near| {
        format!("\n  = help: did you mean {near:?}? Then add it as well, and remove {id:?}")
    });
    Some(format!("no {key} {id:?} is in the audit file, so this may revoke nothing{help}"))
}

fn next_second() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() + 1).unwrap_or(Timestamp::MAX)
}

/// Prints the change, once it is in force.
fn report(deployment: &Deployment, text: &str, done: &str) -> Result<Verdict, Failure> {
    let data = &deployment.data;
    if !DataLock::is_held(data) {
        outln!("{done}\nNo server uses {}: in force when one starts.", data.display());
        return Ok(Verdict::Good);
    }
    if revocation::is_served(data, text) {
        outln!("{done}");
        return Ok(Verdict::Good);
    }
    Err(Failure::failed(format!(
        "it is written, but the server has not loaded it: see the server's log\n  = note: {done}"
    )))
}
