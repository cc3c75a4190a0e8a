//! The consent page's form: reads the person's answer and grants the ticked scopes.

use axum::{extract::State, response::Response};
use axum_extra::extract::CookieJar;
use http::{HeaderMap, StatusCode, header};

use super::{
    Issuer, MACHINE,
    answer::{AuthorizationError, BROWSER_COOKIE, redirect},
    credentials,
    pages::{self, Choice, ConsentPage},
    parameters::Parameters,
    state::{AuthorizationCode, Grant, PendingSignIn},
};
use crate::{policy::Scope, text::is_unseen};

/// The longest name that a person can sign in with, in characters; the page has the same bound.
const LONGEST_SUBJECT: usize = 64;

/// Answers `POST`: the form that the person sent.
pub(super) async fn answer(
    State(issuer): State<Issuer>,
    headers: HeaderMap,
    jar: CookieJar,
    body: bytes::Bytes,
) -> Response {
    let form = Parameters::parse(&body);
    let (Ok(id), Ok(name), Ok(action)) =
        (form.one("request"), form.one("name"), form.one("action"))
    else {
        return not_from_the_page();
    };
    let id = id.unwrap_or_default();
    let Some(pending) = issuer.0.store.current().pending(id, issuer.now()).cloned() else {
        return too_late();
    };
    if !comes_from_our_page(&issuer, &headers, &jar, &pending) {
        return not_from_the_page();
    }
    match action {
        Some("allow") => {
            allow(&issuer, id, &pending, name.unwrap_or_default(), form.all("scope")).await
        }
        Some("deny") => deny(&issuer, id, pending).await,
        _ => not_from_the_page(),
    }
}

/// What a person is told when the issuer's state could not be saved.
pub(super) const NOT_SAVED: &str =
    "The sign-in could not be saved. Try again, and look into the server's log.";

fn not_from_the_page() -> Response {
    pages::error(
        StatusCode::FORBIDDEN,
        "This answer does not come from the page that asked. Start again from the client.",
    )
}

fn too_late() -> Response {
    pages::error(
        StatusCode::BAD_REQUEST,
        "This sign-in is too old, or was answered already. Start again from the client.",
    )
}

/// Grants the scopes that were both requested and ticked, or shows the page again with the problem.
async fn allow(
    issuer: &Issuer,
    id: &str,
    pending: &PendingSignIn,
    name: &str,
    ticked: &[String],
) -> Response {
    let asked = pending.scopes.iter();
    let scopes: Vec<Scope> =
        asked.filter(|scope| ticked.iter().any(|t| t == scope.as_str())).cloned().collect();
    let again = |problem| {
        let filled = page(issuer, pending, name.to_owned(), &scopes, Some(problem));
        pages::consent(&filled, id)
    };
    let Some(subject) = subject(name) else {
        return again("Type a name of up to 64 characters, all of which can be seen.");
    };
    if issuer.is_machine(&subject) {
        return again("A machine has this name. Type another one.");
    }
    if scopes.is_empty() {
        return again("Tick at least one permission, or choose Deny.");
    }
    let scopes = scopes.iter().map(ToString::to_string).collect();
    let now = issuer.now();
    let grant = Grant::now(pending.client.id.clone(), subject, scopes, now);
    let (request, code) = (id.to_owned(), AuthorizationCode::new(grant, pending));
    // One step, so that one answer gives one code.
    let added = issuer
        .change(move |state| state.end_pending(&request).then(|| state.add_code(code, now)))
        .await;
    let code = match added {
        Ok(Some(code)) => code,
        Ok(None) => return too_late(),
        Err(_) => return pages::error(StatusCode::SERVICE_UNAVAILABLE, NOT_SAVED),
    };
    let answer = [("code", Some(code.as_str())), ("state", pending.state.as_deref())];
    redirect(issuer, &pending.redirect_uri, &answer)
}

async fn deny(issuer: &Issuer, id: &str, pending: PendingSignIn) -> Response {
    let request = id.to_owned();
    match issuer.change(move |state| state.end_pending(&request)).await {
        Ok(true) => {}
        Ok(false) => return too_late(),
        Err(_) => return pages::error(StatusCode::SERVICE_UNAVAILABLE, NOT_SAVED),
    }
    let refusal = AuthorizationError {
        redirect_uri: pending.redirect_uri,
        state: pending.state,
        error: "access_denied",
        description: "the person denied the request".to_owned(),
    };
    refusal.send(issuer)
}

/// Whether the form was sent from our page, as a guard against cross-site request forgery: the
/// cookie shows that this browser was shown this page, and the browser's headers, if there are any,
/// name the page's origin. In addition, the form's `request` value cannot be guessed.
fn comes_from_our_page(
    issuer: &Issuer,
    headers: &HeaderMap,
    jar: &CookieJar,
    pending: &PendingSignIn,
) -> bool {
    let same_browser = jar
        .get(BROWSER_COOKIE)
        .is_some_and(|cookie| credentials::same(cookie.value(), &pending.browser));
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let same_origin = text(header::ORIGIN).is_none_or(|origin| origin == issuer.url());
    let site = http::HeaderName::from_static("sec-fetch-site");
    let same_site = text(site).is_none_or(|site| site == "same-origin");
    same_browser && same_origin && same_site
}

/// The subject of a name, in lower case so that Ada and ada are one person. `None` for a name that
/// is empty, longer than 64 characters, has characters that cannot be seen, or belongs to machines.
fn subject(name: &str) -> Option<String> {
    let name = name.trim().to_lowercase();
    let fits = (1..=LONGEST_SUBJECT).contains(&name.chars().count());
    (fits && !name.starts_with(MACHINE) && !name.chars().any(is_unseen)).then_some(name)
}

/// The consent page of a pending sign-in, filled in as the person left it.
pub(super) fn page(
    issuer: &Issuer,
    pending: &PendingSignIn,
    name: String,
    ticked: &[Scope],
    problem: Option<&'static str>,
) -> ConsentPage {
    let policy = issuer.policy();
    let choices = policy.scopes().iter().filter(|scope| pending.scopes.contains(scope.name()));
    let choices = choices
        .map(|scope| Choice {
            scope: scope.name().to_string(),
            title: scope.title().to_owned(),
            implies: policy.implied_by(scope).map(|implied| implied.title().to_owned()).collect(),
            step_up: scope.is_step_up(),
            ticked: ticked.contains(scope.name()),
        })
        .collect();
    ConsentPage {
        resource: issuer.0.resource_name.clone(),
        resource_url: policy.resource().to_string(),
        client: pending.client.name.clone(),
        client_host: pending.client.host.clone(),
        redirect_uri: pending.redirect_uri.clone(),
        name,
        choices,
        problem,
    }
}
