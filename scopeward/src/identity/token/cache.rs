//! Tokens whose signature was found right, so that it is checked once and not at each request.
//!
//! What is kept is the answer to a question that has only one: whether a token is signed with the keys
//! of one generation and says what its issuer's tokens must say. When it is valid is looked at each
//! time, and with other keys the question is asked anew.

use std::{
    fmt,
    hash::{BuildHasherDefault, Hasher},
};

use aws_lc_rs::rand;
use highway::{HighwayHash, HighwayHasher, Key};
use quick_cache::{
    UnitWeighter,
    sync::{self, DefaultLifecycle},
};

use super::{AccessToken, keys::Generation};

/// So many tokens are kept; of more, those that are not used again make room.
const MOST: u64 = 100_000;
/// Memory is taken for so many from the start.
const EXPECTED: usize = 1_000;

/// What stands for a token: 128 bits of a keyed pseudo-random function (`HighwayHash`), whose key is
/// this process's secret. Nobody can make two tokens of one digest, and no token can be had from what
/// is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenDigest([u64; 2]);

/// What was found.
#[derive(Debug, Clone)]
pub(super) struct CachedToken {
    pub(super) token: AccessToken,
    /// The place of its issuer in the validator.
    pub(super) issuer: usize,
    /// The keys that it was found with.
    pub(super) keys: Generation,
}

type CachedTokens = sync::Cache<
    TokenDigest,
    CachedToken,
    UnitWeighter,
    BuildHasherDefault<IdentityHasher>,
    DefaultLifecycle<TokenDigest, CachedToken>,
>;

/// Shards with a lock each, which readers of different tokens do not share.
pub(super) struct TokenCache {
    /// `None` without randomness: then nothing is kept.
    key: Option<Key>,
    entries: CachedTokens,
}

impl Default for TokenCache {
    fn default() -> Self {
        let mut bytes = [0_u8; 32];
        let key = rand::fill(&mut bytes).ok().map(|()| {
            let mut words = [0; 4];
            for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
                *word = u64::from_ne_bytes(*bytes);
            }
            Key(words)
        });
        let hasher = BuildHasherDefault::default();
        let lifecycle = DefaultLifecycle::default();
        Self { key, entries: CachedTokens::with(EXPECTED, MOST, UnitWeighter, hasher, lifecycle) }
    }
}

impl TokenCache {
    pub(super) fn digest(&self, token: &[u8]) -> TokenDigest {
        let key = self.key.unwrap_or_default();
        TokenDigest(HighwayHasher::new(key).hash128(token))
    }

    pub(super) fn get(&self, digest: TokenDigest) -> Option<CachedToken> {
        self.entries.get(&digest)
    }

    pub(super) fn insert(&self, digest: TokenDigest, found: CachedToken) {
        if self.key.is_some() {
            self.entries.insert(digest, found);
        }
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

/// A digest needs no further hashing.
#[derive(Debug, Clone, Copy, Default)]
struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for bytes in bytes.as_chunks().0 {
            self.write_u64(u64::from_ne_bytes(*bytes));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 ^= word;
    }

    /// The length of the array, which is always the same.
    fn write_usize(&mut self, _: usize) {}
}
