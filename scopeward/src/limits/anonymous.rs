//! The limits of requests without a token: a pool of their own, so that authenticated callers never
//! wait for them. One address has its share of the pool.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{Holder, Limit, Limits, Place, RateLimiter, SHORT, SharedLimit};

/// The rate and the places of requests without a token. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct AnonymousPool {
    places: SharedLimit,
    rates: Arc<Rates>,
}

#[derive(Debug)]
struct Rates {
    all: RateLimiter<()>,
    /// Requests whose address is not known share one bucket.
    each: RateLimiter<Option<IpAddr>>,
}

impl AnonymousPool {
    pub(super) fn new(limits: &Limits) -> Self {
        let rate = limits.rate_anonymous;
        let share = usize::try_from(rate).map_or(usize::MAX, |rate| limits.shares_of(rate).address);
        // A rate of 0 is no limit, for one address too.
        let share = if rate == 0 { 0 } else { u32::try_from(share).unwrap_or(rate) };
        let rates =
            Rates { all: RateLimiter::per_second(rate), each: RateLimiter::per_second(share) };
        let shares = limits.shares_of(limits.max_anonymous);
        Self { places: SharedLimit::new(limits.max_anonymous, shares), rates: Arc::new(rates) }
    }

    /// Admits a request before its body is read.
    ///
    /// # Errors
    ///
    /// The limit that refuses it, and how long to wait.
    pub(crate) fn admit(&self, holder: Holder) -> Result<(), (Limit, Duration)> {
        // First its own share, so that one address cannot use up the rate of all.
        self.rates.each.admit(&holder.address).map_err(|wait| (Limit::Address, wait))?;
        self.rates.all.admit(&()).map_err(|wait| (Limit::AnonymousRate, wait))
    }

    /// Takes a place for a call.
    ///
    /// # Errors
    ///
    /// The limit that refuses it, and how long to wait.
    pub(crate) fn place(&self, holder: Holder) -> Result<Place, (Limit, Duration)> {
        let permit = self.places.take(1, holder);
        permit.map(Place::new).map_err(|exceeded| (Limit::Anonymous.or_share(exceeded), SHORT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_its_share_of_the_rate_and_of_the_places() {
        let limits = Limits { rate_anonymous: 40, max_anonymous: 8, ..Limits::default() };
        let pool = AnonymousPool::new(&limits);
        let at = |last| Holder { caller: None, address: Some([192, 0, 2, last].into()) };
        let mut let_in = 0;
        while pool.admit(at(1)).is_ok() {
            let_in += 1;
            assert!(let_in < 200, "a quarter of 40 a second, ten seconds' worth of them");
        }
        assert!(matches!(pool.admit(at(1)), Err((Limit::Address, _))));
        assert!(pool.admit(at(2)).is_ok(), "another address");

        let held: Vec<_> = (0..2).map(|_| pool.place(at(1)).unwrap()).collect();
        assert!(matches!(pool.place(at(1)), Err((Limit::ShareOfAddress, _))));
        let others: Vec<_> = (2..8).map(|last| pool.place(at(last)).unwrap()).collect();
        assert!(matches!(pool.place(at(9)), Err((Limit::Anonymous, _))));
        drop((held, others));
        assert!(pool.place(at(9)).is_ok());
    }

    #[test]
    fn all_addresses_together_have_the_whole_rate() {
        let limits = Limits { rate_anonymous: 4, ..Limits::default() };
        let pool = AnonymousPool::new(&limits);
        let admitted = (0..=255_u8).filter(|last| {
            let holder = Holder { caller: None, address: Some([192, 0, 2, *last].into()) };
            pool.admit(holder).is_ok()
        });
        assert!(admitted.count() <= 60);
    }
}
