//! Servers that have other files, or none, or do not answer.

use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

use rootcast::fetch::{FetchOptions, Fetcher, Length, Request};
use rootcast::{Error, ErrorKind, Watch};

use super::server::{Server, empty, head, ok};
use super::{bytes, fetch, options, request, some_bytes, threads, unknown};

#[test]
fn a_file_is_fetched_with_its_digest_and_length() {
    let file = some_bytes(300_000);
    let server = Server::of(&file);
    let fetcher = Fetcher::new(options(), None).expect("valid options");
    let fetched = fetcher.fetch(&request(&file, &[server.url("/pool/a~b+c.deb?d")]), &Watch::default());
    let fetched = fetched.expect("it is there");
    assert_eq!((fetched.len(), fetched.digest()), (300_000, super::digest(&file)));
    assert_eq!(fetched.url(), server.url("/pool/a~b+c.deb?d"));
    assert_eq!(bytes(fetched), file);
    let got = server.got();
    assert_eq!((got.len(), got[0].line.as_str()), (1, "GET /pool/a~b+c.deb?d"));
    assert_eq!(got[0].header("Accept-Encoding"), Some("identity"));
    assert!(got[0].header("User-Agent").expect("it is named").starts_with("rootcast/"));
    assert_eq!(fetch(options(), &unknown(&server.url("/"))).expect("it is there"), file);
}

#[test]
fn other_bytes_than_listed_are_an_error_that_names_both_digests() {
    let (file, mut other) = (some_bytes(5000), some_bytes(5000));
    other[4999] ^= 1;
    let server = Server::of(&other);
    let error = fetch(options(), &request(&file, &[server.url("/f")])).expect_err("other bytes");
    assert_eq!(error.kind(), ErrorKind::BadInput);
    let (found, listed) = (super::digest(&other), super::digest(&file));
    let url = server.url("/f");
    let expected = format!("the file: {url} has the SHA-256 digest {found}, and not {listed} as listed");
    assert_eq!(error.to_string(), expected);
    assert_eq!(server.got().len(), 1, "it is not tried again");
}

#[test]
fn a_file_of_another_length_is_not_transferred() {
    let server = Server::start(|got, stream| {
        // With its length, or without: until the connection ends, or as pieces.
        match got.line.as_str() {
            "GET /length" => head(stream, "200 OK", &["Content-Length: 99999999"]),
            "GET /end" => head(stream, "200 OK", &[]),
            _ => head(stream, "200 OK", &["Transfer-Encoding: chunked"]),
        }?;
        let piece = [b'x'; 4096];
        for _ in 0..2000 {
            if got.line == "GET /pieces" {
                write!(stream, "1000\r\n")?;
            }
            stream.write_all(&piece)?;
            if got.line == "GET /pieces" {
                write!(stream, "\r\n")?;
            }
        }
        Ok(())
    });
    let file = some_bytes(5000);
    for (path, why) in [
        ("/length", "has 99999999 bytes, and not 5000 as listed"),
        ("/end", "has more than 5000 bytes"),
        ("/pieces", "has more than 5000 bytes"),
    ] {
        let error = fetch(options(), &request(&file, &[server.url(path)])).expect_err(path);
        assert_eq!(error.kind(), ErrorKind::BadInput);
        assert!(error.to_string().ends_with(why), "{path}: {error}");
    }
    let small = Request { length: Length::AtMost(4096), ..unknown(&server.url("/end")) };
    assert!(
        fetch(options(), &small).expect_err("it is long").to_string().ends_with("has more than 4096 bytes")
    );
    let small = Request { length: Length::AtMost(4096), ..unknown(&server.url("/length")) };
    let error = fetch(options(), &small).expect_err("it is long").to_string();
    assert!(error.ends_with("has 99999999 bytes, more than the limit of 4096"), "{error}");
}

