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
    pub(super) aud: Audience,
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
    pub(super) fn contains(&self, wanted: &str) -> bool {
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

impl Claims {
    pub(super) fn client(&mut self) -> Option<String> {
        self.client_id.take().or_else(|| self.azp.take())
    }

    /// The granted scopes: `scope` as RFC 9068 has it, or `scp` or `scopes` as some providers do.
    /// The first of them that is there counts alone: two claims must not add up to more.
    pub(super) fn granted(&self) -> Result<Vec<Scope>, TokenError> {
        let (value, may_be_list) = match (&self.scope, &self.scp, &self.scopes) {
            (Some(scope), ..) => (scope, false),
            (None, Some(other), _) | (None, None, Some(other)) => (other, true),
            (None, None, None) => return Ok(vec![]),
        };
        match value {
            Value::String(list) => parse(list.split(' ').filter(|scope| !scope.is_empty())),
            Value::Array(list) if may_be_list => {
                let words: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
                parse(words.ok_or(TokenError::Claims("scope"))?.into_iter())
            }
            _ => Err(TokenError::Claims("scope")),
        }
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
