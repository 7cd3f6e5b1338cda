//! The seed of all identifiers.
//!
//! Filesystems, disks and partitions have UUIDs, a hash seed, a signature. They must not be random,
//! or two runs would give different images; they must not be constant, or different images on one
//! machine would have the same identifiers. So each is derived from a seed, and the seed from the
//! content of the image:
//!
//! ```text
//! seed        = SHA-256("rootcast seed from uuid" 0x00, the 16 bytes of the UUID)
//!             | SHA-256("rootcast seed from digest" 0x00, the manifest and options as text)
//! identifier  = SHA-256("rootcast identifier" 0x00, the 32 bytes of the seed, the label)
//! ```
//!
//! The label is the purpose of the identifier, so identifiers of one seed are independent. The
//! labels in use are those of [`label`]. The derivation is part of the byte layouts: changing it
//! changes every image.

use std::io;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The purposes of identifiers. All labels are distinct.
pub mod label {
    /// The UUID in an ext4 superblock.
    pub const EXT4_UUID: &str = "ext4 filesystem uuid";
    /// The seed of directory hashes in an ext4 superblock.
    pub const EXT4_HASH_SEED: &str = "ext4 directory hash seed";
    /// The UUID in an EROFS superblock.
    pub const EROFS_UUID: &str = "erofs filesystem uuid";
    /// The GUID of a GPT disk.
    pub const GPT_DISK: &str = "gpt disk guid";
    /// The GUID of the root partition of a GPT disk.
    pub const GPT_ROOT_PARTITION: &str = "gpt root partition guid";
    /// The disk signature of an MBR.
    pub const MBR_SIGNATURE: &str = "mbr disk signature";
    /// The GUID of the partition of a hash tree before the root hash is known, from which the final
    /// one derives.
    pub const GPT_HASH_PARTITION: &str = "gpt hash partition guid";
    /// The salt of a dm-verity hash tree.
    pub const VERITY_SALT: &str = "dm-verity salt";
    /// The UUID in a dm-verity superblock.
    pub const VERITY_UUID: &str = "dm-verity uuid";
}

