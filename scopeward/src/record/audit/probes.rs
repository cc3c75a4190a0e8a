//! Requests without any token, counted a minute at a time.
//!
//! Load balancers and scanners ask the MCP endpoint without a token, and clients do so once before
//! they sign in. The first request of an address in a minute has a record of its own; the further ones
//! have one together, at the end of the minute. So nobody fills the log or the audit file with them,
//! and the records still say how many there were.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::http::Peer;

/// How long requests are counted together.
const MINUTE: Duration = Duration::from_mins(1);
/// How many addresses of a minute are counted apart: enough for the load balancers of one server, and
/// few enough to be read. All others are counted together.
const MOST_ADDRESSES: usize = 32;

/// The requests of this minute.
#[derive(Debug, Default)]
pub(super) struct Probes {
    minute: Option<Minute>,
}

#[derive(Debug)]
struct Minute {
    begun: Instant,
    /// The revision of the policy at the first request.
    policy: String,
    /// Each address, and the number of its requests after the first.
    by_address: Vec<(Option<IpAddr>, u64)>,
}

/// The consequences of one request.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Whether the request has a record of its own.
    pub(super) is_first: bool,
    /// Whether the request begins a minute, at whose end the counted requests are recorded.
    pub(super) begins_minute: bool,
    /// The counted requests of a minute that is over.
    pub(super) over: Vec<Counted>,
}

/// Requests of one address that have no record of their own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// The address; `None` for those of many addresses.
    pub(super) address: Option<IpAddr>,
    pub(super) count: u64,
    pub(super) policy: String,
}

impl Probes {
    /// How long after its beginning a minute is over.
    pub(super) const fn length() -> Duration {
        MINUTE
    }

    /// Notes a request.
    pub(super) fn see(&mut self, peer: Option<Peer>, policy: &str, now: Instant) -> Seen {
        let over = self.take_over(now);
        let begins_minute = self.minute.is_none();
        let minute = self.minute.get_or_insert_with(|| Minute {
            begun: now,
            policy: policy.to_owned(),
            by_address: vec![],
        });
        let all = &mut minute.by_address;
        let is_apart = |address: &IpAddr| {
            all.len() < MOST_ADDRESSES || all.iter().any(|(known, _)| *known == Some(*address))
        };
        let address = peer.map(Peer::network).filter(is_apart);
        let known = all.iter_mut().find(|(known, _)| *known == address);
        let is_first = known.is_none();
        if let Some((_, count)) = known {
            *count += 1;
        } else {
            all.push((address, 0));
        }
        Seen { is_first, begins_minute, over }
    }

    /// The counted requests, if their minute is over.
    pub(super) fn take_over(&mut self, now: Instant) -> Vec<Counted> {
        let is_over = |minute: &mut Minute| now.saturating_duration_since(minute.begun) >= MINUTE;
        self.minute.take_if(is_over).map_or_else(Vec::new, Minute::counted)
    }

    /// The counted requests of a minute that is cut short.
    pub(super) fn take(&mut self) -> Vec<Counted> {
        self.minute.take().map_or_else(Vec::new, Minute::counted)
    }
}

impl Minute {
    fn counted(self) -> Vec<Counted> {
        let policy = self.policy;
        let counted = self.by_address.into_iter().filter(|(_, count)| *count > 0);
        counted.map(|(address, count)| Counted { address, count, policy: policy.clone() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> Peer {
        Peer::from(IpAddr::from(number.to_be_bytes()))
    }

    #[test]
    fn a_minute_has_a_bounded_number_of_records() {
        let (mut probes, begun) = (Probes::default(), Instant::now());
        let firsts = (0..10_000_u32)
            .filter(|number| probes.see(Some(peer(*number)), "p", begun).is_first)
            .count();
        assert_eq!(firsts, MOST_ADDRESSES + 1, "and one for all others");
        assert!(!probes.see(Some(peer(1)), "p", begun).is_first);
        let next = probes.see(Some(peer(1)), "p", begun + MINUTE);
        assert!(next.is_first && next.begins_minute);
        let all: u64 = next.over.iter().map(|counted| counted.count).sum();
        assert_eq!(all + firsts as u64, 10_001);
        assert_eq!(next.over.len(), 2, "one address twice, and the others: {:?}", next.over);
        assert_eq!(probes.take(), []);
    }

    #[test]
    fn a_minute_is_over_when_it_is_over() {
        let (mut probes, begun) = (Probes::default(), Instant::now());
        assert!(probes.see(None, "p", begun).begins_minute);
        assert!(!probes.see(None, "q", begun).begins_minute);
        assert_eq!(probes.take_over(begun + Duration::from_secs(59)), []);
        let counted = Counted { address: None, count: 1, policy: "p".to_owned() };
        assert_eq!(probes.take_over(begun + MINUTE), [counted]);
    }
}
