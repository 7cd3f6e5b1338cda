//! Purposes of disks, which preset their options.

use dm_verity::{BlockSize, HashAlgorithm, HashType};

use super::filesystem::ext4::Profile;
use super::verity::VerityRecipe;
use crate::disk::DiskLayout;
use crate::named::named;

/// The purpose of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskPreset {
    /// The root of a Kata guest.
    Kata,
    /// A guest extension of Kata: a filesystem that its agent mounts beside the root.
    KataExtension,
}

named!(
    DiskPreset,
    "a preset of disks",
    [Kata => "kata", KataExtension => "kata-extension"]
);

impl DiskPreset {
    /// The layout of the disk.
    #[must_use]
    pub fn layout(self) -> DiskLayout {
        match self {
            Self::Kata => DiskLayout::Kata,
            Self::KataExtension => DiskLayout::Mbr,
        }
    }

    /// The profile of ext4.
    #[must_use]
    pub fn profile(self) -> Profile {
        match self {
            Self::Kata => Profile::Kata,
            Self::KataExtension => Profile::RoMin,
        }
    }

    /// The multiple in bytes of the disk's length: Kata's alignment of memory that is plugged into
    /// guests.
    #[must_use]
    pub fn size_multiple(self) -> Option<u64> {
        match self {
            Self::Kata => Some(128 << 20),
            Self::KataExtension => None,
        }
    }
}

/// Checks that Kata's runtimes and guests can use a hash tree.
///
/// # Errors
/// A message that names the limit.
pub fn check_for_kata(verity: &VerityRecipe) -> Result<(), String> {
    let tree = &verity.tree;
    let refusals = [
        (
            tree.algorithm != HashAlgorithm::Sha256,
            format!("Kata's runtimes read hash trees of sha256 only: leave out --hash {}", tree.algorithm),
        ),
        (
            tree.hash_type != HashType::Normal,
            "Kata's runtimes read hash trees of version 1 only: leave out --format".to_owned(),
        ),
        (
            tree.data_block_size > BlockSize::BYTES_4096,
            format!(
                "a data block of {} bytes is larger than a page of the guest: --data-block-size 4096 or less",
                tree.data_block_size
            ),
        ),
        (verity.superblock, "Kata's runtimes read hash trees without a superblock only".to_owned()),
        (verity.fec.is_some(), "Kata's runtimes use no forward error correction: leave out --fec".to_owned()),
    ];
    refusals.into_iter().find(|(is_so, _)| *is_so).map_or(Ok(()), |(_, message)| Err(message))
}
