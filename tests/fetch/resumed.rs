//! Transfers that end early and are continued.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rootcast::fetch::{Fetcher, Length, Request};
use rootcast::{ErrorKind, Phase, Progress, Watch};

use super::server::{Got, Server, Stream, head, ok};
use super::{bytes, fetch, options, request, some_bytes, unknown};

const TAG: &str = "ETag: \"one\"";

/// Writes an answer that ends, or stalls, after half of the file.
fn half(stream: &mut dyn Stream, file: &[u8], headers: &[&str]) -> std::io::Result<()> {
    let length = format!("Content-Length: {}", file.len());
    head(stream, "200 OK", &[headers, &[&length]].concat())?;
    stream.write_all(&file[..file.len() / 2])?;
    stream.flush()
}

/// Writes the part of a file that is requested.
fn part(stream: &mut dyn Stream, file: &[u8], start: usize) -> std::io::Result<()> {
    let range = format!("Content-Range: bytes {start}-{}/{}", file.len() - 1, file.len());
    let length = format!("Content-Length: {}", file.len() - start);
    head(stream, "206 Partial Content", &[&range, &length])?;
    stream.write_all(&file[start..])
}

fn ranges(server: &Server) -> Vec<Option<usize>> {
    server.got().iter().map(Got::range).collect()
}

#[test]
fn a_transfer_that_ends_early_or_stalls_is_continued() {
    let file = some_bytes(200_000);
    for stalls in [false, true] {
        let served = file.clone();
        let server = Server::start(move |got, stream| match got.range() {
            None => {
                half(stream, &served, &[TAG])?;
                if stalls {
                    thread::sleep(Duration::from_millis(1500));
                }
                Ok(())
            }
            Some(start) => part(stream, &served, start),
        });
        let start = Instant::now();
        assert_eq!(fetch(options(), &request(&file, &[server.url("/")])).expect("both halves"), file);
        assert_eq!(ranges(&server), [None, Some(100_000)]);
        assert_eq!(server.got()[1].header("If-Range"), Some("\"one\""));
        assert!(start.elapsed() < Duration::from_secs(1) || stalls, "{:?}", start.elapsed());
    }
}

#[test]
fn a_server_may_answer_with_the_whole_file() {
    let file = some_bytes(200_000);
    let served = file.clone();
    let server = Server::start(move |got, stream| match got.number {
        0 => half(stream, &served, &["Last-Modified: Sat, 28 Nov 2026 08:25:00 GMT"]),
        _ => ok(stream, &served),
    });
    assert_eq!(fetch(options(), &request(&file, &[server.url("/")])).expect("the second answer"), file);
    assert_eq!(server.got()[1].header("If-Range"), Some("Sat, 28 Nov 2026 08:25:00 GMT"));
    assert_eq!(ranges(&server), [None, Some(100_000)]);
}

#[test]
fn a_part_that_was_not_requested_is_not_used() {
    let file = some_bytes(200_000);
    let served = file.clone();
    let server = Server::start(move |got, stream| match got.number {
        0 => half(stream, &served, &[TAG]),
        1 => part(stream, &served, 50_000),
        2 => half(stream, &served, &[TAG]),
        // Without a range at all.
        3 => {
            head(stream, "206 Partial Content", &["Content-Length: 100000"])?;
            stream.write_all(&served[100_000..])
        }
        4 => half(stream, &served, &[TAG]),
        5 => head(stream, "416 Range Not Satisfiable", &["Content-Length: 0", "Content-Range: bytes */9"]),
        _ => ok(stream, &served),
    });
    let mut options = options();
    options.retries.attempts = 7;
    assert_eq!(fetch(options, &request(&file, &[server.url("/")])).expect("the last answer"), file);
    let half = Some(100_000);
    assert_eq!(ranges(&server), [None, half, None, half, None, half, None]);
}

