//! Root hashes.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::text::{parse_hex, write_hex};
use crate::{Error, HashAlgorithm};

/// The digest of the top of a hash tree, from which all data can be verified. As text, it is
/// hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootHash {
    bytes: Vec<u8>,
    algorithm: HashAlgorithm,
}

impl RootHash {
    /// Returns a root hash of these bytes; their number determines the algorithm.
    ///
    /// # Errors
    /// Returns an error if no supported algorithm has digests of this length.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let bytes = bytes.into();
        let has_its_length =
            |algorithm: &HashAlgorithm| u32::try_from(bytes.len()) == Ok(algorithm.digest_len());
        let algorithm = HashAlgorithm::ALL.into_iter().find(has_its_length);
        let algorithm = algorithm.ok_or(Error::RootHashLength { len: bytes.len() })?;
        Ok(Self { bytes, algorithm })
    }

    /// Returns a root hash of a digest of a supported algorithm.
    pub(crate) fn of_digest(digest: &[u8]) -> Self {
        // OK to unwrap: the digest is as long as its algorithm says.
        Self::new(digest).expect("a digest of a supported algorithm")
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The algorithm that has digests of this length.
    #[must_use]
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The UUIDs of the data partition and of the hash partition by which the Discoverable
    /// Partitions Specification finds them: the first and the last 16 bytes of the root hash.
    #[must_use]
    pub fn partition_uuids(&self) -> (Uuid, Uuid) {
        // OK to unwrap: a digest has at least 32 bytes.
        let first = self.bytes.first_chunk().expect("a digest has 32 bytes");
        let last = self.bytes.last_chunk().expect("a digest has 32 bytes");
        (Uuid::from_bytes(*first), Uuid::from_bytes(*last))
    }
}

impl fmt::Display for RootHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.bytes)
    }
}

impl FromStr for RootHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(parse_hex("root hash", text)?)
    }
}

#[cfg(test)]
mod tests {
    use super::RootHash;

    #[test]
    fn the_halves_are_the_partition_uuids() {
        let text = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef";
        let root: RootHash = text.parse().expect("a root hash");
        assert_eq!(root.to_string(), text);
        let (data, hash) = root.partition_uuids();
        assert_eq!(data.to_string(), "00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!(hash.to_string(), "01234567-89ab-cdef-0123-456789abcdef");
    }

    #[test]
    fn other_lengths_are_refused() {
        for len in [1, 16, 20, 31, 33, 63, 65, 1000] {
            assert!("ab".repeat(len).parse::<RootHash>().is_err(), "{len}");
        }
        assert!("".parse::<RootHash>().is_err() && "x".repeat(64).parse::<RootHash>().is_err());
    }
}
