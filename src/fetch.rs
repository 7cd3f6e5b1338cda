//! Downloads of files, whose digests are verified: over HTTP, from directories, and from the cache.
//!
//! ```text
//! Request ─▶ cache ─▶ found, digest verified ────────────────────────────────▶ Fetched
//!                └──▶ worker: URL by URL, attempt by attempt ─▶ unnamed file ─▶ Fetched, and the cache
//! ```
//!
//! * [`FetchOptions`] has all settings as data; [`FetchOptions::from_environment`] gathers those that
//!   users set for all programs. Nothing here reads them elsewhere.
//! * The bytes of a request with a digest are in the cache once they were verified, under that
//!   digest. Those of a request without one are kept when the caller has verified them and calls
//!   [`Fetcher::remember`].
//! * Bytes go to files without names, so that a killed run leaves nothing.

mod attempt;
mod client;
mod credentials;
pub(crate) mod date;
mod environment;
mod failure;
mod forward;
mod options;
mod proxy;
mod queue;
mod request;
mod storage;
mod tls;
mod transfer;
mod url;

use std::sync::Arc;

use crate::cache::Cache;
use crate::error::{Error, ErrorKind, Result};
use crate::threads::Threads;
use crate::watch::Watch;

use client::Client;
use failure::{Missing, NotCached};
use queue::Queue;
use storage::Storage;

pub use credentials::Credentials;
pub use options::{ClientCertificate, FetchOptions, ProxyRule, Retries, Roots};
pub use request::{Digest, Fetched, Length, Request};
pub use url::join;

/// A client for downloads, which is made once for a run.
pub struct Fetcher<'c> {
    client: Arc<Client>,
    storage: Storage<'c>,
    offline: bool,
    connections: usize,
}

/// The number of requests that are looked up in the cache at once.
const BATCH: usize = 64;

impl<'c> Fetcher<'c> {
    /// Returns a client with these options, which keeps files in a cache.
    ///
    /// # Errors
    /// [`Usage`](ErrorKind::Usage) if the URL of a proxy is invalid.
    pub fn new(options: FetchOptions, cache: Option<&'c Cache>) -> Result<Self> {
        let (offline, connections) = (options.offline, options.connections.get());
        let storage = Storage { cache, spool: options.spool.clone() };
        Ok(Self { client: Arc::new(Client::new(options)?), storage, offline, connections })
    }

    /// Fetches a file.
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io) if no URL has the file, or it cannot be transferred or stored;
    /// [`BadInput`](ErrorKind::BadInput) if it has another digest or length than requested;
    /// [`Interrupted`](ErrorKind::Interrupted).
    pub fn fetch(&self, request: &Request, watch: &Watch) -> Result<Fetched> {
        let mut fetched = self.fetch_all(std::slice::from_ref(request), &Threads::single(), watch)?;
        fetched.pop().ok_or_else(|| Error::new(ErrorKind::Io, format!("{}: nothing came", request.what)))
    }

    /// Fetches a file that may be missing; returns `None` if no URL has it.
    ///
    /// # Errors
    /// Those of [`fetch`](Self::fetch), except that the file is missing.
    pub fn fetch_optional(&self, request: &Request, watch: &Watch) -> Result<Option<Fetched>> {
        match self.fetch(request, watch) {
            Err(error) if Missing::is_cause_of(&error) => Ok(None),
            fetched => fetched.map(Some),
        }
    }

    /// Fetches files, several at a time, and returns them in the order of the requests.
    ///
    /// # Errors
    /// Those of [`fetch`](Self::fetch); one error names all files that are missing.
    pub fn fetch_all(&self, requests: &[Request], threads: &Threads, watch: &Watch) -> Result<Vec<Fetched>> {
        let mut fetched: Vec<(usize, Fetched)> = Vec::with_capacity(requests.len());
        self.fetch_each(requests, threads, watch, &mut |index, file| {
            fetched.push((index, file));
            Ok(())
        })?;
        fetched.sort_unstable_by_key(|(index, _)| *index);
        Ok(fetched.into_iter().map(|(_, file)| file).collect())
    }

    /// Fetches files, several at a time, and calls `sink` with the number of the request and its
    /// file as soon as each is complete, in any order. `threads` verify the files of the cache.
    ///
    /// # Errors
    /// Those of [`fetch_all`](Self::fetch_all), and those of `sink`, which end the work.
    pub fn fetch_each(
        &self,
        requests: &[Request],
        threads: &Threads,
        watch: &Watch,
        sink: &mut dyn FnMut(usize, Fetched) -> Result<()>,
    ) -> Result<()> {
        let mut wanted = Vec::new();
        let numbers: Vec<usize> = (0..requests.len()).collect();
        for batch in numbers.chunks(BATCH) {
            let found = threads.map(batch.len(), |at, (): &mut ()| {
                watch.cancel.check()?;
                self.storage.find(&requests[batch[at]], self.offline)
            })?;
            for (number, found) in batch.iter().zip(found) {
                match found {
                    Some(file) => sink(*number, file)?,
                    None => wanted.push(*number),
                }
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        if self.offline {
            let (local, remote): (Vec<usize>, Vec<usize>) =
                wanted.into_iter().partition(|number| requests[*number].is_local());
            if !remote.is_empty() {
                return Err(failure::not_cached(
                    remote.iter().map(|number| &requests[*number]),
                    self.storage.cache.is_some(),
                ));
            }
            wanted = local;
        }
        let Self { client, storage, connections, .. } = self;
        Queue { client, storage, connections: *connections, requests, watch }.run(&wanted, sink)
    }

    /// Returns true for the error of files that the cache lacks and that
    /// [`offline`](FetchOptions::offline) keeps from being fetched.
    #[must_use]
    pub fn is_not_cached(error: &Error) -> bool {
        NotCached::is_cause_of(error)
    }

    /// Keeps a file whose request has no digest for runs with `--offline`, after the caller has
    /// verified it by other means.
    pub fn remember(&self, request: &Request, bytes: &[u8]) {
        self.storage.remember(request, bytes);
    }
}
