//! The claims of an access token (RFC 9068, section 2.2), read strictly.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use super::{AudienceIn, Marker, TokenError};
use crate::policy::Scope;

/// The claims of one token. A claim that appears twice or has the wrong type makes the whole token
/// unreadable.
pub(super) struct Claims<'t> {
    pub(super) iss: Cow<'t, str>,
    pub(super) sub: Cow<'t, str>,
    aud: Option<Audience>,
    pub(super) exp: NumericDate,
    pub(super) nbf: Option<NumericDate>,
    client_id: Option<String>,
    azp: Option<String>,
    /// The client, in the tokens of Okta.
    cid: Option<String>,
    /// The client, in Entra's tokens of version 1.
    appid: Option<String>,
    scope: Option<Value>,
    scp: Option<Value>,
    scopes: Option<Value>,
    pub(super) other: Vec<(Box<str>, Value)>,
}

impl<'de> Deserialize<'de> for Claims<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ClaimsVisitor)
    }
}

/// A string that borrows from the token's text, unless the text contains an escape.
#[derive(Deserialize)]
pub(super) struct Text<'t>(#[serde(borrow)] pub(super) Cow<'t, str>);

/// Reads the claims of a token in one pass, each into its own field. serde's `flatten` is not used
/// for unknown claims, because it reads everything twice.
struct ClaimsVisitor;

impl<'de> Visitor<'de> for ClaimsVisitor {
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
                "iss" => read_once(&mut iss, &mut all, "iss")?,
                "sub" => read_once(&mut sub, &mut all, "sub")?,
                "aud" => read_once(&mut aud, &mut all, "aud")?,
                "exp" => read_once(&mut exp, &mut all, "exp")?,
                "nbf" => read_once(&mut nbf, &mut all, "nbf")?,
                "client_id" => read_once(&mut client_id, &mut all, "client_id")?,
                "azp" => read_once(&mut azp, &mut all, "azp")?,
                "cid" => read_once(&mut cid, &mut all, "cid")?,
                "appid" => read_once(&mut appid, &mut all, "appid")?,
                "scope" => read_once(&mut scope, &mut all, "scope")?,
                "scp" => read_once(&mut scp, &mut all, "scp")?,
                "scopes" => read_once(&mut scopes, &mut all, "scopes")?,
                unknown => {
                    if other.iter().any(|(known, _)| **known == *unknown) {
                        return Err(A::Error::custom("a claim appears twice"));
                    }
                    other.push((unknown.into(), all.next_value()?));
                }
            }
        }
        Ok(Claims {
            iss: required(iss, "iss")?,
            sub: required(sub, "sub")?,
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

fn required<'t, E: Error>(found: Option<Text<'t>>, name: &'static str) -> Result<Cow<'t, str>, E> {
    found.map(|text| text.0).ok_or_else(|| E::missing_field(name))
}

fn read_once<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
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

/// The audience of a token: one value, or several (RFC 7519, section 4.1.3).
pub(super) enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Written by hand, because serde's `untagged` reads everything twice.
impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AudienceVisitor;

        impl<'de> Visitor<'de> for AudienceVisitor {
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

        deserializer.deserialize_any(AudienceVisitor)
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

/// A time in whole seconds since the Unix epoch. A fraction is allowed in the token (RFC 7519,
/// section 2), and dropped.
#[derive(Deserialize, Clone, Copy)]
#[serde(try_from = "f64")]
pub(super) struct NumericDate(u64);

impl TryFrom<f64> for NumericDate {
    type Error = &'static str;

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked first"
    )]
    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        // The bound is 2^53, because a larger JSON number is not exact and cannot be meant as a
        // date.
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

/// The ways in which an issuer's access tokens differ from RFC 9068.
#[derive(Debug, Clone)]
pub(crate) struct ClaimRules {
    /// The claims that may hold the scopes. Only the first one that a token has counts, because two
    /// claims must not add up to more.
    pub(crate) scopes: &'static [&'static str],
    /// Whether `scope` may be a list. RFC 9068, section 2.2.3, makes it a string, but Spring
    /// Authorization Server, Duende and others write a list.
    pub(crate) takes_list: bool,
    /// The prefix of each scope of this resource. A scope without it belongs to another resource.
    pub(crate) prefix: Option<String>,
    /// The claim that names the audience of a token.
    pub(crate) audience: AudienceIn,
    /// The mark that tells access tokens from the issuer's other tokens.
    pub(crate) marker: Marker,
}

impl Default for ClaimRules {
    fn default() -> Self {
        Self {
            scopes: &["scope", "scp", "scopes"],
            takes_list: false,
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

    /// Whether the token is for one of `audiences`. If the audience is in `client_id`, an `aud`
    /// must name `resource`.
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

    /// Refuses a token without the issuer's marker, and an ID token, because an ID token says who
    /// signed in (OpenID Connect Core, sections 2 and 3.1.3.6) and grants nothing.
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

    /// Refuses a token that is bound to a key or a certificate of its client (`cnf`, RFC 7800), because
    /// the proof is not checked here: as a bearer token it would be good for whoever has stolen it (RFC
    /// 9449, section 7.2; RFC 8705, section 3).
    pub(super) fn is_unbound(&self) -> Result<(), TokenError> {
        let is_dpop = || {
            let kind = self.other("token_type").and_then(Value::as_str);
            kind.is_some_and(|kind| kind.eq_ignore_ascii_case("dpop"))
        };
        if self.other("cnf").is_some_and(|cnf| !cnf.is_null()) || is_dpop() {
            return Err(TokenError::Bound);
        }
        Ok(())
    }

    /// A claim that is a time, in seconds since the Unix epoch.
    pub(super) fn time(&self, name: &'static str) -> Result<Option<u64>, TokenError> {
        let Some(value) = self.other(name).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        let seconds = value.as_f64().and_then(|seconds| NumericDate::try_from(seconds).ok());
        seconds.map(|seconds| Some(seconds.seconds())).ok_or(TokenError::Claims(name))
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

    /// The granted scopes, from `scope` as RFC 9068 has it, or from another claim as some providers
    /// do.
    pub(super) fn granted(&self, rules: &ClaimRules) -> Result<Vec<Scope>, TokenError> {
        let mut claims = rules.scopes.iter().filter_map(|name| Some((*name, self.claim(name)?)));
        let Some((name, value)) = claims.next() else {
            // A token with scopes in a claim that its issuer does not use is of another kind, or
            // from another issuer.
            let elsewhere = ["scope", "scp", "scopes"].iter().find(|name| self.has(name));
            return match (elsewhere, rules.scopes) {
                (Some(_), [expected, ..]) => Err(TokenError::ScopeClaim(expected)),
                _ => Ok(vec![]),
            };
        };
        let words: Vec<&str> = match value {
            Value::String(list) => list.split(' ').filter(|scope| !scope.is_empty()).collect(),
            Value::Array(list) if name != "scope" || rules.takes_list => {
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
