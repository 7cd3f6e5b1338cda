//! Files to fetch, and files that were fetched.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::str::FromStr;

use sha2::Digest as _;
use sha2::Sha256;

use super::url;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The error of a text that is not 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not a SHA-256 digest of 64 hexadecimal digits", .0.escape_debug())]
pub struct NotADigest(String);

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let fault = || NotADigest(text.to_owned());
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(fault());
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(digits.chunks(2)) {
            let pair = str::from_utf8(pair).map_err(|_| fault())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| fault())?;
        }
        Ok(Self(digest))
    }
}

/// The length of a file, as far as it is known before it is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// This number of bytes.
    Exactly(u64),
    /// No more than this number of bytes.
    AtMost(u64),
}

impl Length {
    /// The maximum number of bytes.
    #[must_use]
    pub fn limit(self) -> u64 {
        match self {
            Self::Exactly(bytes) | Self::AtMost(bytes) => bytes,
        }
    }
}

/// A file to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The name of the file in errors, such as `package bash 5.2.37-2+b5`.
    pub what: String,
    /// The URLs that have the file, tried in this order: `http:`, `https:` or `file:`. A login in
    /// them is used, and not shown in messages.
    pub urls: Vec<String>,
    /// The digest that the file must have, if it is known.
    pub digest: Option<Digest>,
    /// The length that it must have.
    pub length: Length,
}

impl Request {
    /// Returns true if all URLs are files of the host.
    pub(super) fn is_local(&self) -> bool {
        self.urls.iter().all(|url| url::is_local(url))
    }

    /// Returns the reason for which a file is not the requested one.
    pub(super) fn difference(&self, len: u64, digest: &Digest) -> Option<String> {
        if let Some(difference) = self.length_difference(len) {
            return Some(difference);
        }
        let expected = self.digest.filter(|expected| expected != digest)?;
        Some(format!("has the SHA-256 digest {digest}, and not {expected} as listed"))
    }

    /// Returns the reason for which a length is not the requested one.
    pub(super) fn length_difference(&self, len: u64) -> Option<String> {
        match self.length {
            Length::Exactly(expected) if len != expected => {
                Some(format!("has {len} bytes, and not {expected} as listed"))
            }
            Length::AtMost(limit) if len > limit => {
                Some(format!("has {len} bytes, more than the limit of {limit}"))
            }
            _ => None,
        }
    }
}

/// A file that was fetched and, if its digest was known, verified.
///
/// It is a file of the cache, an unnamed file, or a file of the host that a `file:` URL names, which
/// others may change.
#[derive(Debug)]
pub struct Fetched {
    file: File,
    len: u64,
    digest: Digest,
    url: String,
}

/// The number of bytes that are hashed at a time.
const CHUNK: usize = 1 << 17;

impl Fetched {
    pub(super) fn new(file: File, len: u64, digest: Digest, url: &str) -> Self {
        Self { file, len, digest, url: url.to_owned() }
    }

    /// Returns a file after reading all of it for its digest.
    pub(super) fn whole(mut file: File, url: &str) -> io::Result<Self> {
        file.rewind()?;
        let (mut hasher, mut len, mut buffer) = (Sha256::new(), 0, vec![0; CHUNK]);
        loop {
            let count = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hasher.update(&buffer[..count]);
            len += count as u64;
        }
        file.rewind()?;
        Ok(Self::new(file, len, Digest(hasher.finalize().into()), url))
    }

    /// Returns a file after verifying that it is the requested one.
    pub(super) fn verified(file: File, url: &str, request: &Request) -> io::Result<Self> {
        let len = file.metadata()?.len();
        let wrong = |why| io::Error::new(io::ErrorKind::InvalidData, why);
        // Nothing is read of a file that is longer than it may be.
        request.length_difference(len).map_or(Ok(()), |why| Err(wrong(why)))?;
        let fetched = Self::whole(file, url)?;
        match request.difference(fetched.len, &fetched.digest) {
            Some(why) => Err(wrong(why)),
            None => Ok(fetched),
        }
    }

    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns true for a file without bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The digest of the bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The URL that it came from, without a login, or `the cache`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the file, which is positioned at its start.
    #[must_use]
    pub fn into_file(self) -> File {
        self.file
    }

    /// Reads all bytes.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn into_bytes(mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.rewind()?;
        self.file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
