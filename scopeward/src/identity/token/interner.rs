//! Shares the values that many tokens have in common (the scopes of a role, a client, the names of
//! claims), so that each value is stored once.

use std::{fmt, hash::Hash, sync::Arc};

use quick_cache::sync::Cache;

use crate::policy::Scope;

/// At most this many values of each kind are shared, so that memory stays bounded. Beyond that,
/// each token keeps its own copy.
const MAX_SHARED: usize = 1_000;

pub(super) struct Interner {
    scopes: Cache<Arc<[Scope]>, Arc<[Scope]>>,
    texts: Cache<Arc<str>, Arc<str>>,
}

impl Default for Interner {
    fn default() -> Self {
        Self { scopes: Cache::new(MAX_SHARED), texts: Cache::new(MAX_SHARED) }
    }
}

impl Interner {
    pub(super) fn scopes(&self, scopes: Vec<Scope>) -> Arc<[Scope]> {
        shared(&self.scopes, scopes)
    }

    pub(super) fn text(&self, text: &str) -> Arc<str> {
        shared(&self.texts, text)
    }
}

/// The stored value that equals `value`. If there is none, `value` is stored.
fn shared<T, V>(all: &Cache<Arc<T>, Arc<T>>, value: V) -> Arc<T>
where
    T: ?Sized + Eq + Hash,
    V: AsRef<T> + Into<Arc<T>>,
{
    if let Some(known) = all.get(value.as_ref()) {
        return known;
    }
    let new: Arc<T> = value.into();
    all.insert(Arc::clone(&new), Arc::clone(&new));
    new
}

impl fmt::Debug for Interner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interner").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_names_leave_a_thousand() {
        let interner = Interner::default();
        for number in 0..1_000_000 {
            interner.text(&number.to_string());
        }
        assert!(interner.texts.len() <= MAX_SHARED);
    }
}
