//! Examines a provider: its metadata, its keys or introspection, its clock and its registered
//! scopes.

use std::{collections::BTreeSet, time::SystemTime};

use super::report::DoctorReport;
use crate::{
    identity::{
        provider::{ConfiguredProvider, RegisteredError, TokenCheck},
        token::{Fetched, Introspector, KeysAt, LEEWAY, TokenError, VerificationKeys, fetch_keys},
    },
    policy::{CompiledPolicy, diagnostic::counted},
    remote::{JsonAnswer, Metadata, Remote, RemoteError},
};

/// Asks the provider for everything that the server asks it for, and reports the answers.
pub(crate) async fn examine(
    report: &mut DoctorReport,
    remote: &Remote,
    configured: &ConfiguredProvider,
    policy: &CompiledPolicy,
) {
    let metadata = configured.metadata(remote).await;
    match &metadata {
        Ok(metadata) => {
            report.ok("discovery", metadata.url.clone());
            if let [issuer, ..] = configured.learned.names() {
                let known = &configured.issuers[0];
                let text = format!(
                    "its metadata says that the issuer is {issuer}: tokens of it and of {known} are \
                     accepted, and clients are sent there"
                );
                report.ok("issuer", text);
            }
            can_sign_in(report, metadata);
            clock(report, &metadata.answer);
        }
        Err(error) => report.wrong("discovery", error.to_string(), fix(configured, error)),
    }
    match &configured.check {
        TokenCheck::Keys(at) => keys(report, remote, configured, at).await,
        TokenCheck::Asking(how) => {
            let introspector = Introspector::new(how.clone(), remote.clone());
            introspection(report, &introspector).await;
        }
    }
    registered(report, remote, configured, policy).await;
    for precondition in configured.preset.preconditions {
        report.note(
            "sign-in",
            format!("not seen from here, at {}", configured.preset.title),
            *precondition,
        );
    }
}

/// Checks that MCP clients can sign in, which register themselves or are described by a document.
fn can_sign_in(report: &mut DoctorReport, metadata: &Metadata) {
    const ABOUT: &str = "sign-in";
    let json = &metadata.answer.json;
    let has = |name: &str| json[name].is_string();
    if !has("authorization_endpoint") || !has("token_endpoint") {
        return report.wrong(
            ABOUT,
            "its metadata names no authorization_endpoint and token_endpoint",
            "name an authorization server as the issuer",
        );
    }
    let methods = json["code_challenge_methods_supported"].as_array();
    if methods.is_none_or(|all| !all.iter().any(|method| method == "S256")) {
        return report.note(
            ABOUT,
            "its metadata does not name S256 in code_challenge_methods_supported, and clients of \
             MCP go no further without it",
            "turn on PKCE at the provider",
        );
    }
    if has("registration_endpoint") || json["client_id_metadata_document_supported"] == true {
        return report.ok(ABOUT, "clients can register themselves: leave their client id empty");
    }
    report.note(
        ABOUT,
        "clients cannot register themselves there, so MCP Inspector and others fail with an empty \
         client id",
        "turn on dynamic registration at the provider, or give each client the id of one that is \
         registered there",
    );
}

/// Compares this machine's clock with the provider's, because tokens have times.
fn clock(report: &mut DoctorReport, answer: &JsonAnswer) {
    const ABOUT: &str = "clock";
    let Some(theirs) = answer.date else {
        return report.note(
            ABOUT,
            "the provider's answers have no Date",
            "none needed, because nothing is broken",
        );
    };
    let ours = SystemTime::now();
    let (apart, side) = match ours.duration_since(theirs) {
        Ok(apart) => (apart, "ahead of"),
        Err(error) => (error.duration(), "behind"),
    };
    let text = format!("this machine's is {} s {side} the provider's", apart.as_secs());
    if apart.as_secs() <= LEEWAY {
        report.ok(ABOUT, text);
    } else {
        report.wrong(
            ABOUT,
            format!("{text}, so tokens expire too soon or are not valid yet"),
            "set the clock by NTP",
        );
    }
}

async fn keys(
    report: &mut DoctorReport,
    remote: &Remote,
    configured: &ConfiguredProvider,
    at: &KeysAt,
) {
    match fetch_keys(remote, at).await {
        Ok(Fetched { keys, url, .. }) => report.ok("keys", describe(&keys, &url)),
        Err(error) => report.wrong("keys", error.to_string(), fix(configured, &error)),
    }
}

