//! Examines a token: whether the server would accept it, and which tools it could call.

use std::sync::Arc;

use super::{provider_health::is_unavailable, report::DoctorReport};
use crate::{
    cli::accepted::accepted,
    identity::{
        Principal,
        token::{TokenError, Validator},
    },
    policy::{CompiledPolicy, Decision, Operation, Scope},
    text::shown,
};

/// The fix for a text that is no token.
const WHOLE: &str =
    "send the access token alone, without `Bearer` and whole: a JWT has three parts";

/// Checks the token with the server's own validator, and each rule with the server's own decision.
pub(crate) async fn examine(
    report: &mut DoctorReport,
    validator: &Validator,
    policy: &Arc<CompiledPolicy>,
    token: &str,
) {
    const ABOUT: &str = "token";
    let token = match accepted(validator, token).await {
        Ok(accepted) => accepted,
        Err(refused) => {
            let fix = refused.error().map_or(WHOLE, |error| fix(error, token));
            return report.wrong(ABOUT, refused.to_string(), fix);
        }
    };
    let caller = Principal::new(token, Arc::clone(policy));
    let granted: Vec<&str> = caller.granted().iter().map(Scope::as_str).collect();
    let granted = if granted.is_empty() { "no scope".to_owned() } else { granted.join(", ") };
    let client = caller.client().map_or("an unnamed client".to_owned(), |id| shown(id).to_string());
    let subject = shown(caller.subject());
    report.ok(ABOUT, format!("{subject} through {client}, granted {granted}"));

    // Scopes that differ only by case are probably meant to be the same, but they are not.
    for scope in caller.granted() {
        let alike =
            policy.scopes().iter().map(|known| known.name().as_str()).find(|known| {
                *known != scope.as_str() && known.eq_ignore_ascii_case(scope.as_str())
            });
        if let Some(alike) = alike {
            report.wrong(
                ABOUT,
                format!("it has {scope}, and the policy knows {alike}: the case counts"),
                "spell it the same in the policy and at the provider",
            );
        }
    }
    let (mut can, mut lacks) = (vec![], vec![]);
    for (feature, name, _) in policy.rules() {
        match caller.may(Operation::new(feature, name).for_some_arguments()) {
            Decision::Allow(_) => can.push(name),
            Decision::Deny(denial) => {
                let missing: Vec<&str> = denial.missing(caller.held()).map(Scope::as_str).collect();
                lacks.push(format!("{name} ({})", missing.join(", ")));
            }
            Decision::Unknown => {}
        }
    }
    if lacks.is_empty() {
        report.ok("access", "it may use everything");
    } else {
        let can = if can.is_empty() { "nothing".to_owned() } else { can.join(", ") };
        report.note(
            "access",
            format!("it may use {can}, and lacks what these need: {}", lacks.join(", ")),
            "sign in again and grant the scopes in brackets; a token never gets more later",
        );
    }
}

/// The fix for a token that is refused.
fn fix(error: &TokenError, token: &str) -> &'static str {
    match error {
        error if is_unavailable(error) => "see the lines about the provider above",
        TokenError::Audience(_) => {
            "sign in for this server's URL; or correct the resource id, MCP_URL or `audience` that \
             is expected here (a slash at the end counts, except in MCP_URL)"
        }
        TokenError::Issuer(_) => {
            "correct the issuer here, byte by byte, or take the token from that issuer"
        }
        TokenError::Expired | TokenError::NotYetValid => {
            "sign in again; if the token is new, see the line about the clock above"
        }
        TokenError::TooLong(_) => {
            "let the provider write less into it (fewer roles), or raise MAX_TOKEN, and MAX_HEAD with it"
        }
        TokenError::NotTaken(_) => "choose another algorithm for this API at the provider",
        TokenError::Inactive => "sign in again",
        TokenError::Revoked => "see `revocation list` for who revoked it, and why",
        TokenError::IdToken(_) | TokenError::Type | TokenError::Marker(_) => {
            "send the access token of the sign-in, not another token of it"
        }
        TokenError::UnknownKey | TokenError::Signature | TokenError::Algorithm(_) => {
            "take the token from the provider and environment that is configured here"
        }
        TokenError::ScopeClaim(_) | TokenError::Claims(_) => {
            "let the provider write access tokens as `provider show` says"
        }
        _ => fix_of_form(token),
    }
}

/// The fix for a text that is no signed JWT, by its form: a signed JWT has three parts, an encrypted one
/// has five (RFC 7516, section 7.1), and an opaque token has none.
fn fix_of_form(token: &str) -> &'static str {
    match token.split('.').count() {
        5 => {
            "this token is encrypted (JWE), and only the provider can read it: let the provider sign \
             access tokens and not encrypt them; Auth0 encrypts a token if no `audience` was asked for"
        }
        1 if !token.contains(char::is_whitespace) && !token.is_empty() => {
            "this token is opaque, and no JWT: let the provider check it (`opaque = true` in `[server]`), \
             or let it issue JWTs; at Auth0, ask for the API's identifier as `audience` at sign-in; if it is part \
             of a JWT, send it without `Bearer` and whole"
        }
        _ => WHOLE,
    }
}