/// The value from which all identifiers of one image are derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Returns the seed for a UUID given by the user.
    #[must_use]
    pub fn from_uuid(uuid: Uuid) -> Self {
        let hash = Sha256::new_with_prefix(b"rootcast seed from uuid\0");
        Self(hash.chain_update(uuid.as_bytes()).finalize().into())
    }

    /// Returns the seed for the bytes that `write` produces: a canonical text of the tree and the
    /// options. The seed does not depend on how the bytes are divided into writes.
    ///
    /// # Errors
    /// Returns the error of `write`; the sink itself does not fail.
    pub fn digest(write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<Self> {
        let mut sink = Sink(Sha256::new_with_prefix(b"rootcast seed from digest\0"));
        write(&mut sink)?;
        Ok(Self(sink.0.finalize().into()))
    }

    /// Returns the UUID for a label.
    ///
    /// Its version is 8, which RFC 9562, section 5.8 reserves for custom schemes and whose example
    /// in appendix B.2 is the same: a SHA-256, truncated to 16 bytes, with version and variant set.
    /// Version 4 would claim that it is random.
    #[must_use]
    pub fn uuid(&self, label: &str) -> Uuid {
        uuid::Builder::from_custom_bytes(self.bytes16(label)).into_uuid()
    }

    /// Returns the 32-bit number for a label: the first of the identifier's big-endian words that
    /// is not 0, since 0 means "none" where such numbers are used.
    #[must_use]
    pub fn u32(&self, label: &str) -> u32 {
        let identifier = self.identifier(label);
        let mut words =
            identifier.chunks_exact(4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
        // No label is known whose identifier is all zeros.
        words.find(|word| *word != 0).unwrap_or(1)
    }

    /// Returns the 16 bytes for a label: the first half of the identifier.
    #[must_use]
    pub fn bytes16(&self, label: &str) -> [u8; 16] {
        let identifier = self.identifier(label);
        std::array::from_fn(|index| identifier[index])
    }

    /// Returns the 32 bytes for a label: the whole identifier.
    #[must_use]
    pub fn bytes32(&self, label: &str) -> [u8; 32] {
        self.identifier(label)
    }

    fn identifier(&self, label: &str) -> [u8; 32] {
        let hash = Sha256::new_with_prefix(b"rootcast identifier\0");
        hash.chain_update(self.0).chain_update(label).finalize().into()
    }
}

/// Hashes everything that is written to it.
struct Sink(Sha256);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: Uuid = uuid::uuid!("7a1c9e0e-5d2b-4c3f-8a61-0f1e2d3c4b5a");

    fn of_text(pieces: &[&str]) -> Seed {
        let write = |sink: &mut dyn io::Write| pieces.iter().try_for_each(|piece| write!(sink, "{piece}"));
        Seed::digest(write).expect("the sink has no errors")
    }

    /// Computed with Python's hashlib from the formulas at the top of this module.
    #[test]
    fn identifiers_are_pinned() {
        let given = Seed::from_uuid(UUID);
        assert_eq!(given.uuid(label::EXT4_UUID).to_string(), "9171e420-4280-8224-8d4f-4eea40d7e99f");
        assert_eq!(given.uuid(label::GPT_DISK).to_string(), "d0570b76-8bc2-804c-b91f-38ea431fe515");
        assert_eq!(given.uuid(label::GPT_ROOT_PARTITION).to_string(), "95c6546e-b309-88ab-b8a9-a18e0d2f99b3");
        let hash_seed = u128::from_be_bytes(given.bytes16(label::EXT4_HASH_SEED));
        assert_eq!(hash_seed, 0xfe48_94b3_601b_2b07_a488_2915_74d6_c2e5);
        assert_eq!(given.u32(label::MBR_SIGNATURE), 0x0f6b_f5c7);

        let of_text = of_text(&["/ 4096 40755\n", "--layout gpt\n"]);
        assert_eq!(of_text.uuid(label::EXT4_UUID).to_string(), "8dba681e-fe4c-8d47-875f-4c8983f167d5");
        assert_eq!(of_text.u32(label::MBR_SIGNATURE), 0x370e_b2b8);
    }

    #[test]
    fn a_derived_uuid_has_the_version_of_custom_schemes() {
        let uuid = Seed::from_uuid(UUID).uuid("anything");
        assert_eq!(uuid.get_version(), Some(uuid::Version::Custom));
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
    }

    #[test]
    fn the_seed_depends_on_the_text_but_not_on_its_pieces() {
        assert_eq!(of_text(&["ab", "", "c"]), of_text(&["abc"]));
        assert_ne!(of_text(&["abc"]), of_text(&["abd"]));
        assert_ne!(of_text(&[]), Seed::from_uuid(Uuid::nil()));
        let failed = Seed::digest(|_| Err(io::Error::other("no such manifest")));
        assert_eq!(failed.map_err(|error| error.to_string()), Err("no such manifest".to_owned()));
    }

    #[test]
    fn each_seed_and_label_gives_another_identifier() {
        let labels = [
            label::EXT4_UUID,
            label::EXT4_HASH_SEED,
            label::EROFS_UUID,
            label::GPT_DISK,
            label::GPT_ROOT_PARTITION,
            label::MBR_SIGNATURE,
            label::GPT_HASH_PARTITION,
            label::VERITY_SALT,
            label::VERITY_UUID,
        ];
        let seeds = [Seed::from_uuid(UUID), Seed::from_uuid(Uuid::nil()), of_text(&[])];
        let all = seeds.iter().flat_map(|seed| labels.map(|label| seed.bytes16(label)));
        let distinct: std::collections::BTreeSet<_> = all.collect();
        assert_eq!(distinct.len(), seeds.len() * labels.len());
    }
}
