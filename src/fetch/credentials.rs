//! Logins for servers, as apt_auth.conf(5) and netrc(5) write them.

use std::fmt;
use std::path::{Path, PathBuf};

use super::url::{Login, Remote};

/// The logins of files such as `/etc/apt/auth.conf` and `~/.netrc`.
///
/// ```text
/// machine [PROTOCOL://]HOST[:PORT][/PATH] login NAME password PASSWORD
/// ```
///
/// Without a protocol, an entry is for `https:` alone, as in apt: a password for `http:` can be read
/// by others. The first entry that matches counts. `default` entries of a netrc are ignored, as they
/// would give their password to any server.
#[derive(Clone, Default)]
pub struct Credentials {
    entries: Vec<Entry>,
    /// Files that cannot be read.
    unreadable: Vec<PathBuf>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} logins", self.entries.len())
    }
}

#[derive(Clone)]
struct Entry {
    https: bool,
    host: String,
    port: Option<u16>,
    /// The start of the path, from the slash on, or empty.
    path: String,
    login: Login,
}

impl Credentials {
    /// Adds the logins of a file after those of others.
    pub fn add(&mut self, text: &str) {
        let mut tokens = tokens(text).into_iter();
        let mut entry: Option<Entry> = None;
        while let Some(token) = tokens.next() {
            match token.as_str() {
                "machine" => {
                    self.entries.extend(entry.take());
                    entry = tokens.next().and_then(|machine| Entry::parse(&machine));
                }
                "default" => self.entries.extend(entry.take()),
                "login" | "password" | "account" => {
                    let (Some(value), Some(entry)) = (tokens.next(), &mut entry) else { continue };
                    match token.as_str() {
                        "login" => entry.login.name = value,
                        "password" => entry.login.password = value,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        self.entries.extend(entry);
    }

    /// Adds a file that cannot be read, which is named where a login is missing.
    pub fn add_unreadable(&mut self, path: &Path) {
        self.unreadable.push(path.to_owned());
    }

    /// The files that cannot be read.
    pub(super) fn unreadable(&self) -> &[PathBuf] {
        &self.unreadable
    }

    /// Returns the login for a URL: that of the URL itself, or else that of the first entry which is
    /// for it.
    pub(super) fn login<'c>(&'c self, url: &'c Remote) -> Option<&'c Login> {
        let found = || self.entries.iter().find(|entry| entry.is_for(url)).map(|entry| &entry.login);
        url.login.as_ref().or_else(found)
    }
}

impl Entry {
    fn parse(machine: &str) -> Option<Self> {
        let (https, rest) = match machine.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            Some(_) => return None,
            None => (true, machine),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let after_brackets = authority.rfind(']').map_or(0, |end| end + 1);
        let (host, port) = match authority[after_brackets..].rfind(':') {
            Some(colon) => {
                let (host, port) = authority.split_at(after_brackets + colon);
                (host, Some(port[1..].parse().ok()?))
            }
            None => (authority, None),
        };
        let login = Login { name: String::new(), password: String::new() };
        Some(Self { https, host: host.to_ascii_lowercase(), port, path: path.to_owned(), login })
    }

    fn is_for(&self, url: &Remote) -> bool {
        self.https == url.https
            && self.host == url.host
            && self.port.is_none_or(|port| port == url.effective_port())
            && url.path.starts_with(&self.path)
    }
}

/// Returns the words of a file. Words in double quotes may have spaces, and a backslash in them
/// keeps the next character; `#` at the start of a word begins a comment.
fn tokens(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for line in text.lines() {
        let mut rest = line.trim_start();
        while !rest.is_empty() && !rest.starts_with('#') {
            let mut word = String::new();
            let mut letters = rest.char_indices();
            let quoted = rest.starts_with('"');
            if quoted {
                letters.next();
            }
            let mut end = rest.len();
            while let Some((at, letter)) = letters.next() {
                if (quoted && letter == '"') || (!quoted && letter.is_whitespace()) {
                    end = at + letter.len_utf8();
                    break;
                }
                match letter {
                    '\\' if quoted => word.extend(letters.next().map(|(_, letter)| letter)),
                    letter => word.push(letter),
                }
            }
            words.push(word);
            rest = rest[end..].trim_start();
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::url::Url;
    use super::*;

    fn found(credentials: &Credentials, url: &str) -> Option<(String, String)> {
        let Ok(Url::Remote(url)) = Url::parse(url) else { panic!("{url}") };
        credentials.login(&url).map(|login| (login.name.clone(), login.password.clone()))
    }

    /// The examples of apt_auth.conf(5).
    #[test]
    fn entries_match_as_apt_documents() {
        for (machine, applies) in [
            ("example.org", true),
            ("example.org/deb", true),
            ("example.org/debian", true),
            ("example.org/debian/", true),
            ("https://example.org", true),
            ("example.org:443", true),
            ("http://example.org", false),
            ("example.org:444", false),
            ("example.org/deb/", false),
            ("example.org/ubuntu", false),
            ("example.orga", false),
            ("example.net", false),
            ("tor+https://example.org", false),
        ] {
            let mut credentials = Credentials::default();
            credentials.add(&format!("machine {machine} login apt password debian"));
            let login = found(&credentials, "https://example.org/debian/dists");
            assert_eq!(login.is_some(), applies, "{machine}");
        }
    }

    #[test]
    fn the_first_entry_counts_and_a_password_stays_with_its_scheme() {
        let mut credentials = Credentials::default();
        credentials.add(
            "# machine a.example login no password no\nmachine a.example/x\n\tlogin one\n  password \"p \\\" #q\"\n\
             machine http://a.example:8080 login two password p#2\nmachine a.example login three password 3\n\
             default login any password any\n",
        );
        let login = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        assert_eq!(found(&credentials, "https://a.example/x/y"), login("one", "p \" #q"));
        assert_eq!(found(&credentials, "https://a.example/y"), login("three", "3"));
        assert_eq!(found(&credentials, "http://a.example:8080/"), login("two", "p#2"));
        assert_eq!(found(&credentials, "http://a.example/"), None);
        assert_eq!(found(&credentials, "https://b.example/"), None);
        assert_eq!(found(&credentials, "https://u:v@a.example/"), login("u", "v"));
        credentials.add("machine [::1]:8443/p login six password 6 machine");
        assert_eq!(found(&credentials, "https://[::1]:8443/p"), login("six", "6"));
        assert_eq!(format!("{credentials:?}"), "4 logins");
    }
}
