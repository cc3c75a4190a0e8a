//! The embedded issuer's signing key: made at the first start, kept in a file that only its owner
//! can read.

use std::{fs, io, path::Path};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};

use zeroize::Zeroizing;

use super::{IssuerError, SignError};
use crate::file;

/// An ES256 key pair (RFC 7518, section 3.4).
pub(super) struct SigningKey {
    private: EncodingKey,
    public: Jwk,
    header: Header,
}

impl SigningKey {
    /// Reads the key from `path`, or makes one there.
    pub(super) fn open(path: &Path) -> Result<Self, IssuerError> {
        let name = || path.display().to_string();
        let io_error = |source| IssuerError::Io { path: name(), source };
        let document: Zeroizing<Vec<u8>> = match file::read_bytes(path) {
            Ok(document) => {
                check_owner_only(path)?;
                document.into()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path).map_err(io_error)?
            }
            Err(error) => return Err(io_error(error)),
        };
        Self::from_pkcs8(&document)
            .ok_or_else(|| IssuerError::Damaged { path: name(), reason: "not a P-256 key".into() })
    }

    fn from_pkcs8(document: &[u8]) -> Option<Self> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document).ok()?;
        let private = EncodingKey::from_ec_der(document);
        let mut public = Jwk::from_encoding_key(&private, Algorithm::ES256).ok()?;
        let id = public.thumbprint(ThumbprintHash::SHA256).ok()?;
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(id);
        Some(Self { private, public, header })
    }

    pub(super) fn public(&self) -> JwkSet {
        JwkSet { keys: vec![self.public.clone()] }
    }

    pub(super) fn sign(&self, claims: &serde_json::Value) -> Result<String, SignError> {
        encode(&self.header, claims, &self.private).map_err(|_| SignError)
    }
}

/// Makes a key and writes it to `path`, whole or not at all. Two processes that start at the same
/// time use the same key: the one that was written first.
fn create(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let document =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| io::Error::other("no key could be generated"))?;
    if file::create(path, document.as_ref(), file::Access::OwnerOnly)? {
        Ok(document.as_ref().to_vec().into())
    } else {
        file::read_bytes(path).map(Zeroizing::new)
    }
}

/// Refuses a key that other users of this machine can read.
#[cfg(unix)]
fn check_owner_only(path: &Path) -> Result<(), IssuerError> {
    use std::os::unix::fs::MetadataExt;
    let name = || path.display().to_string();
    let metadata = fs::metadata(path).map_err(|source| IssuerError::Io { path: name(), source })?;
    let others = metadata.mode() & 0o077;
    if others == 0 { Ok(()) } else { Err(IssuerError::OpenKey(name())) }
}

#[cfg(not(unix))]
fn check_owner_only(_path: &Path) -> Result<(), IssuerError> {
    Ok(())
}
