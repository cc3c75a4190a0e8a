//! `policy matrix`: tools by scopes.

use crate::{
    cli::{Deployment, Failure, Verdict},
    policy::matrix::Matrix,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct MatrixArguments {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    /// A page by itself
    Html,
}

pub(super) fn matrix(
    deployment: &Deployment,
    arguments: &MatrixArguments,
) -> Result<Verdict, Failure> {
    let policy = deployment.compile()?;
    let matrix = Matrix::new(&policy);
    match arguments.format {
        Format::Text => anstream::print!("{}", matrix.text()),
        Format::Json => print!("{}", matrix.json()),
        Format::Html => print!("{}", matrix.html().map_err(Failure::failed)?),
    }
    Ok(Verdict::Good)
}
