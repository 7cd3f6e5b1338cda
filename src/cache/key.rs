//! Keys: digests of everything that affects the compressed bytes.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// A digest of everything that affects an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// The file name of the entry of a piece.
    pub(super) fn name(&self) -> String {
        self.name_of('c')
    }

    /// The file name of the entry with the key of a piece that this key identifies.
    pub(super) fn name_of_identity(&self) -> String {
        self.name_of('i')
    }

    fn name_of(&self, kind: char) -> String {
        let mut name = String::from(kind);
        for byte in self.0 {
            // OK to ignore: writing to a string cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// Builds a key. Each part has a fixed length or is preceded by it, so that different parts never
/// give the same key.
#[derive(Clone, Debug)]
pub struct KeyBuilder {
    digest: Sha256,
}

/// The prefix of all keys. It changes with the meaning of keys or entries.
const VERSION: &str = "rootcast cache 1";

impl KeyBuilder {
    /// Returns an empty key of a kind.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        let mut key = Self { digest: Sha256::new() };
        key.text(VERSION);
        key.text(kind);
        key
    }

    /// Appends a text.
    pub fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.digest.update(text);
    }

    /// Appends a number.
    pub fn number(&mut self, number: u64) {
        self.digest.update(number.to_le_bytes());
    }

    /// Appends bytes whose length is already in the key, or which end it.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// Returns the key.
    #[must_use]
    pub fn finish(self) -> Key {
        Key(self.digest.finalize().into())
    }
}
