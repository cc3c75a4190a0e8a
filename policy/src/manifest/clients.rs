//! Reads `[[client]]`, the clients that are registered at the embedded issuer.

use std::{collections::HashMap, ops::Range};

use toml::de::DeTable;

use super::scopes::scopes;
use crate::{
    diagnostic::Diagnostic,
    mistake,
    redirect::is_redirect_uri,
    {
        reader::{Located, TableReader},
        scope::Scope,
        shape,
    },
};

/// One `[[client]]` as written.
#[derive(Debug)]
pub(crate) struct ClientEntry {
    pub(crate) id: Located<String>,
    pub(crate) name: String,
    pub(crate) redirect_uris: Vec<String>,
    /// The scopes that the client may ask for without a person (RFC 6749, section 4.4).
    pub(crate) scopes: Vec<Located<Scope>>,
    /// The environment variable that holds the client's secret.
    pub(crate) secret: Option<String>,
}

pub(super) fn read(
    tables: &[Located<&DeTable<'_>>],
    errors: &mut Vec<Diagnostic>,
) -> Vec<ClientEntry> {
    let mut clients: Vec<ClientEntry> = vec![];
    let mut places: HashMap<String, Range<usize>> = HashMap::new();
    for table in tables {
        let Some(client) = read_client(table, errors) else { continue };
        if let Some(earlier) = places.get(&client.id.value) {
            let message = format!("there are two clients `{}`", client.id.value);
            errors.push(
                Diagnostic::new(mistake::DUPLICATE_CLIENT, client.id.span.clone(), message)
                    .context(earlier.clone(), "the first one")
                    .help("give one of them another `id`"),
            );
            continue;
        }
        places.insert(client.id.value.clone(), client.id.span.clone());
        clients.push(client);
    }
    clients
}

fn read_client(table: &Located<&DeTable<'_>>, errors: &mut Vec<Diagnostic>) -> Option<ClientEntry> {
    let reader = TableReader::new(table.value, &shape::CLIENT, &"a client");
    let missing = |message: &str, help: &str| {
        Diagnostic::new(mistake::MISSING_KEY, table.span.clone(), message).help(help)
    };
    let id = reader.text("id", "say what the client calls itself: `client_id`", errors);
    if reader.key_span("id").is_none() {
        errors.push(missing("the client has no `id`", "add `id = \"nightly-report\"`"));
    }
    let name = reader.text("name", "say what people read on the consent page", errors);
    let list = reader.strings("redirect_uris", errors).map(|list| list.value).unwrap_or_default();
    for uri in list.iter().filter(|uri| !is_redirect_uri(&uri.value)) {
        errors.push(
            Diagnostic::new(
                mistake::INVALID_URL,
                uri.span.clone(),
                "a redirect URI is https, http on loopback, or an app's own scheme, without \
                 fragment and credentials",
            )
            .help("write what the client sends as `redirect_uri`"),
        );
    }
    let granted = reader.strings("scopes", errors);
    let granted = granted.map(|list| scopes(&list.value, &[], errors)).unwrap_or_default();
    let secret = reader.text("secret_env", "name the environment variable with the secret", errors);
    if reader.key_span("redirect_uris").is_none() && reader.key_span("scopes").is_none() {
        errors.push(missing(
            "the client can do nothing",
            "add `redirect_uris`, where people come back to, or `scopes`, what it may do by itself",
        ));
    }
    // Without a secret anybody who knows the client's id could get a token.
    if reader.key_span("scopes").is_some() && reader.key_span("secret_env").is_none() {
        errors.push(missing(
            "the client may do something by itself and has no secret",
            "add `secret_env = \"NIGHTLY_REPORT_SECRET\"`: the environment variable with it",
        ));
    }
    reader.finish(errors);
    let id = id?;
    Some(ClientEntry {
        name: name.map_or_else(|| id.value.clone(), |name| name.value),
        redirect_uris: list.into_iter().map(|uri| uri.value).collect(),
        scopes: granted,
        secret: secret.map(|secret| secret.value),
        id,
    })
}
