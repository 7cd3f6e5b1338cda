//! The proxies of apt's configuration (apt.conf(5)).

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::bounded::read_file;
use crate::error::{Error, ErrorKind, Result};
use crate::fetch::ProxyRule;

/// The longest file of configuration in bytes.
const MAX_LEN: u64 = 1 << 20;

/// Returns the proxies of apt's configuration on this host, in the order in which they are tried.
///
/// # Errors
/// If a file cannot be read, or has a brace or a quotation mark that is not closed.
pub fn proxies_of_host() -> Result<Vec<ProxyRule>> {
    let mut values = Vec::new();
    for path in files() {
        let file = File::open(&path).map_err(|error| Error::io(&path, error))?;
        let text = read_file(file, &path, MAX_LEN)?;
        let parsed = parse(&String::from_utf8_lossy(&text));
        values.extend(parsed.map_err(|what| Error::at(ErrorKind::BadInput, &path, what))?);
    }
    Ok(proxies(&values))
}

/// Returns the files of apt's configuration in the order in which apt reads them.
fn files() -> Vec<PathBuf> {
    let parts = fs::read_dir("/etc/apt/apt.conf.d").into_iter().flatten().flatten().map(|entry| entry.path());
    let is_read = |path: &PathBuf| {
        let has_name =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        has_name(name.strip_suffix(".conf").unwrap_or(&name)) && path.is_file()
    };
    let mut files: Vec<PathBuf> = parts.filter(is_read).collect();
    files.sort();
    let main = Path::new("/etc/apt/apt.conf");
    files.extend(Some(main.to_owned()).filter(|path| path.is_file()));
    files
}

/// Returns the rules of `Acquire::http::Proxy`, `Acquire::https::Proxy` and those for single hosts.
fn proxies(values: &[(String, String)]) -> Vec<ProxyRule> {
    let mut rules: Vec<ProxyRule> = Vec::new();
    for (name, value) in values {
        let lower = name.to_ascii_lowercase();
        let (https, rest) =
            match (lower.strip_prefix("acquire::http::proxy"), lower.strip_prefix("acquire::https::proxy")) {
                (Some(rest), _) => (false, rest),
                (_, Some(rest)) => (true, rest),
                _ => continue,
            };
        let host = match rest.strip_prefix("::") {
            Some(host) if !host.is_empty() => Some(host.to_owned()),
            None if rest.is_empty() => None,
            _ => continue,
        };
        let proxy = Some(value.clone())
            .filter(|value| !value.is_empty() && !value.eq_ignore_ascii_case("direct") && value != "false");
        rules.retain(|rule| (rule.https, &rule.host) != (https, &host));
        rules.push(ProxyRule { https, host, proxy });
    }
    // Those of single hosts come first.
    rules.sort_by_key(|rule| rule.host.is_none());
    rules
}

/// Parses `name "value";` and `name { … };`, and returns the values by their full names.
fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let (mut values, mut scopes, mut words) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let line = |rest: &str| 1 + text[..text.len() - rest.len()].matches('\n').count();
        if first.is_whitespace() {
            rest = rest.trim_start();
        } else if rest.starts_with("//") || first == '#' {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, rest)| rest);
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let open = || format!("line {}: a quotation mark is not closed", line(rest));
            let (word, after) = quoted.split_once('"').ok_or_else(open)?;
            words.push(word.to_owned());
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            scopes.push(std::mem::take(&mut words).join("::"));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('}') {
            scopes.pop().ok_or_else(|| format!("line {}: a brace was not opened", line(rest)))?;
            rest = after;
        } else if let Some(after) = rest.strip_prefix(';') {
            if let [name, value] = &words[..] {
                let full: Vec<&str> = scopes.iter().map(String::as_str).chain([name.as_str()]).collect();
                values.push((full.join("::"), value.clone()));
            }
            words.clear();
            rest = after;
        } else {
            let end =
                rest.find(|one: char| one.is_whitespace() || "{};\"".contains(one)).unwrap_or(rest.len());
            words.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
    }
    if scopes.is_empty() { Ok(values) } else { Err("a brace is not closed".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_found_in_every_form() {
        let text = "# note\nAcquire::http::Proxy \"http://a:1\"; // note\nAPT { x \"y\"; };\n/* a\nb */\n\
            Acquire { http { Proxy::local.example \"DIRECT\"; Timeout \"5\"; }; https::Proxy \"http://b:2\"; };\n\
            Acquire::http::Proxy \"http://c:3\";\n";
        let rules = proxies(&parse(text).expect("a configuration"));
        let shown: Vec<_> =
            rules.iter().map(|rule| (rule.https, rule.host.as_deref(), rule.proxy.as_deref())).collect();
        let expected = [
            (false, Some("local.example"), None),
            (true, None, Some("http://b:2")),
            (false, None, Some("http://c:3")),
        ];
        assert_eq!(shown, expected);
        let text = "Acquire::http::Proxy \"http://a:1\"; Acquire::https::Proxy \"http://b:2\";\n\
            Acquire::http::Proxy \"false\"; Acquire::https::Proxy::x \"http://c:3\";\n";
        let rules = proxies(&parse(text).expect("a configuration"));
        let shown: Vec<_> =
            rules.iter().map(|rule| (rule.https, rule.host.as_deref(), rule.proxy.as_deref())).collect();
        let expected =
            [(true, Some("x"), Some("http://c:3")), (true, None, Some("http://b:2")), (false, None, None)];
        assert_eq!(shown, expected, "hosts come first, and of two values the last one counts");
        for (text, expected) in [
            ("a \"b", "line 1: a quotation mark is not closed"),
            ("\n}", "line 2: a brace was not opened"),
            ("a {", "a brace is not closed"),
        ] {
            assert_eq!(parse(text).expect_err(text), expected);
        }
    }
}
