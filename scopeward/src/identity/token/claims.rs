//! The claims of an access token (RFC 9068, section 2.2), read strictly.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use super::{TokenError, marker::Marker};
use crate::policy::Scope;

/// A claim that stands twice, or has another type, makes the whole token unreadable.
pub(super) struct Claims<'t> {
    pub(super) iss: Cow<'t, str>,
    pub(super) sub: Cow<'t, str>,
    aud: Option<Audience>,
    pub(super) exp: NumericDate,
    pub(super) nbf: Option<NumericDate>,
    client_id: Option<String>,
    azp: Option<String>,
    /// Okta's name for the client.
    cid: Option<String>,
    /// Entra's, in its tokens of version 1.
    appid: Option<String>,
    scope: Option<Value>,
    scp: Option<Value>,
    scopes: Option<Value>,
    pub(super) other: Vec<(Box<str>, Value)>,
}

impl<'de> Deserialize<'de> for Claims<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reading)
    }
}

/// Of the token's own text, unless something in it is escaped.
#[derive(Deserialize)]
pub(super) struct Text<'t>(#[serde(borrow)] pub(super) Cow<'t, str>);

/// Reads a token's claims, each once and straight to where it belongs: serde's own way to keep what is
/// not known (`flatten`) reads everything twice.
struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Claims<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the claims of a token")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Claims<'de>, A::Error> {
        let (mut iss, mut sub, mut aud, mut exp, mut nbf) = (None, None, None, None, None);
        let (mut client_id, mut azp, mut cid, mut appid) = (None, None, None, None);
        let (mut scope, mut scp, mut scopes) = (None, None, None);
        let mut other: Vec<(Box<str>, Value)> = vec![];
        while let Some(Text(name)) = all.next_key()? {
            match &*name {
                "iss" => once(&mut iss, &mut all, "iss")?,
                "sub" => once(&mut sub, &mut all, "sub")?,
                "aud" => once(&mut aud, &mut all, "aud")?,
                "exp" => once(&mut exp, &mut all, "exp")?,
                "nbf" => once(&mut nbf, &mut all, "nbf")?,
                "client_id" => once(&mut client_id, &mut all, "client_id")?,
                "azp" => once(&mut azp, &mut all, "azp")?,
                "cid" => once(&mut cid, &mut all, "cid")?,
                "appid" => once(&mut appid, &mut all, "appid")?,
                "scope" => once(&mut scope, &mut all, "scope")?,
                "scp" => once(&mut scp, &mut all, "scp")?,
                "scopes" => once(&mut scopes, &mut all, "scopes")?,
                unknown => {
                    if other.iter().any(|(known, _)| **known == *unknown) {
                        return Err(A::Error::custom("a claim stands twice"));
                    }
                    other.push((unknown.into(), all.next_value()?));
                }
            }
        }
        Ok(Claims {
            iss: text(iss, "iss")?,
            sub: text(sub, "sub")?,
            aud: aud.flatten(),
            exp: exp.ok_or_else(|| A::Error::missing_field("exp"))?,
            nbf: nbf.flatten(),
            client_id: client_id.flatten(),
            azp: azp.flatten(),
            cid: cid.flatten(),
            appid: appid.flatten(),
            scope: scope.flatten(),
            scp: scp.flatten(),
            scopes: scopes.flatten(),
            other,
        })
    }
}

fn text<'t, E: Error>(found: Option<Text<'t>>, name: &'static str) -> Result<Cow<'t, str>, E> {
    found.map(|text| text.0).ok_or_else(|| E::missing_field(name))
}

fn once<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    slot: &mut Option<T>,
    all: &mut A,
    name: &'static str,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    *slot = Some(all.next_value()?);
    Ok(())
}

/// One audience, or several (RFC 7519, section 4.1.3).
pub(super) enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Without `untagged`, which reads everything twice.
impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Audience;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, or a list of strings")
            }

            fn visit_str<E: Error>(self, one: &str) -> Result<Audience, E> {
                Ok(Audience::One(one.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Audience, A::Error> {
                let mut several = vec![];
                while let Some(one) = all.next_element()? {
                    several.push(one);
                }
                Ok(Audience::Several(several))
            }
        }

        deserializer.deserialize_any(Either)
    }
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
    /// What stands before each scope of this resource; what lacks it is another's.
    pub(crate) prefix: Option<String>,
    /// Which claim says whom the token is for.
    pub(crate) audience: AudienceIn,
    /// What tells access tokens from the issuer's other tokens.
    pub(crate) marker: Marker,
}

