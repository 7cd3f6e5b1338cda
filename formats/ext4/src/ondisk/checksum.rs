//! crc32c as ext4 uses it: chained, without the final inversion.
//!
//! Kernel documentation, `filesystems/ext4/checksums.rst`.

/// A checksum in progress, or none: then all continuations are none too, and 0 is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checksum(Option<u32>);

impl Checksum {
    /// The start of every checksum that is not chained to another.
    pub(crate) const START: Self = Self(Some(!0));
    /// The checksum of a filesystem without `metadata_csum`.
    pub(crate) const NONE: Self = Self(None);

    /// Returns the seed of all metadata of a filesystem except the superblock: `s_checksum_seed`.
    pub(crate) fn of_filesystem(uuid: &[u8; 16]) -> Self {
        Self::START.update(uuid)
    }

    /// Returns the seed of everything that belongs to one inode: its directory blocks, extent
    /// blocks and itself.
    pub(crate) fn of_inode(self, inode_number: u32, generation: u32) -> Self {
        self.update(&inode_number.to_le_bytes()).update(&generation.to_le_bytes())
    }

    /// Returns the checksum of the previous bytes followed by `bytes`.
    #[must_use]
    pub(crate) fn update(self, bytes: &[u8]) -> Self {
        // The crc32c crate inverts before and after; ext4 does neither.
        Self(self.0.map(|sum| !crc32c::crc32c_append(!sum, bytes)))
    }

    /// Returns true if there are checksums, and so space for those in separate structures.
    pub(crate) fn exists(self) -> bool {
        self.0.is_some()
    }

    /// Returns the value to store.
    pub(crate) fn value(self) -> u32 {
        self.0.unwrap_or(0)
    }

    /// Returns the low half, for fields of 16 bits.
    #[expect(clippy::cast_possible_truncation, reason = "the field holds the low 16 bits")]
    pub(crate) fn low(self) -> u16 {
        self.value() as u16
    }

    /// Returns the high half, for a separate field of 16 bits.
    pub(crate) fn high(self) -> u16 {
        (self.value() >> 16) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_crc32c() {
        // RFC 3720, B.4 lists crc32c with its final inversion.
        assert_eq!(!Checksum::START.update(b"123456789").value(), 0xE306_9283);
    }

    #[test]
    fn checksums_that_are_disabled_have_no_value() {
        let sum = Checksum::NONE.of_inode(12, 0).update(b"anything");
        assert_eq!((sum.value(), sum.low(), sum.high(), sum.exists()), (0, 0, 0, false));
    }

    #[test]
    fn chaining_equals_one_pass() {
        assert_eq!(Checksum::START.update(b"1234").update(b"56789"), Checksum::START.update(b"123456789"));
    }
}