#[test]
fn all_missing_files_are_in_one_error() {
    let file = some_bytes(100);
    let server = {
        let file = file.clone();
        Server::start(move |got, stream| match got.line.as_str() {
            "GET /ok" => ok(stream, &file),
            "GET /gone" => empty(stream, "410 Gone", &[]),
            _ => empty(stream, "404 Not Found", &[]),
        })
    };
    let named =
        |name: &str| Request { what: format!("package {name}"), ..request(&file, &[server.url(name)]) };
    // One at a time, so that the first one does not keep the others from being requested.
    let one = FetchOptions { connections: NonZeroUsize::MIN, ..options() };
    let fetcher = Fetcher::new(one, None).expect("valid options");
    let requests: Vec<Request> = ["/a", "/ok", "/gone", "/ok", "/b"].map(named).into();
    let error = fetcher.fetch_all(&requests, &threads(), &Watch::default()).expect_err("three are missing");
    let url = |path| server.url(path);
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(
        error.to_string(),
        format!(
            "3 files are missing: package /a: {}: 404 Not Found; package /gone: {}: 410 Gone; package /b: {}: 404 Not \
             Found",
            url("/a"),
            url("/gone"),
            url("/b")
        )
    );
    let optional = |name| fetcher.fetch_optional(&named(name), &Watch::default());
    assert!(optional("/gone").expect("it may be missing").is_none());
    assert_eq!(bytes(optional("/ok").expect("it is there").expect("it is there")), file);
    let directory = tempfile::tempdir().expect("a directory");
    let local = format!("file://{}/none", directory.path().display());
    let missing = Request { urls: vec![local], ..named("/x") };
    assert!(fetcher.fetch_optional(&missing, &Watch::default()).expect("it may be missing").is_none());
}

#[test]
fn further_urls_are_tried_in_their_order() {
    let file = some_bytes(100);
    let (wrong, right) = (Server::of(b"something else"), Server::of(&file));
    let gone = Server::start(|_, stream| empty(stream, "404 Not Found", &[]));
    let urls = [gone.url("/by-hash/x"), wrong.url("/f"), right.url("/f"), gone.url("/y")];
    assert_eq!(fetch(options(), &request(&file, &urls)).expect("one has it"), file);
    assert_eq!((gone.got().len(), wrong.got().len(), right.got().len()), (1, 1, 1));
    let error = fetch(options(), &request(&file, &urls[..2])).expect_err("none has it");
    assert_eq!(error.kind(), ErrorKind::BadInput);
    assert!(error.to_string().contains("404 Not Found, http://"), "{error}");
    let error = fetch(options(), &request(&file, &[])).expect_err("no URL");
    assert_eq!(error.to_string(), "the file: no URL has it");
}

#[test]
fn files_of_the_host_are_verified_as_well() {
    let (directory, file) = (tempfile::tempdir().expect("a directory"), some_bytes(100_000));
    let path = directory.path().join("a b%");
    std::fs::write(&path, &file).expect("room");
    let url = rootcast::fetch::join(&format!("file:{}/", directory.path().display()), "a b%");
    assert_eq!(fetch(options(), &request(&file, std::slice::from_ref(&url))).expect("it is there"), file);
    std::fs::write(&path, &file[1..]).expect("room");
    let error = fetch(options(), &request(&file, std::slice::from_ref(&url))).expect_err("it is shorter");
    let expected = format!("the file: {} has 99999 bytes, and not 100000 as listed", path.display());
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::BadInput, expected));
    let mut other = file.clone();
    other[7] ^= 1;
    std::fs::write(&path, &other).expect("room");
    let error = fetch(options(), &request(&file, &[url])).expect_err("other bytes");
    assert!(error.to_string().contains("has the SHA-256 digest"), "{error}");
    let directory = unknown(&format!("file://{}", directory.path().display()));
    assert!(
        fetch(options(), &directory).expect_err("a directory").to_string().ends_with("is not a regular file")
    );
}

