//! Limits on what all callers hold together, and on the share that one caller or one address has.

use std::{collections::HashMap, hash::Hash, net::IpAddr, sync::Arc};

use parking_lot::Mutex;

use crate::http::Peer;

/// The caller and the address that hold a part of a limit, as far as they are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Holder {
    /// The number of the caller, as `Principal::number` gives it.
    pub(crate) caller: Option<u64>,
    /// The network of the address (`Peer::network`).
    pub(crate) address: Option<IpAddr>,
}

impl Holder {
    /// The holder of a request whose caller is not known.
    pub(crate) fn at(peer: Option<Peer>) -> Self {
        Self { caller: None, address: peer.map(Peer::network) }
    }
}

/// The most that one caller and one address may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    pub(crate) caller: usize,
    pub(crate) address: usize,
}

impl Shares {
    /// No share is smaller than the whole.
    pub(crate) const NONE: Self = Self { caller: usize::MAX, address: usize::MAX };
}

/// The reason why a permit is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exceeded {
    /// All of it is held.
    Whole,
    /// The caller holds its share.
    ShareOfCaller,
    /// The address holds its share.
    ShareOfAddress,
}

/// A limit on places, connections or bytes. Clones share one limit.
///
/// Its memory grows with what is held, not with the callers that were ever seen.
#[derive(Debug, Clone)]
pub(crate) struct SharedLimit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    shares: Shares,
    // The lock guards numbers alone, so a panic cannot leave them half-written.
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    whole: usize,
    callers: HashMap<u64, usize>,
    addresses: HashMap<IpAddr, usize>,
}

/// A permit, which is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct SharedPermit {
    limit: SharedLimit,
    holder: Holder,
    amount: usize,
}

impl SharedLimit {
    pub(crate) fn new(most: usize, shares: Shares) -> Self {
        Self(Arc::new(Inner { most, shares, held: Mutex::default() }))
    }

    /// Takes a permit for `amount`.
    ///
    /// # Errors
    ///
    /// [`Exceeded`] if all of the limit, or a share of this holder, would be exceeded.
    pub(crate) fn take(&self, amount: usize, holder: Holder) -> Result<SharedPermit, Exceeded> {
        let mut permit = SharedPermit { limit: self.clone(), holder, amount: 0 };
        permit.grow(amount)?;
        Ok(permit)
    }

    /// Takes a permit for something that exists already, even if it exceeds the limit. Whoever comes
    /// next is refused until enough is given back.
    pub(crate) fn take_over(&self, amount: usize, holder: Holder) -> SharedPermit {
        self.0.held.lock().add(amount, holder);
        SharedPermit { limit: self.clone(), holder, amount }
    }

    /// How much is held.
    pub(crate) fn taken(&self) -> usize {
        self.0.held.lock().whole
    }
}

impl SharedPermit {
    /// Makes the permit larger by `more`.
    ///
    /// # Errors
    ///
    /// [`Exceeded`] if all of the limit, or a share of this holder, would be exceeded. The permit
    /// keeps its size.
    pub(crate) fn grow(&mut self, more: usize) -> Result<(), Exceeded> {
        let Inner { most, shares, held } = &*self.limit.0;
        let mut held = held.lock();
        let exceeds = |has: usize, most: usize| has.saturating_add(more) > most;
        if exceeds(held.whole, *most) {
            return Err(Exceeded::Whole);
        }
        let Holder { caller, address } = self.holder;
        if caller.is_some_and(|caller| exceeds(has(&held.callers, &caller), shares.caller)) {
            return Err(Exceeded::ShareOfCaller);
        }
        if address.is_some_and(|address| exceeds(has(&held.addresses, &address), shares.address)) {
            return Err(Exceeded::ShareOfAddress);
        }
        held.add(more, self.holder);
        drop(held);
        self.amount += more;
        Ok(())
    }
}

impl Drop for SharedPermit {
    fn drop(&mut self) {
        if self.amount > 0 {
            self.limit.0.held.lock().subtract(self.amount, self.holder);
        }
    }
}

/// The place of a call, as an extension of its request. It is held for as long as anything works on
/// the request, also when the client has gone away.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    #[expect(dead_code, reason = "held until the last clone is dropped")]
    permit: Arc<SharedPermit>,
}

