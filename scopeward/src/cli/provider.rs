//! The commands `provider …`, which list the providers that a policy can name and show each preset.

use super::{Failure, Verdict};
use crate::policy::{
    diagnostic::nearest,
    provider::{PRESETS, Preset},
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum ProviderCommand {
    /// List the providers that the policy can name
    List,
    /// Show the preset of a provider: issuer, audience and scopes, with the sources
    Show {
        /// The provider's name in the policy
        name: String,
    },
}

pub(super) fn run(command: &ProviderCommand) -> Result<Verdict, Failure> {
    match command {
        ProviderCommand::List => {
            let word = |preset: &Preset| preset.word;
            let width = PRESETS.iter().map(|preset| word(preset).len()).max().unwrap_or_default();
            for preset in PRESETS {
                outln!("{:width$}  {}", word(preset), preset.title);
            }
        }
        ProviderCommand::Show { name } => out!("{}", named(name)?),
    }
    Ok(Verdict::Good)
}

fn named(name: &str) -> Result<&'static Preset, Failure> {
    let words = || PRESETS.iter().map(|preset| preset.word);
    PRESETS.iter().find(|preset| preset.word == name).ok_or_else(|| {
        let help = match nearest(name, words()) {
            Some(right) => format!("did you mean `{right}`?"),
            None => format!("one of {}", words().collect::<Vec<_>>().join(", ")),
        };
        Failure::refused(format!("there is no provider `{name}`\n  = help: {help}"))
    })
}
