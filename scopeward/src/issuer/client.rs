//! An OAuth client of the embedded issuer, and how a client authenticates.

use super::credentials;
use crate::{
    policy::{Scope, redirect::is_one_of},
    text::is_unseen,
};

/// The most redirect URIs of one client, because anyone can register a client.
pub(super) const MOST_REDIRECT_URIS: usize = 10;
/// The longest name of a client, in characters: about one line of the consent page.
const LONGEST_NAME: usize = 80;

/// A client that the policy names, that has registered itself, or that a document describes.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) redirect_uris: Vec<String>,
    pub(super) may_refresh: bool,
    /// The scopes that the client may ask for without a person.
    pub(super) scopes: Vec<Scope>,
    pub(super) proof: ClientProof,
    /// The host that serves the client's description, if a document describes the client.
    pub(super) host: Option<String>,
}

/// The proof of its identity that a client must give at the token endpoint.
#[derive(Clone)]
pub(super) enum ClientProof {
    /// None, because the client is public: its identifier is enough.
    Nothing,
    /// The secret with this fingerprint.
    Secret(String),
    /// A secret that is not set on this server, so that nobody can be this client.
    Missing,
}

/// Leaves the fingerprint of the secret out.
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

    /// Whether `shown` is the secret that this client must give, if it must give one.
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

/// The client's name as the consent page shows it: one line of at most 80 characters, without
/// characters that cannot be seen, because a name must not look like another one.
pub(super) fn display_name(name: Option<&str>) -> String {
    let seen = name.unwrap_or_default().chars().filter(|c| !is_unseen(*c));
    let name: String = seen.take(LONGEST_NAME).collect();
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
