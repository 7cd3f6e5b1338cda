//! Downloads from servers of the tests on 127.0.0.1, with every fault.

mod cached;
mod faults;
mod logins;
mod proxies;
mod redirects;
mod resumed;
pub(crate) mod server;
mod tls;

use std::time::Duration;

use rootcast::fetch::{Digest, FetchOptions, Fetched, Fetcher, Length, Request, Retries};
use rootcast::{Error, Threads, Watch};
use sha2::{Digest as _, Sha256};

/// Options with short pauses.
fn options() -> FetchOptions {
    let retries = Retries {
        attempts: 3,
        pause: Duration::from_millis(20),
        longest_pause: Duration::from_secs(2),
        stall: Duration::from_millis(400),
    };
    FetchOptions { retries, ..FetchOptions::default() }
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Returns the request of a file with these bytes.
fn request(bytes: &[u8], urls: &[String]) -> Request {
    Request {
        what: "the file".to_owned(),
        urls: urls.to_vec(),
        digest: Some(digest(bytes)),
        length: Length::Exactly(bytes.len() as u64),
    }
}

/// Returns the request of a file of which nothing is known.
fn unknown(url: &str) -> Request {
    let length = Length::AtMost(1 << 20);
    Request { what: "the file".to_owned(), urls: vec![url.to_owned()], digest: None, length }
}

fn fetch(options: FetchOptions, request: &Request) -> Result<Vec<u8>, Error> {
    let fetcher = Fetcher::new(options, None)?;
    fetcher.fetch(request, &Watch::default()).map(bytes)
}

fn bytes(fetched: Fetched) -> Vec<u8> {
    fetched.into_bytes().expect("it was fetched")
}

fn threads() -> Threads {
    Threads::new(2.try_into().expect("not 0"))
}

/// Bytes that do not repeat within their length.
fn some_bytes(len: usize) -> Vec<u8> {
    (0_u32..).flat_map(|number| number.wrapping_mul(0x9e37_79b9).to_le_bytes()).take(len).collect()
}
