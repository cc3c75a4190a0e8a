//! The address at the other end of a connection.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use axum::extract::ConnectInfo;
use http::Extensions;

/// The address that a request came from: the client, or the proxy in front of it. `X-Forwarded-For`
/// is read from [trusted proxies](super::TrustedProxies) only, because any sender can write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(IpAddr);

impl Peer {
    /// The peer of a request: as this server's listener has seen it, or as the program that mounts
    /// the routes says it with axum's [`ConnectInfo`].
    pub(crate) fn of(extensions: &Extensions) -> Option<Self> {
        let told = || extensions.get::<ConnectInfo<SocketAddr>>().map(|told| Self::from(told.0));
        extensions.get::<Self>().copied().or_else(told)
    }

    pub(super) fn address(self) -> IpAddr {
        self.0
    }

    /// The network that counts as one peer: an IPv4 address, or the first 64 bits of an IPv6
    /// address, because one holder has all addresses that begin with them.
    pub(crate) fn network(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
        }
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self::from(address.ip())
    }
}

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one() {
        let network = |text: &str| Peer::from(text.parse::<SocketAddr>().unwrap()).network();
        assert_eq!(network("[2001:db8::1]:1"), network("[2001:db8::ffff:1]:2"));
        assert_ne!(network("[2001:db8::1]:1"), network("[2001:db8:0:1::1]:1"));
        assert_eq!(network("[::ffff:192.0.2.1]:1"), network("192.0.2.1:2"));
        assert_ne!(network("192.0.2.1:1"), network("192.0.2.2:1"));
    }
}
