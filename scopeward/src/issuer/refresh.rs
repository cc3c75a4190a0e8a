//! Access tokens for refresh tokens (RFC 6749, section 6).
//!
//! A client that refreshes in several places at once sends one refresh token several times. All of
//! these requests get the answer of the first one for a short time ([`GRACE`](super::state::GRACE)).
//! A refresh token that comes later, or that is older, was stolen from one of two parties, and ends
//! the sign-in (RFC 9700, section 4.14.2).

use serde_json::Value;

use super::{
    Issuer,
    parameters::Parameters,
    state::{Answered, Refreshable, State},
    token_answer::{REVOKED, TokenRequestError, access_token, narrow, scopes_of},
};

/// Answers a request with `grant_type=refresh_token`.
pub(super) async fn refresh(
    issuer: &Issuer,
    client_id: String,
    parameters: &Parameters,
) -> Result<Value, TokenRequestError> {
    let token = parameters
        .one("refresh_token")?
        .ok_or(TokenRequestError::new("invalid_request", "refresh_token is missing"))?
        .to_owned();
    let wanted = parameters.one("scope")?.map(str::to_owned);
    let (now, this) = (issuer.now(), issuer.clone());
    // One step from the lookup to the replacement, so that two requests with one token see each other.
    let refreshed = move |state: &mut State| {
        let Refreshable { grant, answered } =
            state.refreshable(&token, &client_id, now).ok_or(TokenRequestError::grant(
                "the refresh token is unknown, expired or was used before; sign in again",
            ))?;
        if this.is_revoked(&grant) {
            state.end(&token);
            return Err(TokenRequestError::grant(REVOKED));
        }
        if let Some(answered) = &answered
            && answered.wanted == wanted
        {
            return Ok(answered.answer.clone());
        }
        let granted = scopes_of(&this, &grant);
        let scopes = match &wanted {
            None => granted,
            Some(wanted) => narrow(
                &granted,
                wanted,
                "a refresh cannot add scopes; send the person to authorization_endpoint",
            )?,
        };
        // Signed before the token is replaced, because an error must leave the token as it was.
        let mut answer = access_token(&this, &grant, &scopes)?;
        if let Some(answered) = answered {
            // The same token for other scopes: the replacement stays the one that was given first.
            answer["refresh_token"] = answered.answer["refresh_token"].clone();
            return Ok(answer);
        }
        if let Some(next) = state.rotate(&token, now) {
            answer["refresh_token"] = next.into();
            state.answered(&token, Answered { wanted, answer: answer.clone() }, now);
        }
        Ok(answer)
    };
    issuer.change(refreshed).await?
}
