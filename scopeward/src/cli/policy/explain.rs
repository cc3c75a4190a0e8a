//! The command `policy explain`: whether a caller may use a tool, resource or prompt, and which
//! scopes are missing.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Map, Value};

use crate::{
    cli::{
        Deployment, Failure, Verdict, accepted,
        files::read_token,
        runtime::block_on,
        scopes::{advice, joined},
    },
    identity::token::AccessToken,
    live::LivePolicy,
    policy::{
        CompiledPolicy, Feature, Operation, Registry, Rule, Scope, diagnostic::nearest,
        explain::Explanation,
    },
    serve::startup,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ExplainArguments {
    #[command(flatten)]
    subject: SubjectArguments,
    /// The arguments of the call, as a JSON object, for rules that depend on them
    #[arg(long, value_name = "JSON")]
    arguments: Option<String>,
    /// The claims of the caller's token, as a JSON object, for rules that depend on them
    #[arg(long, value_name = "JSON", conflicts_with = "token")]
    claims: Option<String>,
    /// The scopes that the caller was granted, separated by spaces
    #[arg(long, value_name = "SCOPES", required_unless_present_any = ["token", "anonymous"])]
    scopes: Option<String>,
    /// A file with the caller's access token; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "scopes")]
    token: Option<PathBuf>,
    /// Ask about a caller without a token
    #[arg(long, conflicts_with_all = ["scopes", "token", "claims"])]
    anonymous: bool,
    /// How to print the explanation
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// The tool, resource or prompt that the caller wants to use; exactly one is given.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct SubjectArguments {
    /// The tool to explain
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// The resource to explain
    #[arg(long, value_name = "URI")]
    resource: Option<String>,
    /// The prompt to explain
    #[arg(long, value_name = "NAME")]
    prompt: Option<String>,
}

impl SubjectArguments {
    fn named(&self) -> (Feature, &str) {
        match (&self.tool, &self.resource, &self.prompt) {
            (_, Some(uri), _) => (Feature::Resource, uri),
            (_, _, Some(name)) => (Feature::Prompt, name),
            (tool, ..) => (Feature::Tool, tool.as_deref().unwrap_or_default()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn explain(
    deployment: &Deployment,
    registry: &Registry,
    name: &str,
    arguments: &ExplainArguments,
) -> Result<Verdict, Failure> {
    let policy = Arc::new(deployment.compile()?);
    let token = arguments.token.as_deref();
    let token = token.map(|file| accepted_token(file, deployment, &policy, name)).transpose()?;
    let granted = match (&token, &arguments.scopes) {
        (Some(token), _) => token.scopes().to_vec(),
        (None, scopes) => scopes_of_option(scopes.as_deref().unwrap_or_default(), &policy)?,
    };
    let (feature, subject) = arguments.subject.named();
    let known = policy.rules().filter(|(other, ..)| *other == feature).map(|(_, name, _)| name);
    if policy.rule(feature, subject).is_none()
        && let Some(right) = nearest(subject, known)
    {
        errln!("the policy has no rule for `{subject}`: did you mean `{right}`?");
    }
    let given = object("--arguments", arguments.arguments.as_deref())?;
    let claims = match &token {
        Some(token) => Some(token.claims().clone()),
        None => object("--claims", arguments.claims.as_deref())?,
    };
    // A condition counts as met where it cannot be evaluated, so a misspelt argument looks like a lack
    // of scopes.
    if let (Some(given), Some(declared)) = (&given, registry.get(feature, subject)) {
        for fault in declared.argument_faults(given) {
            anstream::eprintln!("{fault}");
        }
    }
    // Without arguments or claims the question is whether some would be allowed. The text names the
    // conditions.
    let mut operation = Operation::new(feature, subject).for_some_arguments().for_some_claims();
    if let Some(given) = &given {
        operation = operation.with_arguments(given);
    }
    if let Some(claims) = &claims {
        operation = operation.with_claims(claims);
    }
    let rule = policy.rule(feature, subject).map_or(subject, Rule::name);
    let explanation = if arguments.anonymous {
        // Such a caller has no claims, so none are unknown.
        Explanation::anonymous(&policy, operation.with_claims(&Map::new()))
    } else {
        Explanation::new(&policy, operation, granted)
    };
    let explanation = explanation.with_declared(registry.get(feature, rule));
    match arguments.format {
        Format::Text => out!("{}", explanation.text()),
        Format::Json => out_raw!("{}", explanation.json()),
    }
    Ok(Verdict::of(explanation.is_allowed()))
}

/// The scopes of `--scopes`. Scopes that are joined by a comma are refused, because the answer would be
/// about a scope that nobody meant.
fn scopes_of_option(text: &str, policy: &CompiledPolicy) -> Result<Vec<Scope>, Failure> {
    let is_known = |word: &str| policy.scope_named(word).is_some();
    let parsed = text.split_whitespace().map(|word| {
        if joined(word, is_known).is_some() {
            return Err(Failure::refused(advice(word, ("--scopes", text), is_known)));
        }
        Scope::parse(word).map_err(|error| Failure::refused(format!("`{word}`: {error}")))
    });
    parsed.collect()
}

fn object(option: &str, text: Option<&str>) -> Result<Option<Map<String, Value>>, Failure> {
    let parsed = text.map(serde_json::from_str).transpose();
    parsed.map_err(|error| Failure::refused(format!("{option} takes a JSON object: {error}")))
}

/// The token, which must be one that the server's own validator accepts.
fn accepted_token(
    file: &Path,
    deployment: &Deployment,
    policy: &Arc<CompiledPolicy>,
    name: &str,
) -> Result<AccessToken, Failure> {
    let text = read_token(file)?;
    let configured = startup::configured(deployment, policy)?;
    let unserved = LivePolicy::unserved(Arc::clone(policy));
    let token = block_on(async {
        let validator = accepted::validator(deployment, &configured, &unserved, name).await?;
        Ok::<_, Failure>(accepted::accepted(&validator, &text).await)
    })??;
    token.map_err(|error| {
        Failure::refused(format!("the server would not accept this token: {error}"))
    })
}
