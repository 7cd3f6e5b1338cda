//! The options of a filesystem.

mod block_size;
mod check;
mod data_alignment;
mod features;
mod profile;
mod signedness;

use std::ops::RangeInclusive;

use image_tree::Timestamp;
use uuid::Uuid;

pub use block_size::BlockSize;
pub(crate) use check::check;
pub use data_alignment::DataAlignment;
pub use features::Features;
pub use profile::Profile;
pub use signedness::Signedness;

use crate::LabelError;
use crate::ondisk::inode::{LINK_MAX, TIME_MAX, TIME_MIN};

/// The options of a filesystem. No default differs between runs: the identifiers and the time are
/// given by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// `s_uuid`, which also seeds every metadata checksum.
    pub uuid: Uuid,
    /// `s_hash_seed`: the seed of the directory index.
    pub hash_seed: Uuid,
    /// The signedness of the bytes of names in the hashes of the directory index. It is stored in
    /// `s_flags`, so that every kernel computes the same hashes, regardless of the signedness of
    /// its `char`.
    pub hash_signedness: Signedness,
    /// `s_volume_name`.
    pub label: Label,
    /// The size of the filesystem.
    pub size: Size,
    /// The size of a block.
    pub block_size: BlockSize,
    /// The optional features.
    pub features: Features,
    /// The number of backup superblocks with `sparse_super2`: the first in group 1, the second in
    /// the last group. 0 to 2, like `-E num_backup_sb` of mke2fs.
    pub num_backup_sb: u8,
    /// The size in bytes that the filesystem can grow to while it is mounted, with `resize_inode`,
    /// as far as one block can list the blocks reserved for that; at least its size. `None` means
    /// 1024 times its size, the default of mke2fs. It corresponds to `-E resize` of mke2fs.
    pub resize_limit: Option<u64>,
    /// The percentage of each leaf block of an indexed directory left for new names: 0 to 50.
    /// `e2fsck -D` leaves 20.
    pub directory_slack_percent: u8,
    /// The order of names in directories without an index.
    pub linear_order: LinearOrder,
    /// Leaves blocks without data, by [`Content::data_ranges`](image_tree::Content::data_ranges),
    /// unallocated: holes. Otherwise every block of every file is allocated.
    pub holes: bool,
    /// The alignment of large files in the address space; `None` places every file directly after
    /// the previous one.
    pub data_alignment: Option<DataAlignment>,
    /// The minimum number of inodes; `None` derives it from the size. See
    /// [`Options::BYTES_PER_INODE`].
    pub inodes: Option<u32>,
    /// The share of blocks reserved for root, in percent of all blocks: 0 to 50.
    pub reserved_percent: u8,
    /// The length of the journal.
    pub journal: Journal,
    /// The creation time of the filesystem: `s_mkfs_time`, `s_wtime`, `s_lastcheck` and the times
    /// of the inodes that are not in the tree. Seconds outside 0 to 2³²−1 are clamped to that
    /// range.
    pub created: Timestamp,
}

impl Options {
    /// The number of bytes of free space per additional inode; one more inode is added for the
    /// directory of every eight. It applies unless [`Options::inodes`] is set, and corresponds to
    /// the `inode_ratio` of mke2fs.
    pub const BYTES_PER_INODE: u64 = 16384;

    /// The range of times that inodes can hold, in seconds since 1970: 1901-12-13 20:45:52 to
    /// 2446-05-10 22:38:55 UTC.
    pub const TIME_RANGE: RangeInclusive<i64> = TIME_MIN..=TIME_MAX;

    /// The maximum number of names of a file that is not a directory: `EXT4_LINK_MAX`.
    pub const MAX_LINKS: u64 = LINK_MAX;

