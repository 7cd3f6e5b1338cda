//! Keys: what decides on compressed bytes, as a digest.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use image_runs::{Run, Source};
use sha2::{Digest, Sha256};

use super::Identify;

/// A digest of all that decides on an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// The name of an entry of one kind.
    pub(super) fn name(&self, kind: char) -> String {
        let mut name = String::from(kind);
        for byte in self.0 {
            // OK to ignore: a string takes everything.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// Puts a key together. Each thing is put in with its length or has a fixed one, so that no two ways give one key.
#[derive(Clone, Debug)]
pub struct KeyBuilder {
    digest: Sha256,
    /// Files that changed since then may change again unnoticed.
    settled: SystemTime,
}

/// How coarse the times of files may be: FAT keeps two seconds.
const TICK: Duration = Duration::from_secs(3);

/// What stands before everything. Another number is another meaning of keys or entries.
const VERSION: &str = "rootcast cache 1";

impl KeyBuilder {
    /// An empty key of a kind.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        let settled = SystemTime::now().checked_sub(TICK).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut key = Self { digest: Sha256::new(), settled };
        key.text(VERSION);
        key.text(kind);
        key
    }

    /// Puts in a text.
    pub fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.digest.update(text);
    }

    /// Puts in a number.
    pub fn number(&mut self, number: u64) {
        self.digest.update(number.to_le_bytes());
    }

    /// Puts in bytes whose length the key knows already, or which end it.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// Puts in when a file changed, in seconds and nanoseconds since 1970; none when that was a moment ago, so that the file
    /// may change again and still have that time.
    #[must_use]
    pub fn changed(&mut self, (seconds, nanoseconds): (i64, u32)) -> Option<()> {
        let since = match u64::try_from(seconds) {
            Ok(seconds) => SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))?,
            Err(_) => SystemTime::UNIX_EPOCH,
        };
        self.digest.update(seconds.to_le_bytes());
        self.digest.update(nanoseconds.to_le_bytes());
        (since < self.settled).then_some(())
    }

    /// Puts in where the bytes of a run come from; none when that does not say what they are.
    #[must_use]
    pub(in crate::output) fn run<C: Identify>(&mut self, run: &Run<'_, C>) -> Option<()> {
        self.number(run.len);
        match run.source {
            Source::Zeros => self.number(0),
            Source::Bytes(bytes) => {
                self.number(1);
                self.bytes(bytes);
            }
            Source::Rendered { by, key } => {
                let mut bytes = vec![0; usize::try_from(run.len).ok()?];
                by.render(key, &mut bytes);
                self.number(1);
                self.bytes(&bytes);
            }
            Source::Content { content, offset } => {
                self.number(2);
                self.number(offset);
                content.identify(self)?;
            }
        }
        Some(())
    }

    /// The key.
    #[must_use]
    pub fn finish(self) -> Key {
        Key(self.digest.finalize().into())
    }
}
