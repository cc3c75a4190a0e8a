//! The claims of an access token (RFC 9068, section 2.2), read strictly.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::TokenError;
use crate::policy::Scope;

/// A claim that stands twice, or has another type, makes the whole token unreadable.
#[derive(Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) sub: String,
    aud: Audience,
    pub(super) exp: NumericDate,
    pub(super) nbf: Option<NumericDate>,
    client_id: Option<String>,
    azp: Option<String>,
    scope: Option<Value>,
    scp: Option<Value>,
    scopes: Option<Value>,
    #[serde(flatten)]
    pub(super) other: Map<String, Value>,
}

/// One audience, or several (RFC 7519, section 4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn contains(&self, wanted: &str) -> bool {
        match self {
            Self::One(audience) => audience == wanted,
            Self::Several(audiences) => audiences.iter().any(|audience| audience == wanted),
        }
    }
}

/// Seconds since the Unix epoch, a fraction allowed (RFC 7519, section 2).
#[derive(Deserialize, Clone, Copy)]
#[serde(try_from = "f64")]
pub(super) struct NumericDate(u64);

impl TryFrom<f64> for NumericDate {
    type Error = &'static str;

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range checked")]
    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        // 2^53: beyond it a JSON number is no longer exact, and no date is meant.
        if (0.0..9_007_199_254_740_992.0).contains(&seconds) {
            Ok(Self(seconds as u64))
        } else {
            Err("not a date")
        }
    }
}

impl NumericDate {
    pub(super) fn seconds(self) -> u64 {
        self.0
    }
}

/// How an issuer writes its access tokens, where RFC 9068 is not all there is.
#[derive(Debug, Clone)]
pub(crate) struct ClaimRules {
    /// The claims that may hold the scopes; the first that is there counts alone: two claims must
    /// not add up to more.
    pub(crate) scopes: &'static [&'static str],
    /// A claim, and the value that tells access tokens from the issuer's other tokens.
    pub(crate) marker: Option<(&'static str, &'static str)>,
}

impl Default for ClaimRules {
    fn default() -> Self {
        Self { scopes: &["scope", "scp", "scopes"], marker: None }
    }
}

impl Claims {
    pub(super) fn client(&self) -> Option<String> {
        self.client_id.clone().or_else(|| self.azp.clone())
    }

    /// Whether the token is for one of `audiences`.
    pub(super) fn is_for(&self, audiences: &[String]) -> bool {
        audiences.iter().any(|audience| self.aud.contains(audience))
    }

    /// Whether it is an access token, and not one that says who signed in (OpenID Connect Core,
    /// sections 2 and 3.1.3.6) and grants nothing.
    pub(super) fn is_access_token(&self, rules: &ClaimRules) -> bool {
        let of_id_tokens = ["nonce", "at_hash", "c_hash"];
        let has_marker = rules.marker.is_none_or(|(name, value)| {
            self.other.get(name).and_then(Value::as_str) == Some(value)
        });
        has_marker && !of_id_tokens.iter().any(|claim| self.other.contains_key(*claim))
    }

    fn claim(&self, name: &str) -> Option<&Value> {
        match name {
            "scope" => self.scope.as_ref(),
            "scp" => self.scp.as_ref(),
            "scopes" => self.scopes.as_ref(),
            other => self.other.get(other),
        }
    }

    /// The granted scopes: `scope` as RFC 9068 has it, or another claim as some providers do.
    pub(super) fn granted(&self, rules: &ClaimRules) -> Result<Vec<Scope>, TokenError> {
        let mut claims = rules.scopes.iter().filter_map(|name| Some((*name, self.claim(name)?)));
        let Some((name, value)) = claims.next() else { return Ok(vec![]) };
        let words: Vec<&str> = match value {
            Value::String(list) => list.split(' ').filter(|scope| !scope.is_empty()).collect(),
            // RFC 9068, section 2.2.3: `scope` is a string.
            Value::Array(list) if name != "scope" => {
                let words: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
                words.ok_or(TokenError::Claims("scope"))?
            }
            _ => return Err(TokenError::Claims("scope")),
        };
        parse(words.into_iter())
    }
}

fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Result<Vec<Scope>, TokenError> {
    let mut scopes = words
        .map(Scope::parse)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| TokenError::Claims("scope"))?;
    scopes.sort_unstable();
    scopes.dedup();
    Ok(scopes)
}