#[test]
fn a_file_that_changed_between_two_parts_is_fetched_anew() {
    let (file, mut old) = (some_bytes(200_000), some_bytes(200_000));
    old[0] ^= 1;
    let served = file.clone();
    let server = Server::start(move |got, stream| match (got.number, got.range()) {
        // The server has no validators, so that the parts do not match.
        (0, _) => half(stream, &old, &[]),
        (_, Some(start)) => part(stream, &served, start),
        (_, None) => ok(stream, &served),
    });
    assert_eq!(fetch(options(), &request(&file, &[server.url("/")])).expect("the third answer"), file);
    assert_eq!(ranges(&server), [None, Some(100_000), None]);
    assert_eq!(server.got()[1].header("If-Range"), None);
}

#[test]
fn a_file_without_a_digest_is_continued_only_by_its_validator() {
    for (header, expected) in [(TAG, [None, Some(100_000)]), ("ETag: W/\"weak\"", [None, None])] {
        let file = some_bytes(200_000);
        let served = file.clone();
        let server = Server::start(move |got, stream| match (got.number, got.range()) {
            (0, _) => half(stream, &served, &[header]),
            (_, Some(start)) => part(stream, &served, start),
            (_, None) => ok(stream, &served),
        });
        assert_eq!(fetch(options(), &unknown(&server.url("/"))).expect("the second answer"), file);
        assert_eq!(ranges(&server), expected, "{header}");
    }
}

#[test]
fn a_transfer_without_progress_ends() {
    let server = Server::start(|got, stream| {
        head(stream, "200 OK", &["Content-Length: 1000"])?;
        match got.line.as_str() {
            "GET /cut" => stream.write_all(&some_bytes(10)),
            // One byte now and then.
            _ => (0..60).try_for_each(|_| {
                thread::sleep(Duration::from_millis(50));
                stream.write_all(b"x")?;
                stream.flush()
            }),
        }
    });
    let start = Instant::now();
    let wanted = Request { length: Length::Exactly(1000), ..unknown(&server.url("/cut")) };
    let error = fetch(options(), &wanted).expect_err("it never ends").to_string();
    assert!(error.contains("ended") && error.contains("(after"), "{error}");
    let error = fetch(options(), &unknown(&server.url("/slow"))).expect_err("it is too slow").to_string();
    assert!(error.contains("it stalled (after"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert!(server.got().len() < 20);
}

#[test]
fn progress_is_by_bytes_and_counts_none_twice() {
    #[derive(Default)]
    struct Seen(Mutex<Vec<Phase>>, Mutex<u64>);
    impl Progress for Seen {
        fn begin(&self, phase: Phase) {
            self.0.lock().expect("no panic").push(phase);
        }
        fn add(&self, bytes: u64) {
            *self.1.lock().expect("no panic") += bytes;
        }
    }
    let file = some_bytes(200_000);
    let served = file.clone();
    let server = Server::start(move |got, stream| match got.number {
        0 => half(stream, &served, &[TAG]),
        _ => ok(stream, &served),
    });
    let seen = Arc::new(Seen::default());
    let watch = Watch::new(seen.clone(), Default::default());
    let fetcher = Fetcher::new(options(), None).expect("valid options");
    let fetched = fetcher.fetch(&request(&file, &[server.url("/")]), &watch).expect("the second answer");
    assert_eq!(bytes(fetched), file);
    let phases = seen.0.lock().expect("no panic").clone();
    assert_eq!(phases, [Phase::Fetch { bytes: 200_000 }, Phase::End]);
    assert_eq!(*seen.1.lock().expect("no panic"), 200_000);
}

#[test]
fn a_changed_length_is_an_error() {
    let file = some_bytes(200_000);
    let served = file.clone();
    let server = Server::start(move |got, stream| match got.number {
        0 => half(stream, &served, &[TAG]),
        _ => part(stream, &served[..150_000], 100_000),
    });
    let error = fetch(options(), &request(&file, &[server.url("/")])).expect_err("it is shorter now");
    assert_eq!(error.kind(), ErrorKind::BadInput);
    assert!(error.to_string().ends_with("has 150000 bytes, and not 200000 as listed"), "{error}");
}
