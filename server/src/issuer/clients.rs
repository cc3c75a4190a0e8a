//! Dynamic client registration (RFC 7591). Every client is public: a secret that anyone can ask
//! for proves nothing.

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{Issuer, state::Client};
use crate::resource::is_loopback;

const LARGEST_REGISTRATION: usize = 16 * 1024;
const MOST_REDIRECT_URIS: usize = 10;
const LONGEST_NAME: usize = 80;

pub(super) fn router() -> Router<Issuer> {
    Router::new()
        .route("/oauth/register", post(register))
        .layer(DefaultBodyLimit::max(LARGEST_REGISTRATION))
}

/// The members that matter here; RFC 7591 has others ignored.
#[derive(Deserialize)]
struct Registration {
    #[serde(default)]
    redirect_uris: Vec<String>,
    client_name: Option<String>,
    grant_types: Option<Vec<String>>,
}

async fn register(State(issuer): State<Issuer>, body: bytes::Bytes) -> Response {
    let Ok(registration) = serde_json::from_slice::<Registration>(&body) else {
        return refuse(
            "invalid_client_metadata",
            "the body is not a JSON object as RFC 7591 has it",
        );
    };
    let count = registration.redirect_uris.len();
    if count == 0 || count > MOST_REDIRECT_URIS {
        return refuse("invalid_redirect_uri", "give between one and ten redirect_uris");
    }
    if !registration.redirect_uris.iter().all(|uri| is_redirect_uri(uri)) {
        return refuse(
            "invalid_redirect_uri",
            "a redirect URI is https, http on loopback, or an app's own scheme, without fragment \
             and credentials",
        );
    }
    let grant_types = registration.grant_types.unwrap_or_else(|| vec!["authorization_code".into()]);
    let may_refresh = grant_types.iter().any(|grant| grant == "refresh_token");
    let client = Client {
        name: display_name(registration.client_name.as_deref()),
        redirect_uris: registration.redirect_uris,
        may_refresh,
        registered_at: issuer.now(),
    };
    let answer = json!({
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "client_id_issued_at": client.registered_at,
        "token_endpoint_auth_method": "none",
        "grant_types": if may_refresh {
            vec!["authorization_code", "refresh_token"]
        } else {
            vec!["authorization_code"]
        },
        "response_types": ["code"],
    });
    match issuer.state().add_client(client) {
        Ok(id) => {
            let mut answer = answer;
            answer["client_id"] = id.into();
            (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer))
                .into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the client could not be kept");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn refuse(error: &'static str, description: &'static str) -> Response {
    let body = json!({ "error": error, "error_description": description });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

/// The client's name as the consent page shows it: one line, not too long.
fn display_name(name: Option<&str>) -> String {
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

/// OAuth 2.1, section 2.3; RFC 8252, section 7.
fn is_redirect_uri(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else {
        return false;
    };
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return false;
    }
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => is_loopback(&url),
        // Schemes that a browser handles itself are no app's own.
        "javascript" | "data" | "file" | "blob" | "about" | "vbscript" | "ftp" | "ws" | "wss"
        | "view-source" => false,
        _ => true,
    }
}

/// Whether a request's redirect URI is one that the client registered: exactly, but for the port
/// of a loopback URI, which a native app learns only when it listens (RFC 8252, section 7.3).
pub(super) fn is_registered(client: &Client, uri: &str) -> bool {
    client.redirect_uris.iter().any(|registered| {
        registered == uri || (same_but_port(registered, uri).is_some_and(|same| same))
    })
}

fn same_but_port(registered: &str, uri: &str) -> Option<bool> {
    let (mut left, mut right) = (Url::parse(registered).ok()?, Url::parse(uri).ok()?);
    // The text must be the URL itself: no spelling that only parses to it.
    if right.as_str() != uri || left.scheme() != "http" || !is_loopback(&left) {
        return Some(false);
    }
    left.set_port(None).ok()?;
    right.set_port(None).ok()?;
    Some(left == right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_that_may_be_registered() {
        for good in [
            "https://app.example/callback",
            "http://localhost:6274/oauth/callback",
            "http://127.0.0.1/cb",
            "http://[::1]:9/cb",
            "cursor://anysphere.cursor-mcp/oauth/callback",
        ] {
            assert!(is_redirect_uri(good), "{good}");
        }
        for bad in [
            "http://app.example/callback",
            "http://localhost.evil.example/cb",
            "https://app.example/cb#x",
            "https://user@app.example/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "/callback",
            "",
        ] {
            assert!(!is_redirect_uri(bad), "{bad}");
        }
    }

    #[test]
    fn redirect_uris_match_exactly_but_for_a_loopback_port() {
        let client = Client {
            name: String::new(),
            redirect_uris: vec!["http://127.0.0.1:5000/cb".into(), "https://app.example/cb".into()],
            may_refresh: false,
            registered_at: 0,
        };
        for good in
            ["http://127.0.0.1:5000/cb", "http://127.0.0.1:6001/cb", "https://app.example/cb"]
        {
            assert!(is_registered(&client, good), "{good}");
        }
        for bad in [
            "http://127.0.0.1:5000/cb/",
            "http://127.0.0.1:5000/cb?x=1",
            "http://localhost:5000/cb",
            "http://127.0.0.1:5000/%63b",
            "http://127.0.0.1:5000/a/../cb",
            "http://u@127.0.0.1:5000/cb",
            "https://app.example:444/cb",
            "https://app.example/cb/x",
            "https://app.example.evil.example/cb",
            "http://app.example/cb",
        ] {
            assert!(!is_registered(&client, bad), "{bad}");
        }
    }

    #[test]
    fn names_are_one_plain_line() {
        assert_eq!(display_name(Some("MCP\n Inspector\u{202e}")), "MCP Inspector");
        assert_eq!(display_name(Some("\u{200b} ")), "A client without a name");
        assert_eq!(display_name(Some(&"x".repeat(500))).len(), LONGEST_NAME);
    }
}
