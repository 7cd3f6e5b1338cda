//! The settings that users make for all programs: variables, and files that are found by them.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::credentials::Credentials;
use super::options::{FetchOptions, ProxyRule, Roots};
use super::proxy;
use crate::bounded::read_file;
use crate::error::{Error, ErrorKind, Result};

/// The bundles of certificates of distributions.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The longest file of certificates or logins, in bytes.
const MAX_LEN: u64 = 16 << 20;

impl FetchOptions {
    /// Returns options with the proxies, certificates and logins of the user: `http_proxy`,
    /// `https_proxy`, `all_proxy` and `no_proxy`; `SSL_CERT_FILE`, or else the certificates of the
    /// system; apt's `auth.conf` and `auth.conf.d`, and `NETRC` or `~/.netrc`. `variable` returns the
    /// value of an environment variable.
    ///
    /// # Errors
    /// If a file that a variable names cannot be read, or a variable is not UTF-8.
    pub fn from_environment(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Self> {
        let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let mut credentials = Credentials::default();
        let apt = Path::new("/etc/apt");
        for file in std::iter::once(apt.join("auth.conf")).chain(parts(&apt.join("auth.conf.d"))) {
            add(&mut credentials, &file);
        }
        let netrc = path("NETRC").or_else(|| path("HOME").map(|home| home.join(".netrc")));
        netrc.iter().for_each(|file| add(&mut credentials, file));
        Ok(Self {
            proxies: proxies(variable)?,
            roots: roots(path("SSL_CERT_FILE"))?,
            credentials,
            ..Self::default()
        })
    }
}

/// Returns the files of a directory of configuration, in the order of their names.
fn parts(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "conf")).collect();
    paths.sort();
    paths
}

/// Adds the logins of a file, if there is one.
fn add(credentials: &mut Credentials, path: &Path) {
    let read = File::open(path)
        .map_err(|error| Error::io(path, error))
        .and_then(|file| read_file(file, path, MAX_LEN));
    match read {
        Ok(bytes) => credentials.add(&String::from_utf8_lossy(&bytes)),
        Err(_) if !path.exists() => {}
        // It is named if a server asks for a login.
        Err(_) => credentials.add_unreadable(path),
    }
}

fn roots(named: Option<PathBuf>) -> Result<Roots> {
    let read = |path: &Path| {
        File::open(path)
            .map_err(|error| Error::io(path, error))
            .and_then(|file| read_file(file, path, MAX_LEN))
    };
    if let Some(path) = named {
        let pem = read(&path).map_err(|error| Error::new(error.kind(), format!("SSL_CERT_FILE: {error}")))?;
        return Ok(Roots::File { path, pem });
    }
    let found = BUNDLES.iter().map(Path::new).find_map(|path| Some((path, read(path).ok()?)));
    Ok(match found {
        Some((path, pem)) if !pem.is_empty() => Roots::File { path: path.to_owned(), pem },
        _ => Roots::BuiltIn,
    })
}

/// Returns the rules of the environment. `HTTP_PROXY` is ignored, as curl does: a web server sets it
/// to what a client sends.
fn proxies(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Vec<ProxyRule>> {
    let of = |names: &[&str]| -> Result<Option<String>> {
        let found = names.iter().find_map(|name| Some((name, variable(name)?)));
        let Some((name, value)) = found else { return Ok(None) };
        let text = value.into_string().map_err(|_| {
            let error = io::Error::new(io::ErrorKind::InvalidData, "is not UTF-8");
            Error::new(ErrorKind::Usage, format!("{name}: {error}"))
        })?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    };
    let all = of(&["all_proxy", "ALL_PROXY"])?;
    let mut rules = proxy::exceptions(&of(&["no_proxy", "NO_PROXY"])?.unwrap_or_default());
    let schemes = [(false, of(&["http_proxy"])?), (true, of(&["https_proxy", "HTTPS_PROXY"])?)];
    for (https, named) in schemes {
        if let Some(proxy) = named.or_else(|| all.clone()) {
            rules.push(ProxyRule { https, host: None, proxy: Some(proxy) });
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(variables: &[(&str, &str)]) -> Result<FetchOptions> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        FetchOptions::from_environment(&|name| find(name).map(|(_, value)| value.into()))
    }

    #[test]
    fn proxies_are_those_of_the_environment() {
        let options = gathered(&[
            ("http_proxy", "http://a:1"),
            ("HTTP_PROXY", "http://evil:1"),
            ("ALL_PROXY", "http://b:2"),
            ("no_proxy", "local"),
        ]);
        let rules = options.expect("they are valid").proxies;
        let shown: Vec<_> =
            rules.iter().map(|rule| (rule.https, rule.host.as_deref(), rule.proxy.as_deref())).collect();
        assert_eq!(
            shown,
            [
                (false, Some(".local"), None),
                (true, Some(".local"), None),
                (false, None, Some("http://a:1")),
                (true, None, Some("http://b:2"))
            ]
        );
        assert!(
            gathered(&[("HTTP_PROXY", "http://evil:1"), ("https_proxy", "")])
                .expect("valid")
                .proxies
                .is_empty()
        );
    }

    #[test]
    fn a_file_of_certificates_that_is_named_must_be_readable() {
        let error = gathered(&[("SSL_CERT_FILE", "/nonexistent.pem")]).expect_err("it is not there");
        assert!(error.to_string().starts_with("SSL_CERT_FILE: /nonexistent.pem: "), "{error}");
        let directory = tempfile::tempdir().expect("a directory");
        let (pem, netrc) = (directory.path().join("ca.pem"), directory.path().join("netrc"));
        fs::write(&pem, "roots").expect("room");
        fs::write(&netrc, "machine h login l password p").expect("room");
        let named = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        let options =
            gathered(&[("SSL_CERT_FILE", &named(&pem)), ("NETRC", &named(&netrc))]).expect("readable");
        assert_eq!(options.roots, Roots::File { path: pem, pem: b"roots".to_vec() });
        assert!(format!("{:?}", options.credentials).ends_with(" logins"));
    }
}
