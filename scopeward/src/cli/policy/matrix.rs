//! The command `policy matrix`, which prints a table of tools by scopes.

use askama::Template;

use crate::{
    cli::{Deployment, Failure, Verdict},
    policy::{Registry, diagnostic::nearest, matrix::Matrix},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct MatrixArguments {
    /// How to print the table
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Show only what has this in its name; may be given several times
    #[arg(long, value_name = "NAME")]
    tool: Vec<String>,
    /// Show only this scope, or all scopes that begin with it, such as `todo:`, and what they have an
    /// effect on; may be given several times
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Show which scopes let a caller use this tool, resource or prompt
    #[arg(long, value_name = "NAME", conflicts_with = "tool")]
    who_can: Option<String>,
    /// The first column: the rules, or the scopes with the tools that each is enough for
    #[arg(long, value_enum, default_value_t = By::Rule)]
    by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    Rule,
    Scope,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    /// An HTML page that needs no other file
    Html,
}

/// The matrix as a page of HTML without external requests. A script filters it, and without the script
/// the page shows everything.
#[derive(Template)]
#[template(path = "matrix.html")]
struct Page<'m> {
    matrix: &'m Matrix<'m>,
    is_by_scope: bool,
}

pub(super) fn matrix(
    deployment: &Deployment,
    registry: &Registry,
    arguments: &MatrixArguments,
) -> Result<Verdict, Failure> {
    let policy = deployment.compile()?;
    let mut matrix = Matrix::new(&policy, registry);
    filter(&mut matrix, arguments)?;
    let is_by_scope = arguments.by == By::Scope;
    match (arguments.format, is_by_scope) {
        (Format::Text, false) => out!("{}", matrix.text()),
        (Format::Text, true) => out!("{}", matrix.by_scope_text()),
        (Format::Json, false) => out_raw!("{}", matrix.json()),
        (Format::Json, true) => out_raw!("{}", matrix.by_scope_json()),
        (Format::Html, _) => {
            let page = Page { matrix: &matrix, is_by_scope };
            out_raw!("{}", page.render().map_err(Failure::failed)?);
        }
    }
    Ok(Verdict::Good)
}

/// Leaves out what was not asked for. A word that fits nothing is an error, because an empty table
/// would look like a policy that lets nobody in.
fn filter(matrix: &mut Matrix<'_>, arguments: &MatrixArguments) -> Result<(), Failure> {
    let names: Vec<String> = matrix.rows().iter().map(|row| row.name().to_owned()).collect();
    let scopes: Vec<String> = matrix.columns().iter().map(|scope| (*scope).to_owned()).collect();
    for word in &arguments.tool {
        if !names.iter().any(|name| name.contains(word.as_str())) {
            return Err(unknown("rule has a name with", word, &names));
        }
    }
    for word in &arguments.scope {
        if !scopes.iter().any(|scope| scope.starts_with(word.as_str())) {
            return Err(unknown("scope begins with", word, &scopes));
        }
    }
    if let Some(word) = arguments.who_can.as_ref().filter(|word| !names.contains(word)) {
        return Err(unknown("rule is for", word, &names));
    }
    if !arguments.tool.is_empty() {
        let is_asked = |name: &str| arguments.tool.iter().any(|word| name.contains(word.as_str()));
        matrix.keep_rows(is_asked);
    }
    if !arguments.scope.is_empty() {
        // The whole name of a scope is that scope alone, although others may begin with it.
        let fits = |scope: &str, word: &String| {
            if scopes.contains(word) { scope == word } else { scope.starts_with(word.as_str()) }
        };
        matrix.keep_columns(|scope| arguments.scope.iter().any(|word| fits(scope, word)));
        matrix.keep_touched_rows();
    }
    if let Some(word) = &arguments.who_can {
        matrix.keep_rows(|name| name == word);
    }
    if !arguments.tool.is_empty() || arguments.who_can.is_some() {
        matrix.keep_touched_columns();
    }
    Ok(())
}

fn unknown(what: &str, word: &str, known: &[String]) -> Failure {
    let help = match nearest(word, known.iter().map(String::as_str)) {
        Some(right) => format!("did you mean `{right}`?"),
        None => "`policy show` lists the rules and their scopes".to_owned(),
    };
    Failure::refused(format!("no {what} `{word}`\n  = help: {help}"))
}
