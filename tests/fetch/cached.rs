//! Files of the cache.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rootcast::cache::Cache;
use rootcast::fetch::{FetchOptions, Fetcher, Request};
use rootcast::{ErrorKind, Watch};

use super::server::{Server, head, ok};
use super::{bytes, digest, options, request, some_bytes, threads, unknown};
use crate::judges;

fn open(directory: &Path) -> Cache {
    Cache::open(directory, 1 << 30).expect("a directory of our own")
}

/// Returns the names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it is there");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn a_second_run_fetches_nothing_and_a_damaged_file_anew() {
    let (directory, file) = (tempfile::tempdir().expect("a directory"), some_bytes(200_000));
    let (server, cache) = (Server::of(&file), open(directory.path()));
    let wanted = request(&file, &[server.url("/")]);
    let fetch = |options: FetchOptions| {
        let fetcher = Fetcher::new(options, Some(&cache)).expect("valid options");
        fetcher.fetch(&wanted, &Watch::default()).map(bytes)
    };
    let offline = || FetchOptions { offline: true, ..options() };
    let error = fetch(offline()).expect_err("it was never fetched");
    let hint = "the file is in no cache, and --offline fetches nothing: run once without --offline and with the same --cache";
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Io, hint));
    for _ in 0..2 {
        assert_eq!(fetch(options()).expect("it is there"), file);
        assert_eq!(server.got().len(), 1);
    }
    assert_eq!(fetch(offline()).expect("the cache has it"), file);
    let entry = directory.path().join(format!("d{}", digest(&file)));
    assert_eq!(names(directory.path()), [format!("d{}", digest(&file))]);
    for damaged in [&file[..1000], &some_bytes(200_001)[1..]] {
        fs::remove_file(&entry).expect("it is there");
        fs::write(&entry, damaged).expect("room");
        assert!(fetch(offline()).is_err(), "a damaged file is not used");
        let before = server.got().len();
        assert_eq!(fetch(options()).expect("it is there"), file);
        assert_eq!((server.got().len(), fs::read(&entry).expect("it is there")), (before + 1, file.clone()));
    }
}

#[test]
fn a_file_without_a_digest_is_kept_once_the_caller_has_verified_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let (server, cache) = (Server::of(b"text"), open(directory.path()));
    let url = server.url("/").replace("http://", "http://user:word@");
    let wanted = unknown(&url);
    let fetcher =
        |offline| Fetcher::new(FetchOptions { offline, ..options() }, Some(&cache)).expect("valid options");
    let fetch = |offline| fetcher(offline).fetch(&wanted, &Watch::default()).map(bytes);
    assert_eq!(fetch(false).expect("it is there"), b"text");
    assert!(fetch(true).is_err() && names(directory.path()).is_empty(), "nobody verified it");
    fetcher(false).remember(&wanted, b"text");
    assert_eq!(fetch(true).expect("it is kept"), b"text");
    assert_eq!(fetch(false).expect("it is there"), b"text");
    assert_eq!(server.got().len(), 2, "it may have changed, so that it is fetched again");
    let without_login = unknown(&server.url("/"));
    let kept = fetcher(true).fetch(&without_login, &Watch::default());
    assert_eq!(bytes(kept.expect("the login does not matter")), b"text");
}

#[test]
fn what_was_not_verified_is_never_cached() {
    let (directory, file) = (tempfile::tempdir().expect("a directory"), some_bytes(5000));
    let (mut other, cache) = (file.clone(), open(directory.path()));
    other[100] ^= 1;
    let served = other.clone();
    let server = Server::start(move |got, stream| match got.line.as_str() {
        "GET /cut" => {
            head(stream, "200 OK", &["Content-Length: 5000"])?;
            stream.write_all(&served[..100])
        }
        _ => ok(stream, &served),
    });
    for path in ["/other", "/cut"] {
        let fetcher = Fetcher::new(options(), Some(&cache)).expect("valid options");
        fetcher.fetch(&request(&file, &[server.url(path)]), &Watch::default()).expect_err(path);
        assert!(names(directory.path()).is_empty(), "{:?}", names(directory.path()));
    }
}

#[test]
fn runs_share_a_cache_at_the_same_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let files: Vec<Vec<u8>> = (1..20).map(|number| some_bytes(number * 3000)).collect();
    let served = files.clone();
    let server = Server::start(move |got, stream| {
        let number: usize = got.line.trim_start_matches("GET /").parse().expect("a number");
        ok(stream, &served[number])
    });
    let requests: Vec<Request> = files
        .iter()
        .enumerate()
        .map(|(number, file)| request(file, &[server.url(&format!("/{number}"))]))
        .collect();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let cache = open(directory.path());
                let fetcher = Fetcher::new(options(), Some(&cache)).expect("valid options");
                let fetched =
                    fetcher.fetch_all(&requests, &threads(), &Watch::default()).expect("all are there");
                assert!(fetched.into_iter().map(bytes).eq(files.iter().cloned()));
            });
        }
    });
    let mut expected: Vec<String> = files.iter().map(|file| format!("d{}", digest(file))).collect();
    expected.sort();
    assert_eq!(names(directory.path()), expected);
}

