//! TLS for deployments without a proxy. The certificate is loaded again when its file changes.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
    server::TlsStream,
};

use crate::{file, heartbeat::Heartbeat, record::metrics::metrics};

/// How long to wait between two reads of the files.
const INTERVAL: Duration = Duration::from_secs(1);
const TARGET: &str = "scopeward::tls";

/// The paths of the certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    /// The certificate and the intermediate certificates, as PEM.
    pub(crate) certificate: PathBuf,
    /// The private key of the certificate, as PEM.
    pub(crate) key: PathBuf,
}

/// The reason why a certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("cannot read {0}: {1}")]
    Read(String, io::Error),
    #[error("{0} holds no certificate as PEM: {1}")]
    Certificate(String, String),
    #[error("{0} holds no private key as PEM")]
    Key(String),
    #[error("the certificate in {0} and the key in {1} do not fit: {2}")]
    Pair(String, String, rustls::Error),
    #[error("{0} can be read by other users of this machine; run `chmod 600 {0}`")]
    OpenKey(String),
}

/// Accepts TLS connections with the current certificate. Clones share the certificate.
#[derive(Clone)]
pub(crate) struct Tls {
    current: Arc<ArcSwap<ServerConfig>>,
    /// Beats each time the files were read.
    pub(crate) heartbeat: Heartbeat,
}

/// The content of the certificate's file and of the key's file.
#[derive(PartialEq, Eq)]
struct Read {
    certificate: Vec<u8>,
    key: zeroize::Zeroizing<Vec<u8>>,
}

impl Tls {
    /// Reads the files, and loads them again when they change, for as long as the runtime lives.
    pub(crate) fn watch(files: Files) -> Result<Self, TlsError> {
        let read = files.read()?;
        let current = Arc::new(ArcSwap::new(files.config(&read)?));
        let tls = Self { current, heartbeat: Heartbeat::begun() };
        tokio::spawn(tls.clone().reload(files, read));
        Ok(tls)
    }

    async fn reload(self, files: Files, mut served: Read) {
        let mut refused = None;
        loop {
            tokio::time::sleep(INTERVAL).await;
            let reading = files.clone();
            let Ok(read) = tokio::task::spawn_blocking(move || reading.read()).await else {
                continue;
            };
            self.heartbeat.beat();
            if read.as_ref().is_ok_and(|read| *read == served) {
                refused = None;
                continue;
            }
            match read.and_then(|read| Ok((files.config(&read)?, read))) {
                Ok((config, read)) => {
                    self.current.store(config);
                    served = read;
                    metrics().certificate_reloads.inc();
                    tracing::warn!(target: TARGET, "the certificate is loaded");
                }
                // Logged once for each error: while two files are replaced one after the other, the
                // certificate and the key do not fit.
                Err(error) if refused.as_ref() != Some(&error.to_string()) => {
                    metrics().certificate_refusals.inc();
                    tracing::error!(target: TARGET, "{error}; the last good certificate is used");
                    refused = Some(error.to_string());
                }
                Err(_) => {}
            }
        }
    }

    pub(super) async fn accept<I>(&self, stream: I) -> io::Result<TlsStream<I>>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        TlsAcceptor::from(self.current.load_full()).accept(stream).await
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Files {
    fn read(&self) -> Result<Read, TlsError> {
        let read = |path: &Path| {
            file::read_bytes(path)
                .map_err(|error| TlsError::Read(path.display().to_string(), error))
        };
        #[cfg(unix)]
        if let Ok(metadata) = fs::metadata(&self.key)
            && std::os::unix::fs::MetadataExt::mode(&metadata) & 0o004 != 0
        {
            return Err(TlsError::OpenKey(self.key.display().to_string()));
        }
        Ok(Read { certificate: read(&self.certificate)?, key: read(&self.key)?.into() })
    }

    /// A configuration for TLS 1.2 and 1.3 with the defaults of rustls. The cryptographic provider
    /// is aws-lc-rs, as everywhere in this crate.
    fn config(&self, read: &Read) -> Result<Arc<ServerConfig>, TlsError> {
        let (certificate, key) =
            (self.certificate.display().to_string(), self.key.display().to_string());
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read.certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| TlsError::Certificate(certificate.clone(), error.to_string()))?;
        if chain.is_empty() {
            return Err(TlsError::Certificate(certificate, "there is none".to_owned()));
        }
        let private =
            PrivateKeyDer::from_pem_slice(&read.key).map_err(|_| TlsError::Key(key.clone()))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
            .map_err(|error| TlsError::Pair(certificate, key, error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}
