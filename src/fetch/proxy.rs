//! The proxy of a URL.

use super::options::ProxyRule;
use super::url::Remote;

/// Returns the URL of the proxy for a file, by the first rule that matches.
pub(super) fn of<'r>(rules: &'r [ProxyRule], url: &Remote) -> Option<&'r str> {
    rules
        .iter()
        .find(|rule| rule.https == url.https && is_for(rule, url))
        .and_then(|rule| rule.proxy.as_deref())
}

fn is_for(rule: &ProxyRule, url: &Remote) -> bool {
    let Some(pattern) = rule.host.as_deref() else { return true };
    let (pattern, port) = split_port(pattern);
    if port.is_some_and(|port| port != url.effective_port()) {
        return false;
    }
    let host = url.host.trim_matches(['[', ']']);
    let pattern = pattern.trim_matches(['[', ']']).to_ascii_lowercase();
    match pattern.strip_prefix("*.").or_else(|| pattern.strip_prefix('.')) {
        Some(domain) => is_within(host, domain),
        None => pattern == "*" || pattern == host,
    }
}

/// Returns true for a domain and for its subdomains.
fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Returns a host and the port after it. An address of IPv6 has one only after brackets.
fn split_port(pattern: &str) -> (&str, Option<u16>) {
    match pattern.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (pattern, None),
        },
        _ => (pattern, None),
    }
}

/// Returns the rules that `no_proxy` stands for, as curl reads it: hosts and domains, each with its
/// subdomains, between commas and spaces.
pub(super) fn exceptions(no_proxy: &str) -> Vec<ProxyRule> {
    let mut rules = Vec::new();
    for name in no_proxy.split([',', ' ', '\t']).filter(|name| !name.is_empty()) {
        let bare = name.trim_start_matches("*.").trim_start_matches('.');
        let is_domain = !bare.starts_with('[') && bare != "*" && !bare.contains("::");
        let host = if is_domain { format!(".{bare}") } else { bare.to_owned() };
        rules.extend([false, true].map(|https| ProxyRule { https, host: Some(host.clone()), proxy: None }));
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::super::url::Url;
    use super::*;

    fn remote(text: &str) -> Remote {
        match Url::parse(text) {
            Ok(Url::Remote(remote)) => remote,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rule = |https, host: Option<&str>, proxy: Option<&str>| ProxyRule {
            https,
            host: host.map(Into::into),
            proxy: proxy.map(Into::into),
        };
        let mut rules = vec![rule(false, Some("apt.example"), Some("http://own:1"))];
        rules.extend(exceptions("local.example, .b.example *.c.example,[::1] d.example:8080"));
        rules.extend([rule(false, None, Some("http://p:2")), rule(true, None, Some("http://p:3"))]);
        for (url, proxy) in [
            ("http://apt.example/", Some("http://own:1")),
            ("https://apt.example/", Some("http://p:3")),
            ("http://x.apt.example/", Some("http://p:2")),
            ("http://local.example/", None),
            ("https://LOCAL.example:99/", None),
            ("http://a.local.example/", None),
            ("http://notlocal.example/", Some("http://p:2")),
            ("http://b.example/", None),
            ("http://a.b.example/", None),
            ("http://c.example/", None),
            ("http://[::1]/", None),
            ("http://d.example:8080/", None),
            ("http://d.example/", Some("http://p:2")),
        ] {
            assert_eq!(of(&rules, &remote(url)), proxy, "{url}");
        }
        assert_eq!(of(&exceptions("*"), &remote("http://h/")), None);
        let all = [exceptions("*"), vec![rule(false, None, Some("http://p:2"))]].concat();
        assert_eq!(of(&all, &remote("http://h/")), None);
    }
}
