//! Encrypted transfers, with an authority that the test makes.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rootcast::fetch::{ClientCertificate, FetchOptions, Roots};
use rootcast::{Error, ErrorKind};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::server::{Got, Server, Stream, empty, ok};
use super::{fetch, options, unknown};
use crate::judges;

/// An authority with its certificates, in a directory.
pub(super) struct Authority {
    directory: tempfile::TempDir,
}

impl Authority {
    /// Makes an authority, a certificate for `localhost`, and one for a client; `None` after a visible
    /// skip.
    pub(super) fn make() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let openssl = |arguments: &str| -> Option<()> {
            let mut command = judges::command("openssl")?;
            let output = command.current_dir(directory.path()).args(arguments.split(' ')).output();
            let output = output.expect("it starts");
            assert!(
                output.status.success(),
                "openssl {arguments}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            Some(())
        };
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 30 -subj /CN=authority"))?;
        fs::write(directory.path().join("names"), "subjectAltName=DNS:localhost\n").expect("room");
        for name in ["server", "client"] {
            openssl(&format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"))?;
            openssl(&format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile names -out {name}.pem"
            ))?;
        }
        Some(Self { directory })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("openssl made it")
    }

    /// Returns the certificate of the authority.
    pub(super) fn roots(&self) -> Roots {
        Roots::File { path: self.path("ca.pem"), pem: self.read("ca.pem") }
    }

    fn certificate(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(&self.read(&format!("{name}.pem"))).expect("a certificate")
    }

    /// Starts a server, which may ask for certificates of clients.
    pub(super) fn server(
        &self,
        clients: Option<&Authority>,
        answer: impl Fn(&Got, &mut dyn Stream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Server {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.expect("the versions are supported");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.certificate("ca")).expect("an authority");
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build();
                builder.with_client_cert_verifier(verifier.expect("an authority"))
            }
        };
        let key = PrivateKeyDer::from_pem_slice(&self.read("server.key")).expect("a key");
        let config = builder.with_single_cert(vec![self.certificate("server")], key).expect("they fit");
        let config = Arc::new(config);
        let wrap = move |stream| -> Box<dyn Stream> {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a valid configuration");
            Box::new(StreamOwned::new(connection, stream))
        };
        Server::wrapped("https", Box::new(wrap), answer)
    }
}

/// Returns the URL of a server by the name of its certificate.
fn url(server: &Server) -> String {
    format!("https://localhost:{}/x", server.address().port())
}

fn refused(options: FetchOptions, url: &str) -> Error {
    fetch(options, &unknown(url)).expect_err("it is not trusted")
}

#[test]
fn a_server_is_trusted_by_the_authorities_of_the_environment() {
    let Some(authority) = Authority::make() else { return };
    let server = authority.server(None, |_, stream| ok(stream, b"encrypted"));
    let variable = |name: &str| (name == "SSL_CERT_FILE").then(|| authority.path("ca.pem").into());
    let gathered = FetchOptions::from_environment(&variable).expect("readable");
    let gathered = FetchOptions { retries: options().retries, ..gathered };
    assert_eq!(fetch(gathered.clone(), &unknown(&url(&server))).expect("it is trusted"), b"encrypted");

    let before = server.got().len();
    for roots in [Roots::BuiltIn, Authority::make().expect("openssl is there").roots()] {
        let error = refused(FetchOptions { roots, ..options() }, &url(&server)).to_string();
        assert!(error.contains("TLS: invalid peer certificate: "), "{error}");
        assert!(error.ends_with("; SSL_CERT_FILE names a file of the authorities to trust"), "{error}");
    }
    let by_address = refused(gathered, &server.url("/x")).to_string();
    assert!(by_address.contains("not valid for name \"127.0.0.1\""), "{by_address}");
    assert_eq!(server.got().len(), before, "nothing was requested of a server that is not trusted");

    for (pem, why) in [("", "has no certificate"), ("-----BEGIN CERTIFICATE-----\nx\n", "is not a file of")] {
        let roots = Roots::File { path: "/ca.pem".into(), pem: pem.into() };
        let error = refused(FetchOptions { roots, ..options() }, &url(&server));
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().starts_with(&format!("/ca.pem: {why}")), "{error}");
    }
}

#[test]
fn a_redirect_never_ends_encryption() {
    let Some(authority) = Authority::make() else { return };
    let plain = Server::of(b"plain");
    let target = plain.url("/x");
    let server = authority
        .server(None, move |_, stream| empty(stream, "302 Found", &[&format!("Location: {target}")]));
    let error = refused(FetchOptions { roots: authority.roots(), ..options() }, &url(&server)).to_string();
    assert!(error.contains("is a redirect from https to http"), "{error}");
    assert!(plain.got().is_empty());
}

#[test]
fn a_server_that_asks_for_a_certificate_gets_that_of_its_host() {
    let Some(authority) = Authority::make() else { return };
    let server = authority.server(Some(&authority), |_, stream| ok(stream, b"for clients"));
    let certificate = |host: Option<&str>, key: &str| ClientCertificate {
        host: host.map(str::to_owned),
        path: authority.path("client.pem"),
        certificate: authority.read("client.pem"),
        key: authority.read(key),
    };
    let with = |certificates: Vec<ClientCertificate>| FetchOptions {
        roots: authority.roots(),
        client_certificates: certificates,
        ..options()
    };
    for host in [None, Some("LOCALHOST")] {
        let fetched = fetch(with(vec![certificate(host, "client.key")]), &unknown(&url(&server)));
        assert_eq!(fetched.expect("it has a certificate"), b"for clients");
    }
    for certificates in [vec![], vec![certificate(Some("other.example"), "client.key")]] {
        let error = refused(with(certificates), &url(&server));
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    }
    let error = refused(with(vec![certificate(None, "server.key")]), &url(&server));
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("it cannot be used with its private key"), "{error}");
}
