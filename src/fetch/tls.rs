//! The settings of TLS: whom to trust, and what to show to servers.

use std::sync::Arc;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::options::{ClientCertificate, Roots};
use crate::error::{Error, ErrorKind, Result};

/// Returns the settings for servers that `roots` certify.
///
/// # Errors
/// If a file has no certificate or key that can be used.
pub(super) fn config(roots: &Roots, client: Option<&ClientCertificate>) -> Result<TlsConfig> {
    let roots = match roots {
        Roots::BuiltIn => RootCerts::WebPki,
        Roots::File { path, pem } => {
            let unusable = |why: String| {
                Error::at(ErrorKind::Usage, path, format!("{why} (certificates of authorities)"))
            };
            let certificates = certificates(pem).map_err(unusable)?;
            RootCerts::Specific(Arc::new(certificates))
        }
    };
    let client = client.map(client_certificate).transpose()?;
    Ok(TlsConfig::builder().root_certs(roots).client_cert(client).build())
}

fn certificates(pem: &[u8]) -> std::result::Result<Vec<Certificate<'static>>, String> {
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| format!("is not a file of certificates in PEM form: {error}"))?;
    if found.is_empty() {
        return Err("has no certificate in PEM form".to_owned());
    }
    Ok(found.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect())
}

fn client_certificate(client: &ClientCertificate) -> Result<ClientCert> {
    let unusable =
        |why: String| Error::at(ErrorKind::Usage, &client.path, format!("{why} (client certificate)"));
    let chain: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&client.certificate).collect();
    let chain = chain.map_err(|error| unusable(format!("is not in PEM form: {error}")))?;
    let key = PrivateKeyDer::from_pem_slice(&client.key)
        .map_err(|error| unusable(format!("its private key cannot be read: {error}")))?;
    // The client panics if they do not fit.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            let builder = builder.with_root_certificates(rustls::RootCertStore::empty());
            builder.with_client_auth_cert(chain.clone(), key)
        })
        .map_err(|error| unusable(format!("it cannot be used with its private key: {error}")))?;
    let unreadable = |error: ureq::Error| unusable(format!("its private key cannot be read: {error}"));
    let key = PrivateKey::from_pem(&client.key).map_err(unreadable)?;
    let chain: Vec<Certificate<'static>> =
        chain.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    Ok(ClientCert::new_with_certs(&chain, key))
}
