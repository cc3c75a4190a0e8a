//! `revocation …`: who and what is not let in any more.

use jiff::Timestamp;

use super::{Deployment, Failure, Verdict, lock::DataLock};
use crate::identity::{
    revocation::{self, RevokedList},
    token::{Revocation, RevocationTarget},
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum RevocationCommand {
    /// Revoke a token, a person's access or a client's; done when it is in force
    Add(AddArguments),
    /// Let in again
    Remove(What),
    /// What is revoked
    List,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct What {
    /// One token, by its `jti`
    #[arg(long, value_name = "JTI")]
    token: Option<String>,
    /// Whoever has this `sub`
    #[arg(long, value_name = "SUB")]
    subject: Option<String>,
    /// Whatever was issued to this client
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct AddArguments {
    #[command(flatten)]
    what: What,
    /// Only what this issuer issued; without it, whoever issued it
    #[arg(long, value_name = "URL", conflicts_with = "token")]
    issuer: Option<String>,
    /// Only tokens that were issued until now: who signs in anew is let in again
    #[arg(long, conflicts_with = "token")]
    sign_out: bool,
    /// For whoever reads the list
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl What {
    fn named(&self) -> Option<RevocationTarget> {
        let token = self.token.clone().map(RevocationTarget::Token);
        let subject = || self.subject.clone().map(RevocationTarget::Subject);
        token.or_else(subject).or_else(|| self.client.clone().map(RevocationTarget::Client))
    }

    fn wanted(&self) -> Result<RevocationTarget, Failure> {
        let whom = self.named().filter(|whom| !whom.id().is_empty());
        whom.ok_or_else(|| Failure::refused("whom or what? nothing is named"))
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
                anstream::println!("{entry}");
            }
            Ok(Verdict::Good)
        }
        RevocationCommand::Add(arguments) => {
            let entry = Revocation {
                whom: arguments.what.wanted()?,
                issuer: arguments.issuer.clone(),
                // Tokens say when they were issued in whole seconds: those of this one are meant.
                issued_before: arguments.sign_out.then(next_second),
                reason: arguments.reason.clone(),
            };
            let add = |all: &mut Vec<Revocation>| {
                if !all.contains(&entry) {
                    all.push(entry.clone());
                }
            };
            let (text, ()) = revocation::edit(data, add).map_err(Failure::failed)?;
            told(deployment, &text, &format!("revoked: {entry}"))
        }
        RevocationCommand::Remove(what) => {
            let whom = what.wanted()?;
            let remove = |all: &mut Vec<Revocation>| {
                let before = all.len();
                all.retain(|entry| entry.whom != whom);
                before - all.len()
            };
            let (text, removed) = revocation::edit(data, remove).map_err(Failure::failed)?;
            if removed == 0 {
                return Err(Failure::failed(format!(
                    "{} {} is not revoked\n  = help: `revocation list` shows what is",
                    whom.key(),
                    whom.id()
                )));
            }
            told(deployment, &text, &format!("let in again: {} {}", whom.key(), whom.id()))
        }
    }
}

fn next_second() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() + 1).unwrap_or(Timestamp::MAX)
}

/// Says what was done, once it is in force.
fn told(deployment: &Deployment, text: &str, done: &str) -> Result<Verdict, Failure> {
    let data = &deployment.data;
    if !DataLock::is_held(data) {
        anstream::println!("{done}\nNo server uses {}: in force when one starts.", data.display());
        return Ok(Verdict::Good);
    }
    if revocation::is_served(data, text) {
        anstream::println!("{done}");
        return Ok(Verdict::Good);
    }
    Err(Failure::failed(format!(
        "it is written, and the server has not taken it up: see its log\n  = note: {done}"
    )))
}
