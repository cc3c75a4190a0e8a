//! TLS that the server speaks itself, without a proxy.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use crate::{
    harness::{POLICY, Server, stderr},
    standin::tls::CertificateAuthority,
};

/// Writes a new certificate of this authority, and its key, to the files that the server reads.
fn install(authority: &CertificateAuthority, folder: &Path) {
    let (certificate, key) = authority.issue(2099);
    let at = |name: &str| folder.join(name);
    fs::write(at("new.key"), key).unwrap();
    fs::set_permissions(at("new.key"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(at("new.pem"), certificate).unwrap();
    fs::rename(at("new.key"), at("server.key")).unwrap();
    fs::rename(at("new.pem"), at("server.pem")).unwrap();
}

const SETTINGS: [(&str, &str); 2] = [("TLS_CERTIFICATE", "server.pem"), ("TLS_KEY", "server.key")];

fn prepared(authority: &CertificateAuthority) -> Server {
    let policy = POLICY.replace("http://localhost", "https://localhost");
    let server = Server::prepare(&policy, &SETTINGS);
    install(authority, server.folder.path());
    server
}

/// Requests the metadata as a client that trusts this authority.
fn ask(server: &Server, authority: &CertificateAuthority) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let tcp = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut stream = StreamOwned::new(client, tcp);
    let request = format!(
        "GET /.well-known/oauth-protected-resource HTTP/1.1\r\nHost: localhost:{}\r\nConnection: \
         close\r\n\r\n",
        server.port
    );
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
    Ok(answer)
}

#[test]
fn a_certificate_is_replaced_without_a_restart() {
    let (first, second) = (CertificateAuthority::new(), CertificateAuthority::new());
    let mut server = prepared(&first);
    server.launch();
    let answer = ask(&server, &first).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"https://localhost"),
        "{answer}"
    );
    assert!(ask(&server, &second).is_err(), "nobody trusts what they do not know");
    // A half-written certificate is ignored.
    fs::write(server.folder.path().join("server.pem"), "-----BEGIN CERTIFICATE-----\nAA").unwrap();
    thread::sleep(Duration::from_millis(2500));
    assert!(ask(&server, &first).is_ok());
    assert!(server.log().contains("the last good certificate is used"), "{}", server.log());
    install(&second, server.folder.path());
    thread::sleep(Duration::from_millis(2500));
    assert!(ask(&server, &second).is_ok(), "{}", server.log());
    assert!(ask(&server, &first).is_err());
    let metrics = server.monitor("/metrics").text;
    assert!(metrics.contains("scopeward_certificate_reloads_total 1\n"), "{metrics}");
}

#[test]
fn a_client_without_tls_gets_nothing() {
    let authority = CertificateAuthority::new();
    let mut server = prepared(&authority);
    server.launch();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let _ = stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut answer = vec![];
    let _ = stream.read_to_end(&mut answer);
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/"), "{answer:?}");
    assert!(ask(&server, &authority).is_ok());
}

#[test]
fn a_bad_certificate_or_key_stops_the_start() {
    let authority = CertificateAuthority::new();
    let refused = |change: &dyn Fn(&Path), policy: &str, says: &str| {
        let server = Server::prepare(policy, &SETTINGS);
        install(&authority, server.folder.path());
        change(server.folder.path());
        let output = server.command().output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains(says), "{says}: {output:?}");
    };
    let https = POLICY.replace("http://localhost", "https://localhost");
    refused(&|_| {}, &POLICY, "write https://");
    let other =
        |folder: &Path| fs::write(folder.join("server.key"), authority.issue(2099).1).unwrap();
    refused(&other, &https, "do not fit");
    refused(&|folder| fs::write(folder.join("server.pem"), "").unwrap(), &https, "no certificate");
    refused(&|folder| fs::remove_file(folder.join("server.key")).unwrap(), &https, "cannot read");
    let open = |folder: &Path| {
        let path = folder.join("server.key");
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    };
    refused(&open, &https, "chmod 600");
}