/// Which claim says whom a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AudienceIn {
    /// `aud` (RFC 9068, section 2.2).
    Aud,
    /// `client_id`, where access tokens have no `aud`; one that has it all the same must name the
    /// resource.
    ClientId,
}

impl Default for ClaimRules {
    fn default() -> Self {
        Self {
            scopes: &["scope", "scp", "scopes"],
            prefix: None,
            audience: AudienceIn::Aud,
            marker: Marker::None,
        }
    }
}

impl Claims<'_> {
    pub(super) fn client(&self) -> Option<&str> {
        let all = [&self.client_id, &self.azp, &self.cid, &self.appid];
        all.into_iter().flatten().next().map(String::as_str)
    }

    /// Whether the token is for one of `audiences`; for `resource`, if its client is asked about.
    pub(super) fn is_for(
        &self,
        audiences: &[String],
        resource: &str,
        rules: &ClaimRules,
    ) -> Result<bool, TokenError> {
        let names = |aud: &Audience| audiences.iter().any(|audience| aud.contains(audience));
        match (rules.audience, &self.aud, &self.client_id) {
            (AudienceIn::Aud, Some(aud), _) => Ok(names(aud)),
            (AudienceIn::Aud, None, _) => Err(TokenError::Claims("aud")),
            (AudienceIn::ClientId, aud, Some(client)) => {
                Ok(audiences.contains(client)
                    && aud.as_ref().is_none_or(|aud| aud.contains(resource)))
            }
            (AudienceIn::ClientId, _, None) => Err(TokenError::Claims("client_id")),
        }
    }

    /// Whether it is an access token, and not one that says who signed in (OpenID Connect Core,
    /// sections 2 and 3.1.3.6) and grants nothing.
    pub(super) fn is_access_token(&self, rules: &ClaimRules) -> Result<(), TokenError> {
        let of_id_tokens = ["nonce", "at_hash", "c_hash"];
        if let Some(claim) = of_id_tokens.iter().find(|claim| self.other(claim).is_some()) {
            return Err(TokenError::IdToken(claim));
        }
        let has_marker = match rules.marker {
            Marker::None => true,
            Marker::Is(name, value) => self.claim(name).and_then(Value::as_str) == Some(value),
            Marker::HasOne(names) => names.iter().any(|name| self.has(name)),
        };
        if has_marker { Ok(()) } else { Err(TokenError::Marker(rules.marker)) }
    }

    fn has(&self, name: &str) -> bool {
        match name {
            "client_id" => self.client_id.is_some(),
            "azp" => self.azp.is_some(),
            "cid" => self.cid.is_some(),
            "appid" => self.appid.is_some(),
            other => self.claim(other).is_some(),
        }
    }

    fn other(&self, name: &str) -> Option<&Value> {
        self.other.iter().find(|(other, _)| **other == *name).map(|(_, value)| value)
    }

    fn claim(&self, name: &str) -> Option<&Value> {
        match name {
            "scope" => self.scope.as_ref(),
            "scp" => self.scp.as_ref(),
            "scopes" => self.scopes.as_ref(),
            other => self.other(other),
        }
    }

    /// The granted scopes: `scope` as RFC 9068 has it, or another claim as some providers do.
    pub(super) fn granted(&self, rules: &ClaimRules) -> Result<Vec<Scope>, TokenError> {
        let mut claims = rules.scopes.iter().filter_map(|name| Some((*name, self.claim(name)?)));
        let Some((name, value)) = claims.next() else {
            // Scopes that this issuer does not write are a token of another kind, or another's.
            let elsewhere = ["scope", "scp", "scopes"].iter().find(|name| self.has(name));
            return match (elsewhere, rules.scopes) {
                (Some(_), [expected, ..]) => Err(TokenError::ScopeClaim(expected)),
                _ => Ok(vec![]),
            };
        };
        let words: Vec<&str> = match value {
            Value::String(list) => list.split(' ').filter(|scope| !scope.is_empty()).collect(),
            // RFC 9068, section 2.2.3: `scope` is a string.
            Value::Array(list) if name != "scope" => {
                let words: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
                words.ok_or(TokenError::Claims(name))?
            }
            _ => return Err(TokenError::Claims(name)),
        };
        let prefix = rules.prefix.as_deref().unwrap_or_default();
        parse(words.into_iter().filter_map(|word| word.strip_prefix(prefix)), name)
    }
}

fn parse<'a>(
    words: impl Iterator<Item = &'a str>,
    claim: &'static str,
) -> Result<Vec<Scope>, TokenError> {
    let mut scopes = words
        .map(Scope::parse)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| TokenError::Claims(claim))?;
    scopes.sort_unstable();
    scopes.dedup();
    Ok(scopes)
}
