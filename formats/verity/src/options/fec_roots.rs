//! The strength of forward error correction.

use crate::{Error, limits};

/// The number of roots of the Reed–Solomon code, from 2 to 24: the parity bytes in each code word
/// of 255 bytes.
///
/// Half as many wrong bytes of a code word can be corrected, or as many if the wrong blocks are
/// known, as they are to the kernel by their digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FecRoots(u8);

impl FecRoots {
    /// The smallest number, and the default of veritysetup.
    pub const MIN: u8 = limits::MIN_ROOTS;
    /// The largest number.
    pub const MAX: u8 = limits::MAX_ROOTS;
    /// 2 roots: the default of veritysetup.
    pub const DEFAULT: Self = Self(Self::MIN);
    /// The length of a code word in bytes.
    pub(crate) const CODE_WORD: u8 = 255;

    /// Returns this number of roots.
    ///
    /// # Errors
    /// Returns an error unless it is from [`FecRoots::MIN`] to [`FecRoots::MAX`].
    pub fn new(roots: u64) -> Result<Self, Error> {
        match u8::try_from(roots) {
            Ok(number @ Self::MIN..=Self::MAX) => Ok(Self(number)),
            _ => Err(Error::Roots { roots }),
        }
    }

    /// The number of roots.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The number of bytes of a code word that are not parity.
    pub(crate) const fn data_bytes(self) -> u8 {
        Self::CODE_WORD - self.0
    }
}

#[cfg(test)]
mod tests {
    use super::FecRoots;
    use crate::Error;

    #[test]
    fn only_the_numbers_that_the_kernel_takes_are_roots() {
        for roots in [2, 24] {
            assert_eq!(FecRoots::new(roots).map(|roots| u64::from(roots.get())), Ok(roots));
        }
        for roots in [0, 1, 25, 256 + 2, u64::MAX] {
            assert_eq!(FecRoots::new(roots), Err(Error::Roots { roots }));
        }
    }
}
