//! The size of an image.

use crate::disk::DiskFrame;
use crate::error::{Error, ErrorKind};
use crate::quantity;

/// The size of an image. Its debug form is part of the text that seeds are derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Size {
    /// The minimum size.
    Smallest,
    /// The minimum size in which an unprivileged user can write this many bytes.
    Free {
        /// The free space in bytes.
        bytes: u64,
    },
    /// The minimum size of which an unprivileged user can fill this share of the filesystem, in
    /// percent.
    FreePercent(u8),
    /// Exactly this many bytes, those of the partition table included.
    Total {
        /// The size in bytes.
        bytes: u64,
    },
}

impl Size {
    /// The maximum share of free space in percent: a filesystem needs some room for itself.
    const MAX_FREE_PERCENT: u8 = 98;

    /// Parses free space: a number of bytes, or of percent with its sign.
    ///
    /// # Errors
    /// A message if it is neither, or more than 98 %.
    pub fn parse_free(text: &str) -> Result<Self, String> {
        match text.ends_with('%') {
            true => quantity::percent(text, Self::MAX_FREE_PERCENT).map(Self::FreePercent),
            false => quantity::bytes(text).map(|bytes| Self::Free { bytes }),
        }
    }
}

/// Returns the error of an image that is too small for a filesystem of `needed` bytes. Sizes are
/// those of the whole image, as the user gave them.
pub(super) fn too_small(size: u64, needed: u64, disk: &DiskFrame) -> Error {
    let needed = match disk.len_for(needed) {
        Ok(needed) => needed,
        Err(error) => return error,
    };
    let hash_tree = if disk.hash_tree.is_some() { " and its hash tree" } else { "" };
    let need = if disk.hash_tree.is_some() { "need" } else { "needs" };
    let message = format!(
        "the image is {missing} bytes too small: --size gives {size} bytes, the tree{hash_tree} {need} {needed}; \
         give --size {needed} or more, or leave it out for the smallest",
        missing = needed.saturating_sub(size),
    );
    Error::new(ErrorKind::DoesNotFit, message)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::disk::{DiskLayout, DiskLength, DiskOptions, HashTreePartition, Partition, SectorSize};

    fn disk(hash_tree: Option<HashTreePartition>) -> DiskFrame {
        let options = DiskOptions {
            layout: DiskLayout::Gpt,
            dax: false,
            sector_size: SectorSize::Bytes512,
            length: DiskLength::Exact(2 << 20),
            disk_guid: Uuid::from_u128(1),
            mbr_signature: 1,
        };
        DiskFrame { options, filesystem: Partition::root(None, Uuid::from_u128(2)), hash_tree }
    }

    #[test]
    fn free_space_is_in_bytes_or_percent() {
        for (text, size) in [
            ("10", Size::Free { bytes: 10 }),
            ("1G", Size::Free { bytes: 1 << 30 }),
            ("10%", Size::FreePercent(10)),
            ("98%", Size::FreePercent(98)),
        ] {
            assert_eq!(Size::parse_free(text), Ok(size), "{text}");
        }
        for text in ["99%", "%", "", "-1", "1G%"] {
            assert!(Size::parse_free(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_that_is_too_small_is_reported_for_the_whole_image() {
        let error = too_small(2 << 20, 3 << 20, &disk(None));
        let needed = ((4 << 20) + 16_896_u64).next_multiple_of(4096);
        let missing = needed - (2 << 20);
        assert_eq!(error.kind(), ErrorKind::DoesNotFit);
        assert_eq!(
            error.to_string(),
            format!(
                "the image is {missing} bytes too small: --size gives 2097152 bytes, the tree needs {needed}; \
                 give --size {needed} or more, or leave it out for the smallest"
            )
        );
    }

    #[test]
    fn the_needed_size_includes_the_hash_tree() {
        let partition = Partition::hash_tree(None, Uuid::from_u128(3));
        let verity = dm_verity::Options::new(dm_verity::Salt::EMPTY);
        let error = too_small(2 << 20, 3 << 20, &disk(Some(HashTreePartition { partition, verity })));
        // 768 blocks have 6 hash blocks and a root block, which start at the next MiB.
        let needed = ((4 << 20) + 7 * 4096 + 16_896_u64).next_multiple_of(4096);
        assert!(error.to_string().contains(&format!("the tree and its hash tree need {needed};")), "{error}");
    }
}
