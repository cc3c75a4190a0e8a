//! The command `policy matrix`, which prints a table of tools by scopes.

use askama::Template;

use crate::{
    cli::{Deployment, Failure, Verdict},
    policy::{Registry, matrix::Matrix},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct MatrixArguments {
    /// How to print the table
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    /// An HTML page that needs no other file
    Html,
}

/// The matrix as a page of HTML, without scripts and without external requests.
#[derive(Template)]
#[template(path = "matrix.html")]
struct Page<'m> {
    matrix: &'m Matrix<'m>,
}

pub(super) fn matrix(
    deployment: &Deployment,
    registry: &Registry,
    arguments: &MatrixArguments,
) -> Result<Verdict, Failure> {
    let policy = deployment.compile()?;
    let matrix = Matrix::new(&policy, registry);
    match arguments.format {
        Format::Text => out!("{}", matrix.text()),
        Format::Json => out_raw!("{}", matrix.json()),
        Format::Html => out_raw!("{}", Page { matrix: &matrix }.render().map_err(Failure::failed)?),
    }
    Ok(Verdict::Good)
}
