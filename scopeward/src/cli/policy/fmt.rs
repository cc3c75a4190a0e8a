//! The command `policy fmt`, which writes the policy in its canonical layout.

use similar::TextDiff;

use crate::{
    cli::{Deployment, Failure, Verdict, files},
    policy::format::format,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct FmtArguments {
    /// Write nothing, but print the changes and fail if there are any
    #[arg(long)]
    check: bool,
}

pub(super) fn fmt(deployment: &Deployment, arguments: &FmtArguments) -> Result<Verdict, Failure> {
    let source = deployment.source()?;
    let formatted = format(source.text()).map_err(Failure::refused)?;
    if formatted == source.text() {
        return Ok(Verdict::Good);
    }
    if !arguments.check {
        files::replace(deployment.policy_path(), &formatted)?;
        errln!("formatted {}", source.path());
        return Ok(Verdict::Good);
    }
    let difference = TextDiff::from_lines(source.text(), &formatted);
    let header = format!("{} (formatted)", source.path());
    out!("{}", difference.unified_diff().header(source.path(), &header));
    if source.text().replace("\r\n", "\n") == formatted.replace("\r\n", "\n") {
        errln!("{}: some lines end with CR LF and others with LF", source.path());
    }
    errln!("{} is not in its canonical layout: run `policy fmt`", source.path());
    Ok(Verdict::Bad)
}
