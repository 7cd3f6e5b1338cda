//! Options that belong together.

use uuid::Uuid;

use super::{Features, Journal, LinearOrder, Options};

/// What a filesystem is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// [`Options::new`]: what mke2fs 1.47 makes, of the smallest size, without `orphan_file`.
    #[default]
    Default,
    /// The root of a Kata guest, which is mounted with `ro` and `data=ordered`, and with DAX where it lies on an NVDIMM:
    /// blocks of 4 KiB and no `inline_data`, as DAX needs them; a journal, without which `data=` is refused, of the
    /// shortest length, because nothing is written to it; and no room to grow.
    Kata,
    /// The smallest there is, for a root that is never written to: no journal, so not for a mount with `data=`; one
    /// superblock; no room to grow; directories as full as they get. It has `RO_COMPAT_READONLY`, with which every kernel
    /// mounts it, but for reading only.
    RoMin,
    /// A filesystem to write to and to grow while it is mounted: `resize_inode`, `orphan_file`, a fifth of each directory
    /// block below an index left for new names, and 5 % of the blocks for root alone.
    ///
    /// Directories lie as `e2fsck -D` leaves them, so that `e2fsck -fyD` changes nothing but the superblock. That does not
    /// hold of a `lost+found` of the tree's own with more names than fit in a block.
    Rw,
}

impl Profile {
    /// Every profile there is.
    pub const ALL: [Self; 4] = [Self::Default, Self::Kata, Self::RoMin, Self::Rw];

    /// `default`, `kata`, `ro-min` or `rw`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Kata => "kata",
            Self::RoMin => "ro-min",
            Self::Rw => "rw",
        }
    }
}

impl Options {
    /// The options of a profile with these identifiers.
    #[must_use]
    pub fn of_profile(profile: Profile, uuid: Uuid, hash_seed: Uuid) -> Self {
        let default = Self::new(uuid, hash_seed);
        match profile {
            Profile::Default => default,
            Profile::Kata => Self {
                features: Features { resize_inode: false, ..default.features },
                journal: Journal::Blocks(1024),
                ..default
            },
            Profile::RoMin => Self {
                features: Features {
                    resize_inode: false,
                    sparse_super2: true,
                    read_only: true,
                    ..default.features
                },
                num_backup_sb: 0,
                journal: Journal::None,
                ..default
            },
            Profile::Rw => Self {
                features: Features { orphan_file: true, ..default.features },
                directory_slack_percent: 20,
                linear_order: LinearOrder::ByInode,
                reserved_percent: 5,
                ..default
            },
        }
    }
}
