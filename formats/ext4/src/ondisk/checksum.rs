//! crc32c as ext4 uses it: chained, without the final inversion.
//!
//! Kernel documentation, `filesystems/ext4/checksums.rst`.

/// A checksum in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checksum(u32);

impl Checksum {
    /// The start of every checksum that is not chained to another.
    pub(crate) const START: Self = Self(!0);

    /// The seed of all metadata of a filesystem but the superblock: `s_checksum_seed`.
    pub(crate) fn of_filesystem(uuid: &[u8; 16]) -> Self {
        Self::START.update(uuid)
    }

    /// The seed of everything that belongs to one inode: its directory blocks, extent blocks and itself.
    pub(crate) fn of_inode(self, inode_number: u32, generation: u32) -> Self {
        self.update(&inode_number.to_le_bytes()).update(&generation.to_le_bytes())
    }

    /// The checksum of what came before, followed by `bytes`.
    #[must_use]
    pub(crate) fn update(self, bytes: &[u8]) -> Self {
        // The crate inverts before and after; ext4 does neither.
        Self(!crc32c::crc32c_append(!self.0, bytes))
    }

    /// The value to store.
    pub(crate) fn value(self) -> u32 {
        self.0
    }

    /// The low half, for fields of 16 bits.
    #[expect(clippy::cast_possible_truncation, reason = "the field holds the low 16 bits")]
    pub(crate) fn low(self) -> u16 {
        self.0 as u16
    }

    /// The high half, where a field of 16 bits has a sister for it.
    pub(crate) fn high(self) -> u16 {
        (self.0 >> 16) as u16
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
    fn chaining_equals_one_pass() {
        assert_eq!(Checksum::START.update(b"1234").update(b"56789"), Checksum::START.update(b"123456789"));
    }
}