    /// Creates options with these identifiers and the defaults: the smallest filesystem, no label,
    /// no reserved blocks, a journal of the length chosen by mke2fs, creation time 0.
    #[must_use]
    pub fn new(uuid: Uuid, hash_seed: Uuid) -> Self {
        Self {
            uuid,
            hash_seed,
            hash_signedness: Signedness::Signed,
            label: Label::default(),
            size: Size::Smallest,
            block_size: BlockSize::B4096,
            features: Features::DEFAULT,
            num_backup_sb: 2,
            resize_limit: None,
            directory_slack_percent: 0,
            linear_order: LinearOrder::ByName,
            holes: true,
            data_alignment: None,
            inodes: None,
            reserved_percent: 0,
            journal: Journal::Auto,
            created: Timestamp::EPOCH,
        }
    }
}

/// Values that depend on the features.
impl Options {
    /// Returns the size of a group descriptor in bytes (`s_desc_size`, which is 0 for 32).
    pub(crate) fn desc_size(&self) -> u64 {
        if self.features.bit_64 { 64 } else { 32 }
    }

    /// Returns the maximum number of groups: their descriptors fill half of the blocks of a group.
    /// More would need `meta_bg`.
    pub(crate) fn max_groups(&self) -> u64 {
        let by_descs =
            self.block_size.blocks_per_group() / 2 * self.block_size.descs_per_block(self.desc_size());
        let groups = |blocks: u64| blocks.div_ceil(self.block_size.blocks_per_group());
        if self.features.bit_64 { by_descs } else { by_descs.min(groups(u64::from(u32::MAX))) }
    }

    /// Returns the maximum number of blocks: those of [`Options::max_groups`] and the blocks before
    /// them, or as many as 32 bits can count.
    pub(crate) fn max_blocks(&self) -> u64 {
        let blocks =
            self.block_size.first_data_block() + self.max_groups() * self.block_size.blocks_per_group();
        if self.features.bit_64 { blocks } else { blocks.min(u64::from(u32::MAX)) }
    }
}

/// The size of the filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Size {
    /// The minimum size for the tree, its metadata and the journal.
    Smallest,
    /// The minimum size in which an unprivileged user can write this many bytes, with inodes for
    /// them. Blocks that are reserved for root or withheld by the kernel
    /// ([`Summary::available_blocks`](crate::Summary::available_blocks)) are added, and so are
    /// those for the extent tree and the name of a single file that fills the free space.
    Free {
        /// The free space in bytes, rounded up to whole blocks.
        bytes: u64,
    },
    /// The minimum size of which an unprivileged user can fill this share, with inodes for it: 0 to
    /// 98 percent of the whole, or 99 if [`Options::inodes`] is set, because the inode tables would
    /// otherwise take more than 1 percent; minus [`Options::reserved_percent`].
    FreePercent(u8),
    /// Exactly this many bytes. A remainder too short for a block, or for a group with more than a
    /// copy of the superblock, follows the filesystem as zeros.
    Total {
        /// The size in bytes.
        bytes: u64,
    },
}

/// The length of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Journal {
    /// No journal. A mount with `data=` options then fails.
    None,
    /// The length chosen by mke2fs for the size of the filesystem, but always a journal.
    Auto,
    /// This number of blocks: 1024 to 10,240,000.
    Blocks(u32),
}

/// The order of names in directories without an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinearOrder {
    /// By name, in byte order.
    ByName,
    /// By inode number, as `e2fsck -D` leaves them. With an [`Options::directory_slack_percent`] of
    /// 20, the slack that it leaves in directories with an index, `e2fsck -D` changes only the
    /// superblock.
    ByInode,
}

/// `s_volume_name`: at most 16 bytes without NUL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Label([u8; 16]);

impl Label {
    /// Creates a label from `bytes` after checking them. An empty label means none.
    ///
    /// # Errors
    /// Returns an error if there are more than 16 bytes, or one is NUL.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, LabelError> {
        let bytes = bytes.as_ref();
        let mut label = [0; 16];
        match label.get_mut(..bytes.len()) {
            Some(start) if !bytes.contains(&0) => start.copy_from_slice(bytes),
            _ => return Err(LabelError(bytes.to_vec())),
        }
        Ok(Self(label))
    }

    /// Returns the label, padded with NUL.
    #[must_use]
    pub fn padded(&self) -> [u8; 16] {
        self.0
    }
}
