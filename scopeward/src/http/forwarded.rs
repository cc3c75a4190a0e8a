//! The address of a client behind a proxy.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use http::HeaderMap;
use ipnet::IpNet;

use super::Peer;

/// The name of the header in which proxies write the address that a request came from.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// At most this many addresses are looked at, from the end, because a sender can write thousands.
const MOST_HOPS: usize = 32;

/// The proxies whose word counts for where a request came from. Clones share the list.
///
/// Each proxy adds the address that it saw to the end of `X-Forwarded-For`. So the list is read from
/// its end, for as long as the addresses are those of trusted proxies; the first other one is the
/// client. The addresses before it were written by the client, and are not read.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrustedProxies(Arc<[Network]>);

/// The addresses of one or more proxies: `10.0.0.0/8`, or `192.0.2.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network(IpNet);

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let address =
            |text: &str| text.parse::<IpAddr>().map(|one| IpNet::from(one.to_canonical()));
        address(text)
            .or_else(|_| text.parse::<IpNet>())
            .map(|network| Self(network.trunc()))
            .map_err(|_| "not an address, such as 192.0.2.1, or a network, such as 10.0.0.0/8")
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl TrustedProxies {
    pub(crate) fn new(networks: &[Network]) -> Self {
        Self(networks.into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the peer of a connection is a trusted proxy.
    pub(crate) fn trusts(&self, peer: Peer) -> bool {
        !self.0.is_empty() && self.has(peer.address())
    }

    fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.0.contains(&address))
    }

    /// The client of a request that came from `peer`. It is `peer` itself unless that is a trusted
    /// proxy. An address that cannot be read ends the search: then the last proxy stands for the
    /// client, because whatever is before it could be made up.
    pub(crate) fn client(&self, peer: Peer, headers: &HeaderMap) -> Peer {
        if !self.trusts(peer) {
            return peer;
        }
        let mut last = peer;
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let hops = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
        for hop in hops.take(MOST_HOPS) {
            let Some(address) = address(hop) else { return last };
            last = Peer::from(address);
            if !self.has(last.address()) {
                return last;
            }
        }
        last
    }
}

/// An address of `X-Forwarded-For`. Some proxies write the port as well.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let with_port = || hop.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn peer(text: &str) -> Peer {
        Peer::from(text.parse::<IpAddr>().unwrap())
    }

    fn client(trusted: &[&str], from: &str, lines: &[&str]) -> String {
        let networks: Vec<Network> = trusted.iter().map(|one| one.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        TrustedProxies::new(&networks).client(peer(from), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(client(&[], "192.0.2.9", &["203.0.113.5"]), "192.0.2.9");
        assert_eq!(client(&["192.0.2.1"], "192.0.2.9", &["203.0.113.5"]), "192.0.2.9");
        assert_eq!(client(&["192.0.2.0/24"], "192.0.2.9", &["203.0.113.5"]), "203.0.113.5");
        assert_eq!(client(&["192.0.2.9"], "::ffff:192.0.2.9", &["203.0.113.5"]), "203.0.113.5");
    }

    #[test]
    fn the_first_address_from_the_end_that_is_no_proxy_is_the_client() {
        let proxies = ["10.0.0.0/8", "2001:db8::/32"];
        for (lines, is) in [
            (&["203.0.113.5"][..], "203.0.113.5"),
            (&["198.51.100.7, 203.0.113.5"], "203.0.113.5"),
            (&["198.51.100.7, 203.0.113.5, 10.1.1.1"], "203.0.113.5"),
            (&["198.51.100.7", "203.0.113.5", "10.1.1.1"], "203.0.113.5"),
            (&["203.0.113.5:4711"], "203.0.113.5"),
            (&["[2001:db9::5]:4711"], "2001:db9::5"),
            (&["[2001:db9::5]"], "2001:db9::5"),
            (&["2001:db9::5, 2001:db8::1"], "2001:db9::5"),
            // No client is named, or what is named cannot be read: the last proxy stands for it.
            (&[], "10.0.0.1"),
            (&["10.1.1.1"], "10.1.1.1"),
            (&["203.0.113.5, unknown"], "10.0.0.1"),
            (&["203.0.113.5, unknown, 10.1.1.1"], "10.1.1.1"),
            (&["203.0.113.5,"], "10.0.0.1"),
        ] {
            assert_eq!(client(&proxies, "10.0.0.1", lines), is, "{lines:?}");
        }
    }

    #[test]
    fn a_list_of_thousands_is_not_read_to_its_end() {
        let many = vec!["10.1.1.1"; 10_000].join(",");
        let line = format!("203.0.113.5,{many}");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &[&line]), "10.1.1.1");
    }

    #[test]
    fn networks_are_read() {
        for good in ["192.0.2.1", "10.0.0.0/8", "10.1.2.3/8", "::1", "2001:db8::/32", " ::1 "] {
            assert!(good.parse::<Network>().is_ok(), "{good}");
        }
        for wrong in ["", "localhost", "10.0.0.0/33", "10.0.0", "*", "0x7f.1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        assert_eq!("10.1.2.3/8".parse::<Network>().unwrap().to_string(), "10.0.0.0/8");
    }
}
