//! URLs of files.

use std::fmt;
use std::path::PathBuf;

use ureq::http::Uri;
use ureq::http::uri::Authority;

/// The longest URL that is used, in bytes.
const MAX_LEN: usize = 8192;

/// A URL of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Url {
    /// A file of the host.
    Local(PathBuf),
    /// A file of a server.
    Remote(Remote),
}

/// A URL of a file of a server, without its login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    pub(super) https: bool,
    /// The host in lower case; an IPv6 address is in brackets.
    pub(super) host: String,
    /// The port, if it is not the usual one.
    pub(super) port: Option<u16>,
    /// The path and query, from the slash on.
    pub(super) path: String,
    /// The login that the URL has.
    pub(super) login: Option<Login>,
}

/// The name and the password for a server.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) name: String,
    pub(super) password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

impl Url {
    /// Parses a URL. Errors are the ends of sentences about it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = local_path(text) {
            return match path.starts_with('/') {
                true => Ok(Self::Local(decode_path(path))),
                false => Err("is not the absolute path of a file, as in file:///srv/mirror".to_owned()),
            };
        }
        Remote::parse(text).map(Self::Remote)
    }
}

impl Remote {
    fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_LEN {
            return Err(format!("is longer than {MAX_LEN} bytes"));
        }
        let text = text.split('#').next().unwrap_or_default();
        let uri: Uri = text.parse().map_err(|error| format!("is not a URL: {error}"))?;
        let https = match uri.scheme_str() {
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => false,
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => true,
            _ => return Err("is not a URL of http, https or file".to_owned()),
        };
        let authority = uri.authority().ok_or("names no host")?;
        let (host, port) = (authority.host().to_ascii_lowercase(), port(authority)?);
        if host.is_empty() {
            return Err("names no host".to_owned());
        }
        let usual = if https { 443 } else { 80 };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { https, host, port: port.filter(|port| *port != usual), path, login: login(authority) })
    }

    /// Returns the URL of a redirect's `Location` header, without any login in it.
    pub(super) fn redirected(&self, location: &str) -> Result<Self, String> {
        let location = location.split('#').next().unwrap_or_default();
        let lower = location.to_ascii_lowercase();
        let absolute = if lower.starts_with("http:") || lower.starts_with("https:") {
            location.to_owned()
        } else if location.starts_with("//") {
            format!("{}:{location}", self.scheme())
        } else if has_scheme(location) {
            return Err("is a redirect to another scheme than http and https".to_owned());
        } else if location.starts_with('/') {
            format!("{}{location}", self.origin())
        } else {
            let path = self.path.split('?').next().unwrap_or_default();
            let directory = &path[..path.rfind('/').map_or(0, |slash| slash + 1)];
            format!("{}{}", self.origin(), without_dots(&format!("{directory}{location}")))
        };
        let target = Self::parse(&absolute)?;
        if self.https && !target.https {
            return Err("is a redirect from https to http".to_owned());
        }
        Ok(Self { login: None, ..target })
    }

    fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// Returns the scheme, the host and the port, if it is not the usual one.
    pub(super) fn origin(&self) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}", self.scheme(), self.host)
    }

    /// The port to connect to.
    pub(super) fn effective_port(&self) -> u16 {
        self.port.unwrap_or(if self.https { 443 } else { 80 })
    }

    /// Returns true if both are files of one server.
    pub(super) fn is_same_origin(&self, other: &Self) -> bool {
        (self.https, &self.host, self.port) == (other.https, &other.host, other.port)
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}

fn port(authority: &Authority) -> Result<Option<u16>, String> {
    let after_host = authority.as_str().rsplit('@').next().unwrap_or_default();
    let text = match after_host.rsplit_once(']') {
        Some((_, rest)) => rest.strip_prefix(':'),
        None => after_host.rsplit_once(':').map(|(_, port)| port),
    };
    match text {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| format!("has the port \"{}\"", text.escape_debug())),
    }
}

fn login(authority: &Authority) -> Option<Login> {
    let (userinfo, _) = authority.as_str().rsplit_once('@')?;
    let (name, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let decoded = |text: &str| String::from_utf8_lossy(&decoded(text)).into_owned();
    Some(Login { name: decoded(name), password: decoded(password) })
}

/// Returns the path of a `file:` URL.
fn local_path(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case("file:") {
        return None;
    }
    Some(rest.strip_prefix("//localhost").or_else(|| rest.strip_prefix("//")).unwrap_or(rest))
}

/// Returns true for a URL of a file of the host.
pub(super) fn is_local(text: &str) -> bool {
    local_path(text).is_some()
}

fn decode_path(path: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    std::ffi::OsString::from_vec(decoded(path)).into()
}

/// Returns the bytes of a text with `%XX` in it.
fn decoded(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, others @ ..] = rest {
        let pair = others.get(..2).filter(|pair| *first == b'%' && pair.iter().all(u8::is_ascii_hexdigit));
        let pair = pair.and_then(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
        bytes.push(pair.unwrap_or(*first));
        rest = if pair.is_some() { &others[2..] } else { others };
    }
    bytes
}

fn has_scheme(location: &str) -> bool {
    let before = location.split(['/', '?']).next().unwrap_or_default();
    before.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
    })
}