fn describe(keys: &VerificationKeys, url: &str) -> String {
    let names: BTreeSet<String> = keys.algorithms().map(|name| format!("{name:?}")).collect();
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    format!("{} at {url} ({names})", counted(keys.len(), "key"))
}

/// Asks the provider about a token that nobody issued, which it must call inactive.
async fn introspection(report: &mut DoctorReport, introspector: &Introspector) {
    const ABOUT: &str = "introspect";
    match introspector.probe().await {
        Ok(()) => report.ok(ABOUT, "the provider says what its opaque tokens are"),
        Err(error) => report.wrong(
            ABOUT,
            error.to_string(),
            "check INTROSPECTION_CLIENT_ID and INTROSPECTION_CLIENT_SECRET, and that this client \
             may introspect",
        ),
    }
}

async fn registered(
    report: &mut DoctorReport,
    remote: &Remote,
    configured: &ConfiguredProvider,
    policy: &CompiledPolicy,
) {
    const ABOUT: &str = "scopes";
    let snapshot = match configured.registered(remote, policy.resource()).await {
        Ok(snapshot) => snapshot,
        Err(RegisteredError::Unsaid(who)) => {
            return report.note(
                ABOUT,
                format!("{who} does not say which scopes are registered"),
                "compare them with the provider's console yourself, and write them as `registered`",
            );
        }
        Err(RegisteredError::Remote(error)) => {
            return report.wrong(ABOUT, error.to_string(), fix(configured, &error));
        }
    };
    let registered: BTreeSet<&str> = snapshot.scopes().collect();
    let known = policy.scopes().iter().map(|scope| scope.name().as_str());
    let missing: Vec<&str> = known.filter(|scope| !registered.contains(scope)).collect();
    if missing.is_empty() {
        return report.ok(
            ABOUT,
            match policy.scopes().len() {
                1 => "the one scope of the policy is registered".to_owned(),
                all => format!("all {all} scopes of the policy are registered"),
            },
        );
    }
    for scope in missing {
        let other = registered.iter().find(|other| other.eq_ignore_ascii_case(scope));
        let (text, fix) = match other {
            Some(other) => (
                format!("{scope} is not registered, but {other} is: the case counts"),
                "spell it the same in the policy and at the provider".to_owned(),
            ),
            None => (
                match configured.preset.unregistered {
                    Some(said) => format!(
                        "{scope} is not registered, so no token can have it, and a sign-in that asks \
                         for it is refused ({said})"
                    ),
                    None => format!("{scope} is not registered, so no token can have it"),
                },
                format!("register it at {}, spelled exactly so", configured.preset.title),
            ),
        };
        report.wrong(ABOUT, text, fix);
    }
}

/// The fix for the most frequent cause of an error.
fn fix(configured: &ConfiguredProvider, error: &RemoteError) -> String {
    let is_scalekit = configured.management.is_some() || configured.metadata_url.is_some();
    match error {
        RemoteError::Address(_) => "write an https URL".to_owned(),
        RemoteError::Unreachable { .. } => {
            "check the address, this machine's DNS, proxy and firewall, and the provider's status \
             page"
                .to_owned()
        }
        RemoteError::Status { url, status: 401 | 403, .. } if url.ends_with("/oauth/token") => {
            "check SCALEKIT_CLIENT_ID and SCALEKIT_CLIENT_SECRET".to_owned()
        }
        RemoteError::Status { status: 404, .. } if is_scalekit => {
            "check SCALEKIT_ENVIRONMENT_URL, and SCALEKIT_RESOURCE_ID against the dashboard's id of \
             this MCP server"
                .to_owned()
        }
        RemoteError::Secret { .. } => "put the secret into that file, alone".to_owned(),
        RemoteError::Answer { .. } if !error.to_string().contains("issuer") => {
            "something answers there, and not as a provider does: check the address, and whether a \
             proxy or a login page stands in between"
                .to_owned()
        }
        RemoteError::Status { .. } | RemoteError::Answer { .. } => {
            let form = configured.preset.issuer;
            format!("the issuer is compared byte by byte, slash at its end included; it is {form}")
        }
    }
}

/// Whether an error means that the provider could not be asked.
pub(super) fn is_unavailable(error: &TokenError) -> bool {
    *error == TokenError::Unavailable
}
