//! An OAuth client, as the embedded issuer sees it.

use super::credentials;
use crate::policy::{Scope, redirect::is_one_of};

pub(super) const MOST_REDIRECT_URIS: usize = 10;
const LONGEST_NAME: usize = 80;

/// A client, wherever it is known from.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) redirect_uris: Vec<String>,
    pub(super) may_refresh: bool,
    /// What it may ask for by itself.
    pub(super) scopes: Vec<Scope>,
    pub(super) proof: ClientProof,
    /// The host that vouches for its description.
    pub(super) host: Option<String>,
}

/// What a client has to show at the token endpoint.
#[derive(Clone)]
pub(super) enum ClientProof {
    /// It is public: its name is enough.
    Nothing,
    /// The secret with this fingerprint.
    Secret(String),
    /// A secret that this server was not given: nobody can be that client.
    Missing,
}

/// Not the fingerprint.
impl std::fmt::Debug for ClientProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Secret(_) => "Secret",
            Self::Missing => "Missing",
        })
    }
}

impl Client {
    pub(super) fn may_redirect_to(&self, uri: &str) -> bool {
        is_one_of(&self.redirect_uris, uri)
    }

    /// Whether what it shows is what it has to show.
    pub(super) fn is_proved_by(&self, shown: Option<&str>) -> bool {
        match &self.proof {
            ClientProof::Nothing => true,
            ClientProof::Secret(kept) => {
                shown.is_some_and(|shown| credentials::same(&credentials::fingerprint(shown), kept))
            }
            ClientProof::Missing => false,
        }
    }
}

/// The client's name as the consent page shows it: one line, not too long.
pub(super) fn display_name(name: Option<&str>) -> String {
    let name: String = name
        .unwrap_or_default()
        .chars()
        // Control characters and those that reorder text have no place in a name.
        .filter(|c| !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
        .take(LONGEST_NAME)
        .collect();
    match name.trim() {
        "" => "A client without a name".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_plain_line() {
        assert_eq!(display_name(Some("MCP\n Inspector\u{202e}")), "MCP Inspector");
        assert_eq!(display_name(Some("\u{200b} ")), "A client without a name");
        assert_eq!(display_name(Some(&"x".repeat(500))).len(), LONGEST_NAME);
    }
}
