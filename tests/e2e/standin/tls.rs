//! TLS with the tests' own certificate authority, and certificates that can be replaced.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    },
    server::TlsStream,
};

/// A certificate authority that no client trusts at first.
pub(crate) struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl CertificateAuthority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::new(vec![]).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(parameters, key), pem }
    }

    /// The authority's own certificate, as PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Writes the authority's certificate to a file, for clients that shall trust the authority.
    pub(crate) fn write(&self, path: &Path) {
        std::fs::write(path, &self.pem).unwrap();
    }

    /// Issues a certificate for `localhost`, good until the end of the year `until`. Returns the
    /// certificate and its key as PEM.
    pub(crate) fn issue(&self, until: i32) -> (String, String) {
        let (certificate, key) = self.signed(until);
        (certificate.pem(), key.serialize_pem())
    }

    fn signed(&self, until: i32) -> (Certificate, KeyPair) {
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().unwrap();
        (parameters.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// The TLS configuration of a server with a new certificate for `localhost`, good until the end
    /// of the year `until`.
    pub(crate) fn certificate(&self, until: i32) -> Arc<ServerConfig> {
        let (certificate, key) = self.signed(until);
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        Arc::new(config.with_single_cert(chain, key).unwrap())
    }
}

/// The certificate that the server shows to new clients.
#[derive(Clone)]
pub(crate) struct Shown(Arc<Mutex<Arc<ServerConfig>>>);

impl Shown {
    pub(crate) fn new(certificate: Arc<ServerConfig>) -> Self {
        Self(Arc::new(Mutex::new(certificate)))
    }

    pub(crate) fn replace(&self, certificate: Arc<ServerConfig>) {
        *self.0.lock().unwrap() = certificate;
    }
}

pub(super) struct Listener {
    tcp: TcpListener,
    shown: Shown,
}

impl Listener {
    pub(super) fn new(tcp: TcpListener, shown: Shown) -> Self {
        Self { tcp, shown }
    }
}

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.tcp.accept().await.unwrap();
            let acceptor = TlsAcceptor::from(Arc::clone(&self.shown.0.lock().unwrap()));
            // A failed handshake is ignored, because a client may reject the certificate.
            if let Ok(stream) = acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
