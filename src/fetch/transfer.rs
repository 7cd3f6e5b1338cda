//! The transfer of one file: URL by URL, attempt by attempt, with resumption.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use ureq::http::{Response, header};
use ureq::{Body, Error as HttpError};

use super::attempt::{Attempt, Fault, Part, named, stalled, text};
use super::client::Client;
use super::failure::Failure;
use super::request::{Digest, Fetched, Length, Request};
use super::url::{Remote, Url};
use crate::error::{Error, ErrorKind};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::shown;

/// The number of bytes that are read at a time.
const CHUNK: usize = 1 << 16;

/// The fewest bytes in the time of a stall that count as progress of a transfer.
const SLOWEST: u64 = 1 << 10;

/// The most attempts for a URL, also if each brings some bytes.
const MAX_ATTEMPTS: u32 = 64;

/// The time between two looks at the request to stop while nothing is transferred.
const LOOK: Duration = Duration::from_millis(100);

/// A file that is to be transferred.
pub(super) struct Transfer {
    pub(super) request: Request,
    /// The empty file for its bytes.
    pub(super) file: File,
    /// The path of that file's directory, for messages.
    pub(super) directory: std::path::PathBuf,
    pub(super) client: Arc<Client>,
    pub(super) progress: Arc<dyn Progress + Send + Sync>,
    pub(super) cancel: Interrupt,
    /// Set once nobody waits for the file.
    pub(super) abandoned: Arc<AtomicBool>,
    /// The number of bytes that were reported as progress.
    pub(super) reported: u64,
}

/// The bytes that came so far.
struct Received {
    part: Part,
    hasher: Sha256,
    /// True if the bytes came in several responses.
    resumed: bool,
}

impl Received {
    fn nothing() -> Self {
        Self { part: Part::default(), hasher: Sha256::new(), resumed: false }
    }
}

impl Transfer {
    /// Transfers the file from the first URL that has it.
    pub(super) fn run(mut self) -> Result<Fetched, Vec<Failure>> {
        let mut failures = Vec::new();
        for url in std::mem::take(&mut self.request.urls) {
            let fetched = match Url::parse(&url) {
                Ok(Url::Remote(remote)) => match self.remote(&remote) {
                    Ok((len, digest)) => {
                        return self.finished(len, digest, &remote).map_err(|failure| vec![failure]);
                    }
                    Err(failure) => Err(failure),
                },
                Ok(Url::Local(path)) => local(&self.request, &path),
                Err(why) => Err(Failure::Failed(format!(
                    "{}: {why}",
                    shown::name(super::url::without_login(&url).as_ref())
                ))),
            };
            match fetched {
                Ok(fetched) => return Ok(fetched),
                Err(failure @ Failure::Final(_)) => return Err(vec![failure]),
                Err(failure) => failures.push(failure),
            }
        }
        Err(failures)
    }

    fn finished(self, len: u64, digest: Digest, url: &Remote) -> Result<Fetched, Failure> {
        let mut file = self.file;
        file.rewind().map_err(|error| Failure::Final(Error::io(&self.directory, error)))?;
        Ok(Fetched::new(file, len, digest, &url.to_string()))
    }

    /// Transfers a file from a server.
    fn remote(&mut self, url: &Remote) -> Result<(u64, Digest), Failure> {
        let retries = *self.client.retries();
        let mut received = Received::nothing();
        let (mut in_vain, mut pause, mut furthest) = (0, retries.pause, 0);
        for number in 1.. {
            if self.request.digest.is_none() && received.part.validator.is_none() {
                // Bytes of another version of the file would not be noticed.
                self.restart(&mut received)?;
            }
            let fault = match self.attempt(url, &mut received) {
                Ok(()) => match self.verified(url, &mut received) {
                    Ok(verified) => return Ok(verified),
                    Err(fault) => fault,
                },
                Err(fault) => fault,
            };
            let (why, wait) = match fault {
                Fault::Failure(failure) => return Err(failure),
                Fault::Again { why, wait } => (why, wait),
            };
            if received.part.start >= furthest + SLOWEST {
                (in_vain, pause, furthest) = (0, retries.pause, received.part.start);
            } else {
                in_vain += 1;
            }
            if in_vain >= retries.attempts || number >= MAX_ATTEMPTS {
                let attempts = shown::Count(u64::from(number), "attempt", "attempts");
                return Err(Failure::Failed(format!("{why} (after {attempts})")));
            }
            if let Some(wait) = wait.filter(|wait| *wait > retries.longest_pause) {
                let seconds = wait.as_secs();
                return Err(Failure::Failed(format!("{why}; the server asks to wait {seconds} seconds")));
            }
            self.rest(wait.unwrap_or(pause))?;
            pause = pause.saturating_mul(2).min(retries.longest_pause);
        }
        Err(Failure::Failed(named(url)))
    }

