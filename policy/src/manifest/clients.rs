//! Reads `[[client]]`, the clients that are registered at the embedded issuer.

use std::{collections::HashMap, ops::Range};

use toml::de::DeTable;

use super::scopes::scopes;
use crate::{
    Provider,
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

/// Refuses clients in a policy that does not start the embedded issuer, because nobody would know them.
pub(super) fn without_effect(
    tables: &[Located<&DeTable<'_>>],
    provider: Provider,
    errors: &mut Vec<Diagnostic>,
) {
    let Some(preset) = provider.preset() else { return };
    for table in tables {
        let message = format!(
            "`[[client]]` has no effect with provider = \"{}\": it is about the embedded issuer",
            preset.word
        );
        errors.push(
            Diagnostic::new(mistake::NO_EFFECT, table.span.clone(), message)
                .help(format!("register the client at {}, and remove this table", preset.title)),
        );
    }
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
    let secret = secret.filter(|name| {
        let is_name = is_variable(&name.value);
        if !is_name {
            let message = "`secret_env` is not the name of an environment variable";
            errors.push(
                Diagnostic::new(mistake::INVALID_VARIABLE, name.span.clone(), message)
                    .label("letters, digits and `_`, not beginning with a digit")
                    .help(
                        "write the name here, and the secret itself in the environment or in .env",
                    ),
            );
        }
        is_name
    });
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

/// Whether a shell can set a variable of this name.
fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