/// Returns a path and query in which `.` and `..` are followed.
fn without_dots(path: &str) -> String {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let mut names: Vec<&str> = Vec::new();
    let mut components = path.split('/').skip(1).peekable();
    while let Some(name) = components.next() {
        let last = components.peek().is_none();
        match name {
            "." | ".." => {
                if name == ".." {
                    names.pop();
                }
                if last {
                    names.push("");
                }
            }
            name => names.push(name),
        }
    }
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("/{}{query}", names.join("/"))
}

/// Returns the URL of a file beneath the URL of a directory. Characters of the path that have a
/// meaning in URLs are encoded, `%` among them.
#[must_use]
pub fn join(directory: &str, path: &str) -> String {
    let mut url = directory.trim_end_matches('/').to_owned();
    for byte in std::iter::once(b'/').chain(path.trim_start_matches('/').bytes()) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' | b'+' | b':' => {
                url.push(char::from(byte));
            }
            byte => url += &format!("%{byte:02X}"),
        }
    }
    url
}

/// Returns a URL without the login in it, for messages.
pub(super) fn without_login(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{}", &rest[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(text: &str) -> Remote {
        Remote::parse(text).expect(text)
    }

    #[test]
    fn urls_are_parsed_without_their_logins() {
        let url = remote("HTTPS://us%40er:p%3aw@Example.org:444/a/b?c#d");
        assert_eq!(url.to_string(), "https://example.org:444/a/b?c");
        assert_eq!(url.login, Some(Login { name: "us@er".into(), password: "p:w".into() }));
        assert_eq!((remote("http://h:80").to_string(), remote("http://h").port), ("http://h/".into(), None));
        assert_eq!(remote("http://[::1]:8080/x").origin(), "http://[::1]:8080");
        assert_eq!(remote("http://[::1]/x").effective_port(), 80);
        for (text, why) in [
            ("ftp://h/x", "is not a URL of http, https or file"),
            ("/srv", "is not a URL of http, https or file"),
            ("http://h:99999/", "has the port"),
            ("http:///x", "is not a URL"),
            ("file:srv", "is not the absolute path"),
        ] {
            let error = Url::parse(text).expect_err(text);
            assert!(error.starts_with(why), "{text}: {error}");
        }
        assert!(Url::parse(&format!("http://h/{}", "a".repeat(MAX_LEN))).is_err());
        assert_eq!(without_login("http://a:b@c@h/x@y"), "http://h/x@y");
        assert!(!format!("{url:?}").contains("p:w"));
    }

    #[test]
    fn files_of_the_host_are_decoded() {
        for (text, path) in [
            ("file:/a%20b", "/a b"),
            ("file:///a%25b%", "/a%b%"),
            ("FILE://localhost/a", "/a"),
            ("file:/%zz", "/%zz"),
        ] {
            assert_eq!(Url::parse(text), Ok(Url::Local(path.into())), "{text}");
        }
        assert_eq!(
            join("file:///srv/m/", "/pool/a_1%3a2 ~b+c.deb"),
            "file:///srv/m/pool/a_1%253a2%20~b+c.deb"
        );
        assert_eq!(Url::parse(&join("file:/m", "a%3a")), Ok(Url::Local("/m/a%3a".into())));
    }

    #[test]
    fn redirects_are_resolved_against_the_url() {
        let from = remote("http://u:p@h:8080/a/b/c?d");
        for (location, target) in [
            ("https://x/y", "https://x/y"),
            ("//x/y", "http://x/y"),
            ("/y?z", "http://h:8080/y?z"),
            ("y", "http://h:8080/a/b/y"),
            ("../y:z", "http://h:8080/a/y:z"),
            ("../../../../y/.", "http://h:8080/y/"),
            ("./..", "http://h:8080/a/"),
        ] {
            let redirected = from.redirected(location).expect(location);
            assert_eq!((redirected.to_string().as_str(), redirected.login), (target, None), "{location}");
        }
        assert!(from.redirected("file:///etc/passwd").expect_err("a scheme").contains("another scheme"));
        let error = remote("https://h/").redirected("http://h/").expect_err("a downgrade");
        assert_eq!(error, "is a redirect from https to http");
        assert_eq!(from.redirected("http://v:w@h:8080/").expect("a URL").login, None);
    }
}
