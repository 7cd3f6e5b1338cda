//! Proxies between the client and servers.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use rootcast::ErrorKind;
use rootcast::fetch::{FetchOptions, Fetcher, ProxyRule};

use super::server::{Got, Server, Stream, empty, ok};
use super::{fetch, options, tls, unknown};

/// Returns a proxy that answers itself to whole URLs, and makes tunnels to a server.
fn proxy(target: Option<SocketAddr>) -> Server {
    Server::start(move |got, stream| match (got.line.split_once(' '), target) {
        (Some(("CONNECT", _)), Some(target)) => {
            write!(stream, "HTTP/1.1 200 Connected\r\n\r\n")?;
            tunnel(stream, target)
        }
        (Some(("CONNECT", _)), None) => empty(stream, "403 Forbidden", &[]),
        (Some((_, url)), _) if url.starts_with("http://mirror.example/") => ok(stream, b"by proxy"),
        _ => empty(stream, "400 Bad Request", &[]),
    })
}

/// Copies one exchange. A handshake is a dialogue, so that both ways are polled.
fn tunnel(client: &mut dyn Stream, target: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(target)?;
    let pause = std::time::Duration::from_millis(20);
    server.set_read_timeout(Some(pause))?;
    client.wait(pause);
    let mut buffer = [0; 65536];
    for _ in 0..200 {
        for to_server in [true, false] {
            let read = if to_server { client.read(&mut buffer) } else { server.read(&mut buffer) };
            match read {
                Ok(0) => return Ok(()),
                Ok(count) if to_server => server.write_all(&buffer[..count])?,
                Ok(count) => client.write_all(&buffer[..count])?,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}
fn with(proxies: &[(bool, Option<&str>, Option<String>)]) -> FetchOptions {
    let rule = |(https, host, proxy): &(bool, Option<&str>, Option<String>)| ProxyRule {
        https: *https,
        host: host.map(str::to_owned),
        proxy: proxy.clone(),
    };
    FetchOptions { proxies: proxies.iter().map(rule).collect(), ..options() }
}

fn lines(server: &Server) -> Vec<String> {
    server.got().iter().map(|got| got.line.clone()).collect()
}

#[test]
fn a_proxy_gets_whole_urls_and_its_own_login() {
    let proxy = proxy(None);
    let url = proxy.url("").replace("http://", "http://pro%40xy:word@");
    let options = with(&[(false, None, Some(url))]);
    // The name needs no address: the proxy resolves it.
    let own = "http://user:secret@mirror.example/debian/dists?x";
    assert_eq!(fetch(options, &unknown(own)).expect("the proxy answers"), b"by proxy");
    let got: Vec<Got> = proxy.got();
    assert_eq!(got[0].line, "GET http://mirror.example/debian/dists?x");
    assert_eq!(got[0].header("Host"), Some("mirror.example"));
    assert_eq!(got[0].header("Proxy-Authorization"), Some("Basic cHJvQHh5OndvcmQ="));
    assert_eq!(got[0].header("Authorization"), Some("Basic dXNlcjpzZWNyZXQ="));
}

#[test]
fn rules_of_the_environment_choose_the_proxy() {
    let (proxy, direct) = (proxy(None), Server::of(b"direct"));
    let variable = |name: &str| -> Option<OsString> {
        match name {
            "http_proxy" => Some(proxy.url("").into()),
            "no_proxy" => Some("localhost, 127.0.0.1".into()),
            _ => None,
        }
    };
    let gathered = || {
        let gathered = FetchOptions::from_environment(&variable).expect("valid");
        FetchOptions { retries: options().retries, ..gathered }
    };
    assert_eq!(fetch(gathered(), &unknown("http://mirror.example/x")).expect("by proxy"), b"by proxy");
    assert_eq!(fetch(gathered(), &unknown(&direct.url("/x"))).expect("direct"), b"direct");
    assert_eq!(lines(&direct), ["GET /x"]);
}

#[test]
fn encrypted_transfers_go_through_a_tunnel() {
    let Some(authority) = tls::Authority::make() else { return };
    let server = authority.server(None, |_, stream| ok(stream, b"encrypted"));
    let proxy = proxy(Some(server.address()));
    let mut options = with(&[(true, None, Some(proxy.url("")))]);
    options.roots = authority.roots();
    let url = format!("https://localhost:{}/x", server.address().port());
    assert_eq!(fetch(options.clone(), &unknown(&url)).expect("through the tunnel"), b"encrypted");
    assert_eq!(lines(&proxy), [format!("CONNECT localhost:{}", server.address().port())]);
    assert_eq!(proxy.got()[0].header("Authorization"), None);

    let refusing = super::proxies::proxy(None);
    options.proxies[0].proxy = Some(refusing.url(""));
    let error = fetch(options, &unknown(&url)).expect_err("no tunnel").to_string();
    assert!(error.contains("the proxy makes no tunnel: "), "{error}");
}

#[test]
fn a_proxy_that_is_not_a_url_is_an_error_of_usage() {
    for proxy in ["http://", "ftp://proxy:21", "http://user:secret@pro xy"] {
        let error =
            Fetcher::new(with(&[(false, None, Some(proxy.to_owned()))]), None).map(|_| ()).expect_err(proxy);
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("is not a URL such as http://HOST:PORT"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
