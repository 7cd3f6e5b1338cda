//! What the caller chooses.

mod block_size;
mod check;
mod data_alignment;
mod features;
mod profile;

use image_tree::Timestamp;
use uuid::Uuid;

pub use block_size::BlockSize;
pub(crate) use check::check;
pub use data_alignment::DataAlignment;
pub use features::Features;
pub use profile::Profile;

use crate::{LabelError, Signedness};

/// What the caller chooses. Nothing here has a default that differs from run to run: the identifiers and the time
/// are the caller's to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `s_uuid`, which also seeds every metadata checksum.
    pub uuid: Uuid,
    /// `s_hash_seed`: the seed of the directory index.
    pub hash_seed: Uuid,
    /// How the bytes of names from 0x80 up enter the directory index. It is written in `s_flags`, so that every kernel
    /// reads the index alike, whatever its own `char` is.
    pub hash_signedness: Signedness,
    /// `s_volume_name`.
    pub label: Label,
    /// How large the filesystem is.
    pub size: Size,
    /// How many bytes a block has.
    pub block_size: BlockSize,
    /// What it has besides what every filesystem of this crate has.
    pub features: Features,
    /// With `sparse_super2`, how many copies of the superblock there are besides the first: one in group 1, the second in
    /// the last group. 0 to 2, as `-E num_backup_sb` of mke2fs.
    pub num_backup_sb: u8,
    /// With `resize_inode`, up to how many bytes the filesystem can grow while it is mounted, as far as one block can list
    /// the blocks reserved for that; no less than its size. None is 1024 times its size, as mke2fs has it. It is `-E resize`
    /// of mke2fs.
    pub resize_limit: Option<u64>,
    /// How much of each block of names below an index is left for new names, in percent: 0 to 50. 20 is what
    /// `e2fsck -D` leaves.
    pub directory_slack_percent: u8,
    /// The order of names in directories without an index.
    pub linear_order: LinearOrder,
    /// Leaves blocks without data, by [`Content::data_ranges`](image_tree::Content::data_ranges), unallocated: holes. Otherwise
    /// every block of every file is allocated.
    pub holes: bool,
    /// Where large files begin in the address space; none places every file right behind the one before it.
    pub data_alignment: Option<DataAlignment>,
    /// The least number of inodes; none lets the size decide. See [`Options::BYTES_PER_INODE`].
    pub inodes: Option<u32>,
    /// The share of blocks that only root may fill, in percent of the whole: 0 to 50.
    pub reserved_percent: u8,
    /// How long the journal is.
    pub journal: Journal,
    /// When the filesystem was made: `s_mkfs_time`, `s_wtime`, `s_lastcheck` and the times of the inodes that are
    /// not of the tree. Seconds outside 0 to 2³²−1 are clamped to that range.
    pub created: Timestamp,
}

impl Options {
    /// Room to write brings one inode for each of these bytes, and one more for the directory of every eight, unless
    /// [`Options::inodes`] says otherwise. It is the `inode_ratio` of mke2fs.
    pub const BYTES_PER_INODE: u64 = 16384;

    /// Options with these identifiers and otherwise the defaults: the smallest filesystem, no label, nothing
    /// reserved, a journal as long as mke2fs makes it, created at the epoch.
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
            journal: Journal::BySize,
            created: Timestamp::EPOCH,
        }
    }
}

/// What follows from the features.
impl Options {
    /// Bytes of a group descriptor (`s_desc_size`, which is 0 for 32).
    pub(crate) fn desc_size(&self) -> u64 {
        if self.features.bit_64 { 64 } else { 32 }
    }

    /// The most groups: half of a group's blocks hold their descriptors. More would need `meta_bg`.
    pub(crate) fn max_groups(&self) -> u64 {
        let by_descs =
            self.block_size.blocks_per_group() / 2 * self.block_size.descs_per_block(self.desc_size());
        let groups = |blocks: u64| blocks.div_ceil(self.block_size.blocks_per_group());
        if self.features.bit_64 { by_descs } else { by_descs.min(groups(u64::from(u32::MAX))) }
    }

    /// The most blocks of a filesystem: those of [`Options::max_groups`] and what lies before them, or as many as 32 bits
    /// can count.
    pub(crate) fn max_blocks(&self) -> u64 {
        let blocks =
            self.block_size.first_data_block() + self.max_groups() * self.block_size.blocks_per_group();
        if self.features.bit_64 { blocks } else { blocks.min(u64::from(u32::MAX)) }
    }
}

/// How large the filesystem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// As small as the tree, its metadata and the journal allow.
    Smallest,
    /// The smallest in which an ordinary user can write this many bytes, and inodes for them. Blocks that are reserved for
    /// root or withheld by the kernel ([`Summary::available_blocks`](crate::Summary::available_blocks)) come on top, and so
    /// do those of the extent tree and the name of one file that fills the room.
    Free {
        /// Bytes of room, rounded up to whole blocks.
        bytes: u64,
    },
    /// The smallest of which an ordinary user can fill this share, and inodes for it: 0 to 98 percent of the whole, or 99
    /// with a number of [`Options::inodes`], as the tables of inodes for it would take more than 1 percent; less
    /// [`Options::reserved_percent`].
    FreePercent(u8),
    /// Exactly this many bytes. A rest too short for a block, or for a group that would hold nothing but a copy of the
    /// superblock, follows the filesystem as zeros.
    Total {
        /// The size in bytes.
        bytes: u64,
    },
}

/// How long the journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// No journal. A mount with `data=` options then fails.
    None,
    /// As long as mke2fs makes it for the size of the filesystem, and never none.
    BySize,
    /// This many blocks: 1024 to 10,240,000.
    Blocks(u32),
}

/// The order of names in directories without an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinearOrder {
    /// By name, as bytes.
    ByName,
    /// By inode number, as `e2fsck -D` leaves them. With [`Options::directory_slack_percent`] of 20, which is its slack in
    /// directories with an index, it changes nothing but the superblock.
    ByInode,
}

/// `s_volume_name`: at most 16 bytes without NUL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Label([u8; 16]);

impl Label {
    /// Checks `bytes` and keeps them. No bytes is no label.
    ///
    /// # Errors
    /// When there are more than 16 bytes, or one is NUL.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, LabelError> {
        let bytes = bytes.as_ref();
        let mut label = [0; 16];
        match label.get_mut(..bytes.len()) {
            Some(start) if !bytes.contains(&0) => start.copy_from_slice(bytes),
            _ => return Err(LabelError(bytes.to_vec())),
        }
        Ok(Self(label))
    }

    /// The label, padded with NUL.
    #[must_use]
    pub fn padded(&self) -> [u8; 16] {
        self.0
    }
}
