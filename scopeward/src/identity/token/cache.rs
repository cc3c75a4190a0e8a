//! The cache of verified tokens, so that a signature is checked once and not at each request.
//!
//! An entry says that a token is signed with the keys of one generation and meets its issuer's
//! rules. Neither can change, so the entry stays true. The token's times can change, so they are
//! checked at each request. When the issuer has other keys, the entry is ignored and the token is
//! verified anew.

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

/// At most this many tokens are cached, so that memory stays bounded. Tokens that are not used
/// again make room for new ones.
const MAX_TOKENS: u64 = 100_000;
/// The number of tokens for which memory is allocated at the start.
const EXPECTED_TOKENS: usize = 1_000;

/// The cache's key for a token: 128 bits of a keyed pseudo-random function (`HighwayHash`), whose
/// key is secret to this process. Nobody can make two tokens with the same digest, and a token
/// cannot be recovered from its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenDigest([u64; 2]);

/// A cached token, and the keys that verified it.
#[derive(Debug, Clone)]
pub(super) struct CachedToken {
    pub(super) token: AccessToken,
    /// The index of its issuer in the validator.
    pub(super) issuer: usize,
    /// The keys that verified the token.
    pub(super) keys: Generation,
}

type CachedTokens = sync::Cache<
    TokenDigest,
    CachedToken,
    UnitWeighter,
    BuildHasherDefault<IdentityHasher>,
    DefaultLifecycle<TokenDigest, CachedToken>,
>;

/// The cache. Each shard has its own lock, so that readers of different tokens rarely wait for each
/// other.
pub(super) struct TokenCache {
    /// `None` if the system gives no random bytes. Nothing is cached then, because anybody could
    /// make two tokens with the same digest.
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
        Self {
            key,
            entries: CachedTokens::with(
                EXPECTED_TOKENS,
                MAX_TOKENS,
                UnitWeighter,
                hasher,
                lifecycle,
            ),
        }
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

/// A hasher that returns the digest itself, because a digest is already a hash.
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

    /// Ignores the length of the array, because it is always the same.
    fn write_usize(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::issuer::TestIssuer;

    #[test]
    fn a_million_tokens_leave_a_hundred_thousand() {
        let issuer = TestIssuer::new("http://localhost:3002/mcp".to_owned()).unwrap();
        let claims = json!({ "sub": "ada", "scope": "" });
        let signed = issuer.sign(claims.as_object().unwrap().clone()).unwrap();
        let token = issuer.validator().validate(&signed).unwrap();
        let cache = TokenCache::default();
        let found = CachedToken { token, issuer: 0, keys: Generation::next() };
        for number in 0..1_000_000_u32 {
            cache.insert(cache.digest(&number.to_ne_bytes()), found.clone());
        }
        assert!(cache.entries.len() as u64 <= MAX_TOKENS);
    }
}
