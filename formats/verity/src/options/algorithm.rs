//! Hash algorithms.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The algorithm of the digests of a hash tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// SHA-256, digests of 32 bytes: the default of veritysetup.
    #[default]
    Sha256,
    /// SHA-512, digests of 64 bytes.
    Sha512,
}

impl HashAlgorithm {
    /// All algorithms.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The kernel's name of the algorithm, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            HashAlgorithm::Sha256 => "sha256",
            HashAlgorithm::Sha512 => "sha512",
        }
    }

    /// The length of a digest in bytes; a power of two.
    #[must_use]
    pub const fn digest_len(self) -> u32 {
        match self {
            HashAlgorithm::Sha256 => 32,
            HashAlgorithm::Sha512 => 64,
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for HashAlgorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        found.ok_or_else(|| Error::Algorithm { name: name.to_owned() })
    }
}
