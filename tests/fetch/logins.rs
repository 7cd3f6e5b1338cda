//! Logins for servers.

use std::path::Path;

use rootcast::fetch::FetchOptions;

use super::server::{Server, empty, ok};
use super::{fetch, options, unknown};

/// Returns a server that wants the login `user:word`.
fn server() -> Server {
    Server::start(|got, stream| match got.header("Authorization") {
        Some("Basic dXNlcjp3b3Jk") => ok(stream, b"secret"),
        Some(_) => empty(stream, "403 Forbidden", &[]),
        None => empty(stream, "401 Unauthorized", &["WWW-Authenticate: Basic realm=x"]),
    })
}

#[test]
fn logins_are_those_of_files_or_of_the_url() {
    let server = server();
    let with = |entry: &str| {
        let mut options = options();
        options.credentials.add(entry);
        options
    };
    let entry = format!("machine http://{}/a login user password word", server.address());
    assert_eq!(fetch(with(&entry), &unknown(&server.url("/a/b"))).expect("the entry is for it"), b"secret");
    let url = server.url("/").replace("http://", "http://user:%77ord@");
    assert_eq!(fetch(options(), &unknown(&url)).expect("the URL has it"), b"secret");

    let error = fetch(with(&entry), &unknown(&server.url("/b"))).expect_err("no entry is for it").to_string();
    let address = server.address();
    let hint =
        format!("401 Unauthorized; no login for it is in auth.conf or netrc (machine http://{address})");
    assert!(error.ends_with(&hint), "{error}");
    let error = fetch(with(&entry.replace("word word", "word other")), &unknown(&server.url("/a")))
        .expect_err("wrong");
    assert!(error.to_string().ends_with("403 Forbidden; it was sent the login user"), "{error}");
    let mut options = options();
    options.credentials.add_unreadable(Path::new("/etc/apt/auth.conf.d/private.conf"));
    let error = fetch(options, &unknown(&server.url("/"))).expect_err("no login").to_string();
    assert!(error.ends_with("; /etc/apt/auth.conf.d/private.conf cannot be read"), "{error}");
}

#[test]
fn netrc_is_found_by_its_variable() {
    let (server, directory) = (server(), tempfile::tempdir().expect("a directory"));
    let netrc = directory.path().join("netrc");
    let entry = format!("machine http://{} login user password word\n", server.address());
    std::fs::write(&netrc, entry).expect("room");
    let gathered = FetchOptions::from_environment(&|name| (name == "NETRC").then(|| netrc.clone().into()));
    let gathered = FetchOptions { retries: options().retries, ..gathered.expect("readable") };
    assert_eq!(fetch(gathered, &unknown(&server.url("/"))).expect("the entry is for it"), b"secret");
}
