//! The settings of downloads, as data.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::credentials::Credentials;

/// The settings of downloads.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// True if nothing is fetched over a network: only the cache and files of the host are used.
    pub offline: bool,
    /// The directory of unnamed files for what the cache does not take; `None` for that of
    /// temporary files.
    pub spool: Option<PathBuf>,
    /// The number of files that are fetched at a time.
    pub connections: NonZeroUsize,
    /// The rules that choose a proxy; the first that matches decides.
    pub proxies: Vec<ProxyRule>,
    /// The certificates of authorities that servers are verified against.
    pub roots: Roots,
    /// The certificates that are shown to servers; the first that matches the host is used.
    pub client_certificates: Vec<ClientCertificate>,
    /// The logins for hosts.
    pub credentials: Credentials,
    /// The times to wait, and the number of attempts.
    pub retries: Retries,
}

impl Default for FetchOptions {
    /// No proxy, no logins, and the built-in certificates.
    fn default() -> Self {
        Self {
            offline: false,
            spool: None,
            // OK to unwrap: it is not 0.
            connections: const { NonZeroUsize::new(8).unwrap() },
            proxies: Vec::new(),
            roots: Roots::BuiltIn,
            client_certificates: Vec::new(),
            credentials: Credentials::default(),
            retries: Retries::default(),
        }
    }
}

/// A rule for the proxy of URLs.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyRule {
    /// True for `https:` URLs, false for `http:` URLs.
    pub https: bool,
    /// The host that it is for, with all its subdomains if it begins with a dot; `*` and `None` are
    /// any host. A port may follow the name, as in `host:8080`.
    pub host: Option<String>,
    /// The URL of the proxy; `None` connects directly.
    pub proxy: Option<String>,
}

impl fmt::Debug for ProxyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { https, host, proxy } = self;
        let proxy = proxy.as_deref().map(super::url::without_login);
        f.debug_struct("ProxyRule").field("https", https).field("host", host).field("proxy", &proxy).finish()
    }
}

/// The certificates of authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// Those of a file in PEM form.
    File {
        /// The path, for messages.
        path: PathBuf,
        /// Its bytes.
        pem: Vec<u8>,
    },
    /// Those of Mozilla, which are part of the program.
    BuiltIn,
}

/// A certificate that is shown to servers that ask for one.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The host that it is for; `None` for all.
    pub host: Option<String>,
    /// The path of the certificate, for messages.
    pub path: PathBuf,
    /// The certificate with those of intermediate authorities, in PEM form.
    pub certificate: Vec<u8>,
    /// The private key without a passphrase, in PEM form.
    pub key: Vec<u8>,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate")
            .field("host", &self.host)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The times to wait, and the number of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// The number of attempts in a row for a URL that do not bring it further.
    pub attempts: u32,
    /// The pause after the first failed attempt; each further one is twice as long.
    pub pause: Duration,
    /// The longest pause, also if the server asks for a longer one: then the file fails at once.
    pub longest_pause: Duration,
    /// The time without a byte after which an attempt has failed.
    pub stall: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 4,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
            stall: Duration::from_secs(30),
        }
    }
}
