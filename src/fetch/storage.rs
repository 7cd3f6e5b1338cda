//! The files that downloads are in: of the cache, or without names.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::request::{Fetched, Request};
use super::url;
use crate::cache::{Addressed, Cache, Key, KeyBuilder, NewAddressed};
use crate::error::{Error, Result};

/// The cache, and the directory for what it does not take.
pub(super) struct Storage<'c> {
    pub(super) cache: Option<&'c Cache>,
    /// `None` for the directory of temporary files.
    pub(super) spool: Option<PathBuf>,
}

/// An empty file for a download.
pub(super) struct Place<'c> {
    pub(super) file: File,
    /// The directory that it is in, for messages.
    pub(super) directory: PathBuf,
    /// Its entry in the cache, if it gets one.
    pub(super) entry: Option<NewAddressed<'c>>,
}

impl<'c> Storage<'c> {
    /// Returns a file that the cache has, after verifying its digest. One without a digest may have
    /// changed since, and is returned only if it is to be used `offline`.
    pub(super) fn find(&self, request: &Request, offline: bool) -> Result<Option<Fetched>> {
        let Some(cache) = self.cache else { return Ok(None) };
        let Some(digest) = &request.digest else {
            if !offline || request.is_local() {
                return Ok(None);
            }
            let found = request.urls.iter().find_map(|url| Some((url, cache.find(&key(url))?)));
            return found.map(|(url, piece)| self.in_spool(&piece.bytes, url)).transpose();
        };
        let Some(file) = cache.open_addressed(Addressed::Download, &digest.to_string()) else {
            return Ok(None);
        };
        // An entry that was damaged is fetched anew, and replaced.
        Ok(Fetched::verified(file, "the cache", request).ok())
    }

    /// Keeps a file whose digest is not known before it is fetched.
    pub(super) fn remember(&self, request: &Request, bytes: &[u8]) {
        if let (Some(cache), None, Some(url)) = (self.cache, request.digest, request.urls.first())
            && let Some(mut entry) = cache.begin(&key(url))
        {
            entry.push(bytes);
            cache.keep(entry, 0);
        }
    }

    /// Returns an empty file for a download.
    pub(super) fn place(&self, request: &Request) -> Result<Place<'c>> {
        if let (Some(cache), Some(digest), false) = (self.cache, request.digest, request.is_local()) {
            let directory = cache.path().to_owned();
            let failed = |error| Error::io(&directory, error);
            let entry = cache.begin_addressed(Addressed::Download, &digest.to_string()).map_err(failed)?;
            if let Some(entry) = entry {
                let file = entry.file().try_clone().map_err(failed)?;
                return Ok(Place { file, directory, entry: Some(entry) });
            }
        }
        let directory = self.directory();
        let file = tempfile::tempfile_in(&directory).map_err(|error| Error::io(&directory, error))?;
        Ok(Place { file, directory, entry: None })
    }

    /// Gives a file that was verified its name in the cache. One that is larger than the cache may be
    /// stays without.
    pub(super) fn keep(&self, entry: Option<NewAddressed<'c>>) -> Result<()> {
        let Some(entry) = entry else { return Ok(()) };
        let directory = self.cache.map_or(Path::new("the cache"), Cache::path);
        entry.keep().map(|_| ()).map_err(|error| Error::io(directory, error))
    }

    fn in_spool(&self, bytes: &[u8], url: &str) -> Result<Fetched> {
        let directory = self.directory();
        let failed = |error| Error::io(&directory, error);
        let file = tempfile::tempfile_in(&directory).map_err(failed)?;
        io::Write::write_all(&mut &file, bytes).map_err(failed)?;
        Fetched::whole(file, url).map_err(failed)
    }

    fn directory(&self) -> PathBuf {
        self.spool.clone().unwrap_or_else(std::env::temp_dir)
    }
}

/// Returns the key of a file whose digest is not known before it was fetched.
fn key(url: &str) -> Key {
    let mut key = KeyBuilder::new("download");
    key.text(&url::without_login(url));
    key.finish()
}
