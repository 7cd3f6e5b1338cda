//! Redirects, which are followed within bounds.

use super::server::{Server, empty, ok};
use super::{fetch, options, unknown};

#[test]
fn redirects_are_followed_to_the_file() {
    let other = Server::of(b"file");
    let target = other.url("/d/file");
    let server = Server::start(move |got, stream| {
        let (status, location) = match got.line.as_str() {
            "GET /a/start?x" => ("301 Moved", "../b/./next"),
            "GET /b/next" => ("302 Found", "/c?y"),
            "GET /c?y" => ("307 Temporary", target.as_str()),
            _ => ("404 Not Found", "none"),
        };
        empty(stream, status, &[&format!("Location: {location}")])
    });
    assert_eq!(fetch(options(), &unknown(&server.url("/a/start?x"))).expect("it ends"), b"file");
    assert_eq!((server.got().len(), other.got().len()), (3, 1));
}

#[test]
fn redirects_without_an_end_are_errors() {
    let server = Server::start(|got, stream| {
        let location = match got.line.as_str() {
            "GET /circle" => "Location: /other".to_owned(),
            "GET /other" => "Location: /circle".to_owned(),
            "GET /file" => "Location: file:///etc/hostname".to_owned(),
            "GET /ftp" => "Location: ftp://127.0.0.1/".to_owned(),
            "GET /none" => "X: y".to_owned(),
            line => format!("Location: {}1", line.trim_start_matches("GET ")),
        };
        empty(stream, "302 Found", &[&location])
    });
    let url = |path: &str| server.url(path);
    for (path, why, requests) in [
        ("/circle", format!("redirects lead in a circle, to {}", url("/circle")), 2),
        ("/more", format!("more than 10 redirects, the last to {}", url("/more11111111111")), 11),
        ("/file", "is a redirect to another scheme than http and https (file:///etc/hostname)".to_owned(), 1),
        ("/ftp", "is a redirect to another scheme than http and https (ftp://127.0.0.1/)".to_owned(), 1),
        ("/none", "a redirect without a Location".to_owned(), 1),
    ] {
        let before = server.got().len();
        let error = fetch(options(), &unknown(&url(path))).expect_err(path).to_string();
        assert_eq!(error, format!("the file: {}: {why}", url(path)));
        assert_eq!(server.got().len() - before, requests, "{path}");
    }
}

#[test]
fn a_redirect_takes_no_login_to_another_server() {
    let other = Server::of(b"file");
    let target = other.url("/file").replace("http://", "http://evil:word@");
    let server = Server::start(move |got, stream| match got.line.as_str() {
        "GET /start" => empty(stream, "302 Found", &["Location: /next"]),
        "GET /next" => empty(stream, "302 Found", &[&format!("Location: {target}")]),
        _ => ok(stream, b"unexpected"),
    });
    let url = server.url("/start").replace("http://", "http://user:secret@");
    assert_eq!(fetch(options(), &unknown(&url)).expect("it ends"), b"file");
    let logins = |server: &Server| -> Vec<Option<String>> {
        server.got().iter().map(|got| got.header("Authorization").map(str::to_owned)).collect()
    };
    let own = Some("Basic dXNlcjpzZWNyZXQ=".to_owned());
    assert_eq!((logins(&server), logins(&other)), (vec![own.clone(), own], vec![None]));

    // An entry for the other server is for it, whoever leads there.
    let mut options = options();
    options.credentials.add(&format!("machine http://{} login its password own", other.address()));
    assert_eq!(fetch(options, &unknown(&url)).expect("it ends"), b"file");
    assert_eq!(logins(&other)[1].as_deref(), Some("Basic aXRzOm93bg=="));
}
