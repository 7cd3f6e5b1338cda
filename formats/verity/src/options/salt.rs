//! Salts.

use std::fmt;
use std::str::FromStr;

use crate::{Error, limits, text};

/// The bytes that are hashed with each block: 0 to 256 of them.
///
/// As text, a salt is hexadecimal, and `-` if it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Salt(Vec<u8>);

impl Salt {
    /// The maximum length in bytes: the field of the superblock.
    pub const MAX_LEN: usize = limits::MAX_SALT_LEN;
    /// The salt of no bytes.
    pub const EMPTY: Self = Self(Vec::new());

    /// Returns a salt of these bytes.
    ///
    /// # Errors
    /// Returns an error if there are more than [`Salt::MAX_LEN`].
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let bytes = bytes.into();
        if bytes.len() > Self::MAX_LEN {
            return Err(Error::SaltTooLong { len: bytes.len() });
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("-") } else { text::write_hex(f, &self.0) }
    }
}

impl FromStr for Salt {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "-" { Ok(Self::EMPTY) } else { Self::new(text::parse_hex("salt", text)?) }
    }
}

#[cfg(test)]
mod tests {
    use super::Salt;

    #[test]
    fn text_is_hexadecimal_and_a_dash_when_empty() {
        let salt: Salt = "00ffA5".parse().expect("a salt");
        assert_eq!((salt.as_bytes(), salt.to_string().as_str()), (&[0, 0xff, 0xa5][..], "00ffa5"));
        assert_eq!(Salt::EMPTY.to_string(), "-");
        assert_eq!("-".parse(), Ok(Salt::EMPTY));
        for wrong in ["", "0", "0g", "+1", "é", "00 "] {
            assert!(wrong.parse::<Salt>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn more_than_256_bytes_are_refused() {
        assert!("ab".repeat(256).parse::<Salt>().is_ok());
        let error = "ab".repeat(257).parse::<Salt>().expect_err("too long");
        assert_eq!(error.to_string(), "a salt of 257 bytes is longer than the limit of 256 bytes");
    }
}
