//! The parts of an authorization server that a resource server uses: metadata, keys and tokens.

use std::{net::TcpListener, thread, time::SystemTime};

use anyhow::{Context, Result};
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use axum::{Json, Router, routing::get};
use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet},
};
use scopeward::identity::token::VerificationKeys;
use serde_json::{Value, json};

/// The algorithms of the issuer, each with the name of its key.
pub const ALGORITHMS: [(Algorithm, &str); 3] =
    [(Algorithm::RS256, "rsa"), (Algorithm::ES256, "ec"), (Algorithm::EdDSA, "ed")];

/// The scopes that the issuer knows.
pub const SCOPES: [&str; 3] = ["todo:read", "todo:write", "admin:access"];

/// An issuer with a key of each algorithm.
#[derive(Debug)]
pub struct Issuer {
    keys: [EncodingKey; 3],
    published: JwkSet,
    rsa_pem: String,
}

impl Issuer {
    /// Creates an issuer with new keys.
    pub fn new() -> Result<Self> {
        let random = SystemRandom::new();
        let pair = KeyPair::generate(KeySize::Rsa2048)?;
        let document: Pkcs8V1Der<'_> = pair.as_der()?;
        // jsonwebtoken takes PKCS #1. PKCS #8 is the same with a header of 26 bytes.
        let rsa = EncodingKey::from_rsa_der(document.as_ref().get(26..).context("a short key")?);
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?;
        let ed = Ed25519KeyPair::generate_pkcs8v1(&random)?;
        let keys =
            [rsa, EncodingKey::from_ec_der(ec.as_ref()), EncodingKey::from_ed_der(ed.as_ref())];
        let mut published = JwkSet { keys: vec![] };
        for (key, (algorithm, name)) in keys.iter().zip(ALGORITHMS) {
            let mut key = Jwk::from_encoding_key(key, algorithm)?;
            key.common.key_id = Some(name.to_owned());
            published.keys.push(key);
        }
        Ok(Self { keys, published, rsa_pem: pem(public.as_ref()) })
    }

    /// The public keys.
    pub fn keys(&self) -> &JwkSet {
        &self.published
    }

    /// The public keys, to verify tokens with.
    pub fn verification_keys(&self) -> VerificationKeys {
        let text = serde_json::to_string(&self.published).unwrap_or_default();
        VerificationKeys::parse(&text).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The public RSA key as PEM.
    pub fn rsa_pem(&self) -> &str {
        &self.rsa_pem
    }

    /// Signs a token with these claims.
    pub fn sign(&self, algorithm: Algorithm, claims: &Value) -> Result<String> {
        let known = ALGORITHMS.iter().zip(&self.keys).find(|((one, _), _)| *one == algorithm);
        let ((_, name), key) = known.context("no key for this algorithm")?;
        let mut header = Header::new(algorithm);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some((*name).to_owned());
        Ok(encode(&header, claims, key)?)
    }

    /// Signs an access token for one subject, in the form that providers use.
    pub fn token(&self, algorithm: Algorithm, url: &str, to: &Subject<'_>) -> Result<String> {
        self.sign(algorithm, &to.claims(url))
    }

    /// Serves the metadata and the keys until the process ends, and returns the issuer's URL.
    pub fn serve(&self) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let metadata = json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/keys"),
            "scopes_supported": SCOPES,
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
        });
        let keys = json!(self.published);
        let answer = |body: Value| get(move || std::future::ready(Json(body.clone())));
        let router = Router::new()
            .route("/.well-known/oauth-authorization-server", answer(metadata.clone()))
            .route("/.well-known/openid-configuration", answer(metadata))
            .route("/keys", answer(keys));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, router).await
            })
        });
        Ok(url)
    }
}

/// The subject, the audience and the scopes of a token.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// `sub`
    pub name: &'a str,
    /// The resource.
    pub audience: &'a str,
    /// The granted scopes.
    pub scope: &'a str,
}

impl Subject<'_> {
    /// The claims of the subject's token, which is valid for one day.
    pub fn claims(&self, issuer: &str) -> Value {
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_secs());
        json!({
            "iss": issuer,
            "sub": self.name,
            "aud": self.audience,
            "client_id": "skc_58327482062864390",
            "exp": now + 86_400,
            "iat": now,
            "nbf": now,
            "jti": "tkn_58331530933093645",
            "scope": self.scope,
        })
    }
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        (0..text.len()).step_by(64).map(|start| &text[start..text.len().min(start + 64)]).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}