#[test]
fn a_server_that_is_not_there_or_no_server_is_an_error_after_some_attempts() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let refused =
        fetch(options(), &unknown(&format!("http://127.0.0.1:{port}/"))).expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::Io);
    assert!(refused.to_string().contains("refused (os error 111) (after 3 attempts)"), "{refused}");
    let server = Server::start(|got, stream| match got.line.as_str() {
        "GET /nothing" => Ok(()),
        "GET /other" => write!(stream, "220 ftp.example ready\r\n"),
        "GET /long" => {
            write!(stream, "HTTP/1.1 200 OK\r\n")?;
            (0..20_000).try_for_each(|number| write!(stream, "X-{number}: {number}\r\n"))
        }
        _ => empty(stream, "500 Oh", &[]),
    });
    for (path, requests) in [("/nothing", 3), ("/other", 3), ("/long", 3), ("/500", 3)] {
        let before = server.got().len();
        let error = fetch(options(), &unknown(&server.url(path))).expect_err(path);
        assert!(error.to_string().starts_with(&format!("the file: {}: ", server.url(path))), "{error}");
        assert_eq!((error.kind(), server.got().len() - before), (ErrorKind::Io, requests), "{path}: {error}");
    }
    for (url, why) in
        [("ftp://h/x", "is not a URL of http, https or file"), ("http://u:secret@h:x/", "has the port \"x\"")]
    {
        let error = fetch(options(), &unknown(url)).expect_err(url).to_string();
        assert!(error.contains(why) && !error.contains("secret"), "{error}");
    }
}

#[test]
fn a_busy_server_is_asked_again_when_it_says() {
    let server = Server::start(|got, stream| match (got.line.as_str(), got.number) {
        ("GET /long", _) => empty(stream, "503 Busy", &["Retry-After: 3600"]),
        (_, 0) => empty(stream, "429 Too Many Requests", &["Retry-After: 1"]),
        (_, 1) => empty(stream, "503 Busy", &["Retry-After: 0"]),
        _ => ok(stream, b"x"),
    });
    let start = Instant::now();
    assert_eq!(fetch(options(), &unknown(&server.url("/"))).expect("the third answer has it"), b"x");
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    let start = Instant::now();
    let error =
        fetch(options(), &unknown(&server.url("/long"))).expect_err("an hour is too long").to_string();
    assert!(error.ends_with("503 Service Unavailable; the server asks to wait 3600 seconds"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(2) && server.got().len() == 4);
}

#[test]
fn a_request_to_stop_ends_a_transfer_that_stalls() {
    let server = Server::start(|_, stream| {
        head(stream, "200 OK", &["Content-Length: 1000"])?;
        stream.write_all(b"some")?;
        stream.flush()?;
        thread::sleep(Duration::from_secs(4));
        Ok(())
    });
    let mut options = options();
    options.retries.stall = Duration::from_secs(30);
    let watch = Watch::default();
    let cancel = watch.cancel.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        cancel.cancel();
    });
    let fetcher = Fetcher::new(options, None).expect("valid options");
    let start = Instant::now();
    let error = fetcher.fetch(&unknown(&server.url("/")), &watch).expect_err("it was cancelled");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn an_error_of_the_caller_ends_the_other_transfers() {
    let file = some_bytes(100);
    let served = file.clone();
    let server = Server::start(move |got, stream| match got.line.as_str() {
        "GET /ok" => ok(stream, &served),
        // Slowly, for several seconds.
        _ => {
            head(stream, "200 OK", &["Content-Length: 1000000"])?;
            (0..300).try_for_each(|_| {
                thread::sleep(Duration::from_millis(20));
                stream.write_all(&[b'x'; 2000])?;
                stream.flush()
            })
        }
    });
    let fetcher = Fetcher::new(options(), None).expect("valid options");
    let requests = [request(&file, &[server.url("/ok")]), unknown(&server.url("/slow"))];
    let start = Instant::now();
    let failed = fetcher.fetch_each(&requests, &threads(), &Watch::default(), &mut |number, _| {
        // The other one is under way.
        while server.got().len() < 2 && start.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(10));
        }
        Err(Error::new(ErrorKind::BadInput, format!("{number} is not what is wanted")))
    });
    assert_eq!(failed.expect_err("the caller's").to_string(), "0 is not what is wanted");
    // The server notices that the client went away, long before the end of the file.
    drop(server);
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}
