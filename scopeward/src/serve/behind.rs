//! A proxy in front of the server: what it changes of a request, and what it is believed.

use crate::{
    http::{Network, TrustedProxies},
    policy::ResourceUrl,
};

/// The options for a server behind a proxy.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Behind a proxy")]
pub(crate) struct Behind {
    /// The path at which the server serves the MCP endpoint, if a proxy takes a part of the URL's path
    /// away
    #[arg(long, value_name = "PATH", env = "INNER_PATH", value_parser = inner_path)]
    pub(crate) inner_path: Option<String>,
    /// Further values of the Host header that are taken, with their port, because a proxy writes them;
    /// separated by commas
    #[arg(long, value_name = "HOSTS", env = "ALLOWED_HOSTS", value_delimiter = ',', value_parser = host)]
    pub(crate) allowed_hosts: Vec<String>,
    /// The proxies whose `X-Forwarded-For` is read, as addresses or networks, separated by commas. The
    /// limits of addresses then hold for each client, and not for the proxy
    #[arg(long, value_name = "NETWORKS", env = "TRUSTED_PROXIES", value_delimiter = ',')]
    trusted_proxies: Vec<Network>,
}

impl Behind {
    pub(crate) fn proxies(&self) -> TrustedProxies {
        TrustedProxies::new(&self.trusted_proxies)
    }
}

fn inner_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("a path begins with `/`, such as /mcp".to_owned());
    }
    let url = ResourceUrl::parse(&format!("http://localhost{text}"));
    let url = url.and_then(|url| url.check_path().map(|()| url));
    url.map(|url| url.path().to_owned()).map_err(|error| error.to_string())
}

fn host(text: &str) -> Result<String, String> {
    let text = text.trim();
    let is_host = |authority: &http::uri::Authority| !authority.as_str().contains('@');
    match text.parse::<http::uri::Authority>() {
        Ok(authority) if is_host(&authority) => Ok(text.to_ascii_lowercase()),
        _ => Err("not the value of a Host header, such as todo:3002".to_owned()),
    }
}
