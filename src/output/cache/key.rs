//! Keys: what decides on compressed bytes, as a digest.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// A digest of all that decides on an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// The name of the entry.
    pub(super) fn name(&self) -> String {
        let mut name = String::from('c');
        for byte in self.0 {
            // OK to ignore: a string takes everything.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Puts a key together. Each thing is put in with its length or has a fixed one, so that no two ways give one key.
#[derive(Clone, Debug)]
pub struct KeyBuilder {
    digest: Sha256,
}

/// What stands before everything. Another number is another meaning of keys or entries.
const VERSION: &str = "rootcast cache 1";

impl KeyBuilder {
    /// An empty key of a kind.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        let mut key = Self { digest: Sha256::new() };
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

    /// The key.
    #[must_use]
    pub fn finish(self) -> Key {
        Key(self.digest.finalize().into())
    }
}
