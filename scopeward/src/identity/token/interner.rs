//! What many tokens say alike is kept once: the scopes of a role, a client, the names of claims.

use std::{fmt, hash::Hash, sync::Arc};

use quick_cache::sync::Cache;

use crate::policy::Scope;

/// So many of each are shared. Of more, each token keeps its own.
const MOST: usize = 1_000;

pub(super) struct Interner {
    scopes: Cache<Arc<[Scope]>, Arc<[Scope]>>,
    texts: Cache<Arc<str>, Arc<str>>,
}

impl Default for Interner {
    fn default() -> Self {
        Self { scopes: Cache::new(MOST), texts: Cache::new(MOST) }
    }
}

impl Interner {
    pub(super) fn scopes(&self, scopes: Vec<Scope>) -> Arc<[Scope]> {
        one(&self.scopes, scopes)
    }

    pub(super) fn text(&self, text: &str) -> Arc<str> {
        one(&self.texts, text)
    }
}

/// The one that is kept, or from now on this one.
fn one<T, V>(all: &Cache<Arc<T>, Arc<T>>, value: V) -> Arc<T>
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
