//! Digests of blobs, as `ALGORITHM:HEX`.

use std::fmt;

use sha2::{Digest as _, Sha256, Sha512};

/// A hash algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The number of hexadecimal digits of a digest.
    fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// A digest by SHA-256 or SHA-512.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    /// Lowercase hexadecimal digits, so that it is safe as a file name.
    hex: Box<str>,
}

impl Digest {
    /// Parses `ALGORITHM:HEX`. The error is the end of a sentence that begins with the text.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, hex) = text.split_once(':').ok_or("is not a digest, ALGORITHM:HEX")?;
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        let algorithm = algorithm.ok_or("is a digest by another algorithm than sha256 and sha512")?;
        Self::of_hex(algorithm, hex)
            .ok_or("is not a digest in as many lowercase hexadecimal digits as it has to have")
    }

    /// Returns the digest with these digits, if they are one.
    pub(super) fn of_hex(algorithm: Algorithm, hex: &str) -> Option<Self> {
        let is_hex = hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (is_hex && hex.len() == algorithm.digits()).then(|| Self { algorithm, hex: hex.into() })
    }

    /// Returns the digest of bytes by SHA-256.
    pub(super) fn sha256(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        hasher.finish()
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn hex(&self) -> &str {
        &self.hex
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

/// Computes a digest.
#[derive(Clone)]
pub(super) enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(super) fn finish(self) -> Digest {
        let (algorithm, bytes) = match self {
            Self::Sha256(hasher) => (Algorithm::Sha256, hasher.finalize().to_vec()),
            Self::Sha512(hasher) => (Algorithm::Sha512, hasher.finalize().to_vec()),
        };
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Digest { algorithm, hex: hex.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digests_that_can_be_verified_are_parsed() {
        let of_nothing = Digest::sha256(b"").to_string();
        assert_eq!(of_nothing, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(Digest::parse(&of_nothing).map(|digest| digest.to_string()), Ok(of_nothing.clone()));
        let mut hasher = Hasher::new(Algorithm::Sha512);
        hasher.update(b"abc");
        let text = hasher.finish().to_string();
        assert!(text.starts_with("sha512:ddaf35a193617aba") && Digest::parse(&text).is_ok());
        let upper = of_nothing.to_uppercase().replace("SHA", "sha");
        for wrong in ["", "sha256", "sha256:", "md5:00", "sha256:../../etc/passwd", &of_nothing[..70], &upper]
        {
            assert!(Digest::parse(wrong).is_err(), "{wrong}");
        }
    }
}