/// The URL and the directory of the run that a test starts as a process of its own.
const CHILD: &str = "ROOTCAST_TEST_FETCH";

/// The bytes that the run fetches.
fn large() -> Vec<u8> {
    some_bytes(3_000_000)
}

/// The run of the tests below, which does nothing by itself.
#[test]
fn a_run_of_its_own() {
    let Some(settings) = std::env::var_os(CHILD) else { return };
    let settings = settings.into_string().expect("UTF-8");
    let (url, directory) = settings.split_once(' ').expect("both");
    let cache = open(Path::new(directory));
    let fetcher = Fetcher::new(options(), Some(&cache)).expect("valid options");
    match fetcher.fetch(&request(&large(), &[url.to_owned()]), &Watch::default()) {
        Ok(fetched) => assert_eq!(bytes(fetched), large()),
        Err(error) => println!("error: {error}"),
    }
}

/// Returns the command of a run of its own, after a shell's command.
fn run(before: &str, server: &Server, directory: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{before} exec \"$0\" --exact fetch::cached::a_run_of_its_own --nocapture")])
        .arg(std::env::current_exe().expect("a test has a file"))
        .env(CHILD, format!("{} {}", server.url("/"), directory.display()));
    command
}

#[test]
fn a_run_that_is_killed_leaves_nothing_and_the_next_one_works() {
    let directory = tempfile::tempdir().expect("a directory");
    let stalled = Server::start(|_, stream| {
        head(stream, "200 OK", &["Content-Length: 3000000"])?;
        stream.write_all(&large()[..2_000_000])?;
        stream.flush()?;
        thread::sleep(Duration::from_secs(2));
        Ok(())
    });
    let mut killed = run("", &stalled, directory.path()).stdout(Stdio::null()).spawn().expect("it starts");
    let start = Instant::now();
    while stalled.got().is_empty() && start.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(100));
    killed.kill().expect("it runs");
    killed.wait().expect("it ended");
    assert_eq!(stalled.got().len(), 1);
    assert!(names(directory.path()).is_empty(), "{:?}", names(directory.path()));

    let server = Server::of(&large());
    let output = run("", &server, directory.path()).output().expect("it starts");
    assert!(
        output.status.success() && !String::from_utf8_lossy(&output.stdout).contains("error: "),
        "{output:?}"
    );
    assert_eq!(names(directory.path()), [format!("d{}", digest(&large()))]);
}

#[test]
fn a_full_disk_is_an_error_that_names_the_directory() {
    let (directory, server) = (tempfile::tempdir().expect("a directory"), Server::of(&large()));
    let check = |output: std::process::Output, at: &Path, why: &str| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let expected = format!("error: {}: the file cannot be stored: {why}", at.display());
        assert!(text.contains(&expected), "{text}");
        assert!(names(at).is_empty(), "{:?}", names(at));
    };
    // As a limit on the size of files, for any user.
    let limited =
        run("trap '' XFSZ; ulimit -f 1000;", &server, directory.path()).output().expect("it starts");
    check(limited, directory.path(), "File too large");
    if !judges::may_mount() {
        return;
    }
    let at = directory.path().join("mount");
    fs::create_dir(&at).expect("room");
    // A filesystem of its own, which ends with the process.
    let mount = format!("mount -t tmpfs -o size=1m,mode=700 tmpfs {} &&", at.display());
    let mut full = Command::new("unshare");
    full.args(["--mount", "sh", "-c"])
        .arg(format!("{mount} exec \"$0\" --exact fetch::cached::a_run_of_its_own --nocapture"));
    full.arg(std::env::current_exe().expect("a test has a file"));
    full.env(CHILD, format!("{} {}", server.url("/"), at.display())).process_group(0);
    check(full.output().expect("it starts"), &at, "No space left on device");
}

#[test]
fn a_file_larger_than_the_cache_is_used_and_not_kept() {
    let (directory, file) = (tempfile::tempdir().expect("a directory"), some_bytes(200_000));
    let server = Server::of(&file);
    let cache = Cache::open(directory.path(), 100_000).expect("a directory of our own");
    let fetcher = Fetcher::new(options(), Some(&cache)).expect("valid options");
    let fetched = fetcher.fetch(&request(&file, &[server.url("/")]), &Watch::default());
    assert_eq!(bytes(fetched.expect("it is there")), file);
    assert!(names(directory.path()).is_empty());
}
