//! Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document): a client whose
//! identifier is the `https` URL of a document that describes it.
//!
//! Anyone who sends a sign-in request chooses the URL that this server fetches. So a document is
//! fetched from public addresses only: the addresses are checked after the name was resolved, and
//! the connection goes to a checked address. Redirects are not followed, the size and the time are
//! bounded, and a failure is cached like a document. Loopback is allowed as well, because this
//! issuer is for development and serves loopback only.

mod address;

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use moka::future::Cache;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde::Deserialize;
use url::{Host, Url};

use super::client::{MOST_REDIRECT_URIS, display_name};
use crate::{
    policy::{redirect::is_redirect_uri, url::is_loopback},
    remote::LazyClient,
};
use address::is_public;

/// The largest document that is read, in bytes. Section 6.6 of the draft finds 5 kilobytes enough.
const LARGEST: usize = 16 * 1024;
/// The longest URL of a document, in bytes, so that the keys of the cache stay small.
const LONGEST_URL: usize = 2_048;
/// How long a fetch may take, because a person waits for the consent page meanwhile.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a document, or its absence, is cached.
const KEPT: Duration = Duration::from_mins(5);
/// At most this many documents are cached, so that made-up URLs cannot fill the memory.
const MOST: u64 = 1_000;

/// The description of a client by the document at its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientDescription {
    pub(super) name: String,
    pub(super) redirect_uris: Vec<String>,
    pub(super) may_refresh: bool,
    pub(super) host: String,
}

/// Fetches the documents of clients, and caches their descriptions for 5 minutes.
pub(super) struct Documents {
    outside: LazyClient,
    loopback: LazyClient,
    known: Cache<String, Option<Arc<ClientDescription>>>,
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").finish_non_exhaustive()
    }
}

/// The members of a document that the issuer uses; other members are ignored.
#[derive(Deserialize)]
struct Document {
    client_id: String,
    client_name: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    grant_types: Option<Vec<String>>,
    token_endpoint_auth_method: Option<String>,
}

impl Documents {
    pub(super) fn new() -> Self {
        Self {
            outside: LazyClient::default(),
            loopback: LazyClient::default(),
            known: Cache::builder().max_capacity(MOST).time_to_live(KEPT).build(),
        }
    }

    fn client(&self, url: &Url) -> reqwest::Result<&reqwest::Client> {
        let make = || {
            reqwest::Client::builder()
                .timeout(TIMEOUT)
                .redirect(reqwest::redirect::Policy::none())
                // No proxy, because a proxy would resolve the name itself, to an unchecked address.
                .no_proxy()
                .user_agent(concat!("scopeward/", env!("CARGO_PKG_VERSION")))
        };
        if is_loopback(url) {
            self.loopback.get(make)
        } else {
            self.outside.get(|| make().https_only(true).dns_resolver(PublicOnly))
        }
    }

    /// The description of the client, if its identifier is the URL of a document about it.
    pub(super) async fn get(&self, id: &str) -> Option<ClientDescription> {
        let url = identifier(id)?;
        let fetching = async {
            let described = self.fetch(id, &url).await;
            let described = described.inspect_err(|reason| {
                tracing::warn!(client = id, "its description cannot be used: {reason}");
            });
            described.ok().map(Arc::new)
        };
        // Of several requests for one document at the same time, one fetches it.
        let known = self.known.get_with(id.to_owned(), fetching).await;
        known.map(|described| (*described).clone())
    }

    async fn fetch(&self, id: &str, url: &Url) -> Result<ClientDescription, String> {
        let client = self.client(url).map_err(|error| innermost(&error))?;
        let mut answer = client
            .get(url.clone())
            .header(http::header::ACCEPT, "application/json")
            .send()
            .await
            .map_err(|error| innermost(&error))?;
        if answer.status() != http::StatusCode::OK {
            return Err(format!("its status is {}", answer.status().as_u16()));
        }
        let mut body = vec![];
        while let Some(part) = answer.chunk().await.map_err(|error| innermost(&error))? {
            body.extend_from_slice(&part);
            if body.len() > LARGEST {
                return Err(format!("it is larger than {LARGEST} bytes"));
            }
        }
        let document: Document = serde_json::from_slice(&body)
            .map_err(|_| "it is not a client ID metadata document".to_owned())?;
        describe(id, url, document)
    }
}

fn innermost(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(next) = source.source() {
        source = next;
    }
    source.to_string()
}

