//! The `typ` header of access tokens.

/// The `typ` headers that an access token may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenTypes {
    /// `at+jwt` only (RFC 9068, section 4).
    AccessToken,
    /// Also `JWT` or none, for issuers older than RFC 9068.
    AccessTokenOrPlain,
}