impl Place {
    pub(crate) fn new(permit: SharedPermit) -> Self {
        Self { permit: Arc::new(permit) }
    }
}

impl Held {
    fn add(&mut self, amount: usize, holder: Holder) {
        self.whole += amount;
        if let Some(caller) = holder.caller {
            *self.callers.entry(caller).or_default() += amount;
        }
        if let Some(address) = holder.address {
            *self.addresses.entry(address).or_default() += amount;
        }
    }

    fn subtract(&mut self, amount: usize, holder: Holder) {
        self.whole -= amount;
        if let Some(caller) = holder.caller {
            give_back(&mut self.callers, &caller, amount);
        }
        if let Some(address) = holder.address {
            give_back(&mut self.addresses, &address, amount);
        }
    }
}

fn has<K: Hash + Eq>(all: &HashMap<K, usize>, holder: &K) -> usize {
    all.get(holder).copied().unwrap_or(0)
}

fn give_back<K: Hash + Eq>(all: &mut HashMap<K, usize>, holder: &K, amount: usize) {
    if let Some(held) = all.get_mut(holder) {
        *held -= amount;
        if *held == 0 {
            all.remove(holder);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn caller(number: u64) -> Holder {
        Holder { caller: Some(number), address: None }
    }

    #[test]
    fn one_holder_has_its_share_and_all_have_the_whole() {
        let limit = SharedLimit::new(4, Shares { caller: 2, address: 3 });
        let first = [limit.take(1, caller(1)), limit.take(1, caller(1))];
        assert!(first.iter().all(Result::is_ok));
        assert_eq!(limit.take(1, caller(1)).unwrap_err(), Exceeded::ShareOfCaller);
        let second = limit.take(2, caller(2)).unwrap();
        assert_eq!(limit.take(1, caller(3)).unwrap_err(), Exceeded::Whole);
        drop(second);
        assert!(limit.take(1, caller(3)).is_ok());
        let address = Holder { caller: None, address: Some([192, 0, 2, 1].into()) };
        let mut permit = limit.take(1, address).unwrap();
        assert_eq!(permit.grow(9).unwrap_err(), Exceeded::Whole);
        assert_eq!(limit.taken(), 3);
    }

    #[test]
    fn what_exists_already_is_counted_beyond_the_limit() {
        let limit = SharedLimit::new(4, Shares::NONE);
        let large = limit.take_over(10, caller(1));
        assert_eq!((limit.taken(), limit.take(1, caller(2)).unwrap_err()), (10, Exceeded::Whole));
        drop(large);
        assert!(limit.take(4, caller(2)).is_ok());
    }

    #[test]
    fn nothing_is_remembered_of_a_million_callers() {
        let limit = SharedLimit::new(4, Shares::NONE);
        for number in 0..1_000_000 {
            let address = std::net::Ipv4Addr::from(u32::try_from(number).unwrap()).into();
            drop(limit.take(1, Holder { caller: Some(number), address: Some(address) }).unwrap());
        }
        let held = limit.0.held.lock();
        assert_eq!((held.whole, held.callers.len(), held.addresses.len()), (0, 0, 0));
        assert!(held.callers.capacity() < 16 && held.addresses.capacity() < 16);
    }

    proptest! {
        /// Whatever is taken, grown and given back, the numbers are those of the permits.
        #[test]
        fn the_numbers_are_those_of_the_permits(
            steps in prop::collection::vec((0_u64..4, 0_usize..6, any::<bool>()), 0..60)
        ) {
            let limit = SharedLimit::new(12, Shares { caller: 5, address: 12 });
            let mut permits: Vec<SharedPermit> = vec![];
            for (who, amount, is_given_back) in steps {
                if is_given_back && !permits.is_empty() {
                    permits.remove(amount % permits.len());
                } else if let Ok(permit) = limit.take(amount, caller(who)) {
                    permits.push(permit);
                }
                let whole: usize = permits.iter().map(|permit| permit.amount).sum();
                prop_assert_eq!(limit.taken(), whole);
                prop_assert!(whole <= 12);
                for who in 0..4 {
                    let of_one = permits.iter().filter(|permit| permit.holder == caller(who));
                    prop_assert!(of_one.map(|permit| permit.amount).sum::<usize>() <= 5);
                }
            }
        }
    }
}