/// The URL of a client's identifier (section 3 of the draft): `https` with a path and in its normal
/// form, without fragment, credentials and dot segments. An IP address as the host must be public.
/// `http` is allowed on loopback.
fn identifier(id: &str) -> Option<Url> {
    if id.len() > LONGEST_URL || !(id.starts_with("https://") || id.starts_with("http://")) {
        return None;
    }
    let url = Url::parse(id).ok()?;
    let is_plain = url.as_str() == id
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && url.path() != "/";
    let may_be_asked = match (url.scheme(), url.host()?) {
        ("https" | "http", _) if is_loopback(&url) => true,
        ("https", Host::Domain(_)) => true,
        ("https", Host::Ipv4(address)) => is_public(address.into()),
        ("https", Host::Ipv6(address)) => is_public(address.into()),
        _ => false,
    };
    (is_plain && may_be_asked).then_some(url)
}

/// The description in a document, if the document is about the client whose identifier is its URL.
fn describe(id: &str, url: &Url, document: Document) -> Result<ClientDescription, String> {
    if document.client_id != id {
        return Err("its client_id is not its URL".to_owned());
    }
    let count = document.redirect_uris.len();
    if count == 0 || count > MOST_REDIRECT_URIS {
        return Err("it has no redirect_uris, or too many".to_owned());
    }
    if !document.redirect_uris.iter().all(|uri| is_redirect_uri(uri)) {
        return Err("one of its redirect_uris is not a redirect URI".to_owned());
    }
    // Section 4.1 of the draft: a client that nobody registered cannot share a secret with the
    // issuer.
    if document.token_endpoint_auth_method.is_some_and(|method| method != "none") {
        return Err("its token_endpoint_auth_method is not \"none\"".to_owned());
    }
    let grant_types = document.grant_types.unwrap_or_default();
    Ok(ClientDescription {
        name: display_name(document.client_name.as_deref()),
        redirect_uris: document.redirect_uris,
        may_refresh: grant_types.iter().any(|grant| grant == "refresh_token"),
        host: url.host_str().unwrap_or_default().to_owned(),
    })
}

/// A resolver that gives public addresses only. A name with one other address is refused, so that
/// nobody can mix public and private addresses under one name.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> = found.collect();
            if addresses.is_empty() || !addresses.iter().all(|one| is_public(one.ip())) {
                return Err("its address is not a public one".into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_plain_urls_at_public_addresses() {
        for good in [
            "https://app.example/client.json",
            "https://app.example:8443/a/b",
            "http://localhost:3000/client",
            "http://127.0.0.1:3000/client",
            "https://93.184.216.34/client",
        ] {
            assert!(identifier(good).is_some(), "{good}");
        }
        let long = format!("https://app.example/{}", "x".repeat(3_000));
        for bad in [
            "",
            "app",
            "https://app.example",
            "https://app.example/",
            "http://app.example/client",
            "https://u@app.example/client",
            "https://u:p@app.example/client",
            "https://app.example/client#x",
            "https://app.example/a/../client",
            "https://APP.example/client",
            "https://10.0.0.1/client",
            "https://169.254.169.254/latest/meta-data",
            "https://2130706433/client",
            "https://0x7f.1/client",
            "https://[fd00::1]/client",
            "https://[::ffff:10.0.0.1]/client",
            "http://192.168.1.1/client",
            "ftp://app.example/client",
            "file:///etc/passwd",
            &long,
        ] {
            assert!(identifier(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_document_describes_its_own_client_or_is_refused() {
        let id = "https://app.example/client";
        let good = serde_json::json!({ "client_id": id, "client_name": "App",
            "redirect_uris": ["https://app.example/cb"], "grant_types": ["refresh_token"] });
        let read = |changes: serde_json::Value| {
            let mut document = good.clone();
            for (name, value) in changes.as_object().unwrap() {
                document[name] = value.clone();
            }
            describe(id, &Url::parse(id).unwrap(), serde_json::from_value(document).unwrap())
        };
        let described = read(serde_json::json!({})).unwrap();
        assert_eq!((described.host.as_str(), described.may_refresh), ("app.example", true));
        for bad in [
            serde_json::json!({ "client_id": "https://app.example/other" }),
            serde_json::json!({ "redirect_uris": [] }),
            serde_json::json!({ "redirect_uris": ["http://app.example/cb"] }),
            serde_json::json!({ "redirect_uris": ["javascript:alert(1)"] }),
            serde_json::json!({ "token_endpoint_auth_method": "client_secret_basic" }),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn names_of_this_machine_are_not_public() {
        let found = PublicOnly.resolve("localhost".parse().unwrap()).await;
        assert!(found.is_err(), "a name that leads here must not be asked as if it led elsewhere");
    }
}