    /// Waits.
    fn rest(&self, time: Duration) -> Result<(), Failure> {
        let end = Instant::now() + time;
        loop {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(LOOK));
        }
    }

    /// Fails once the work is to stop.
    fn check(&self) -> Result<(), Failure> {
        if self.abandoned.load(Ordering::Relaxed) {
            return Err(Failure::Final(Error::new(ErrorKind::Interrupted, "another file failed")));
        }
        self.cancel.check().map_err(Failure::Final)
    }

    /// Returns the length and the digest if they are those of the request.
    fn verified(&mut self, url: &Remote, received: &mut Received) -> Result<(u64, Digest), Fault> {
        let len = received.part.start;
        let digest = Digest(received.hasher.clone().finalize().into());
        let Some(difference) = self.request.difference(len, &digest) else { return Ok((len, digest)) };
        let why = format!("{} {difference}", named(url));
        if received.resumed {
            // The file changed between the responses.
            self.restart(received)?;
            return Err(Fault::again(why));
        }
        Err(Fault::Failure(Failure::Wrong(why)))
    }

    /// Sends one request, and appends the bytes of the response.
    fn attempt(&mut self, url: &Remote, received: &mut Received) -> Result<(), Fault> {
        let Self { client, cancel, .. } = &*self;
        let response = Attempt { client, cancel, part: &received.part }.send(url)?;
        let total = match response.status().as_u16() {
            206 => match range(&response) {
                Some((start, total)) if start == received.part.start => {
                    received.resumed = true;
                    total
                }
                found => {
                    let asked = received.part.start;
                    self.restart(received)?;
                    let found =
                        found.map_or("no range".to_owned(), |(start, _)| format!("those from byte {start}"));
                    return Err(Fault::again(format!(
                        "{}: bytes from {asked} were requested, and the answer has {found}",
                        named(url)
                    )));
                }
            },
            416 => {
                self.restart(received)?;
                return Err(Fault::again(format!("{}: the file became shorter", named(url))));
            }
            _ => {
                self.restart(received)?;
                response.body().content_length()
            }
        };
        if let Some(total) = total
            && let Some(difference) = self.request.length_difference(total)
        {
            // What was received before may be of another file.
            return Err(Fault::Failure(Failure::Wrong(format!("{} {difference}", named(url)))));
        }
        received.part.validator = validator(&response);
        self.append(url, response, total, received)
    }

    fn append(
        &mut self,
        url: &Remote,
        response: Response<Body>,
        total: Option<u64>,
        received: &mut Received,
    ) -> Result<(), Fault> {
        let stall = self.client.retries().stall;
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; CHUNK];
        let (mut since, mut at_that_time) = (Instant::now(), received.part.start);
        loop {
            self.check()?;
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Fault::again(format!("{}: {}", named(url), of_body(error)))),
            };
            self.put(&buffer[..count], received)?;
            if since.elapsed() > stall {
                if received.part.start - at_that_time < SLOWEST {
                    return Err(Fault::again(format!("{}: it stalled", named(url))));
                }
                (since, at_that_time) = (Instant::now(), received.part.start);
            }
        }
        let expected = match self.request.length {
            Length::Exactly(len) => Some(len),
            Length::AtMost(_) => total,
        };
        match expected {
            Some(len) if received.part.start < len => {
                let start = received.part.start;
                Err(Fault::again(format!("{}: ended after {start} of {len} bytes", named(url))))
            }
            _ => Ok(()),
        }
    }

    /// Stores bytes.
    fn put(&mut self, bytes: &[u8], received: &mut Received) -> Result<(), Fault> {
        let len = received.part.start.saturating_add(bytes.len() as u64);
        let limit = self.request.length.limit();
        if len > limit {
            let why = format!("{}: has more than {limit} bytes", shown::name(self.request.what.as_ref()));
            return Err(Fault::Failure(Failure::Wrong(why)));
        }
        self.file.write_all(bytes).map_err(|error| self.storing(error))?;
        received.hasher.update(bytes);
        received.part.start = len;
        if len > self.reported {
            self.progress.add(len - self.reported);
            self.reported = len;
        }
        Ok(())
    }

    /// Drops the bytes that came so far.
    fn restart(&mut self, received: &mut Received) -> Result<(), Failure> {
        if received.part.start > 0 {
            let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
            emptied.map_err(|error| Failure::Final(self.storing(error)))?;
        }
        *received = Received::nothing();
        Ok(())
    }

    fn storing(&self, error: io::Error) -> Error {
        #[derive(Debug, thiserror::Error)]
        #[error("{what} cannot be stored")]
        struct NotStored {
            what: String,
            source: io::Error,
        }
        let what = self.request.what.clone();
        Error::at(ErrorKind::Io, &self.directory, NotStored { what, source: error })
    }
}

/// Opens a file of the host.
fn local(request: &Request, path: &std::path::Path) -> Result<Fetched, Failure> {
    let why = |what: String| format!("{}: {what}", shown::path(path));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Err(Failure::Missing(why(error.to_string())));
        }
        Err(error) => return Err(Failure::Failed(why(error.to_string()))),
    };
    if !file.metadata().is_ok_and(|found| found.is_file()) {
        return Err(Failure::Failed(why("is not a regular file".to_owned())));
    }
    Fetched::verified(file, &why(String::new()), request).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => Failure::Wrong(format!("{} {error}", shown::path(path))),
        _ => Failure::Failed(why(error.to_string())),
    })
}

/// Returns the first byte and the length of the whole file of a partial response.
fn range(response: &Response<Body>) -> Option<(u64, Option<u64>)> {
    let text = text(response.headers(), &header::CONTENT_RANGE)?.trim().strip_prefix("bytes ")?;
    let (span, total) = text.split_once('/')?;
    let (start, _) = span.split_once('-')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    Some((start.parse().ok()?, total))
}

/// Returns the validator of a file that tells two of its versions apart: a strong entity tag, or
/// else the time of its last change.
fn validator(response: &Response<Body>) -> Option<String> {
    let tag = text(response.headers(), &header::ETAG).filter(|tag| tag.starts_with('"'));
    let changed = || text(response.headers(), &header::LAST_MODIFIED);
    tag.or_else(changed).map(str::to_owned)
}

/// Returns the text of a body that ended early.
fn of_body(error: io::Error) -> String {
    match HttpError::from(error) {
        HttpError::Timeout(timeout) => stalled(timeout),
        HttpError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the connection ended early".to_owned()
        }
        HttpError::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}
