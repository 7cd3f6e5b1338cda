//! Presets of options.

use uuid::Uuid;

use super::{Features, Journal, LinearOrder, Options};

/// The purpose of a filesystem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// [`Options::new`]: the defaults of mke2fs 1.47 with the smallest size, without `orphan_file`.
    #[default]
    Default,
    /// The smallest filesystem, for a root that is never written to: no journal, so not for a mount
    /// with `data=`; one superblock; no reserved blocks for growth; directories without slack. It
    /// has `RO_COMPAT_READONLY`, with which every kernel mounts it read-only.
    RoMin,
    /// A writable filesystem that can grow while it is mounted: `resize_inode`, `orphan_file`, a
    /// fifth of each leaf block of indexed directories left for new names, and 5 % of the blocks
    /// reserved for root.
    ///
    /// Directories are laid out as `e2fsck -D` leaves them, so that `e2fsck -fyD` changes only the
    /// superblock. This does not apply to a `lost+found` in the tree with more names than fit in a
    /// block.
    Rw,
}

impl Profile {
    /// All profiles.
    pub const ALL: [Self; 3] = [Self::Default, Self::RoMin, Self::Rw];

    /// Returns the name: `default`, `ro-min` or `rw`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::RoMin => "ro-min",
            Self::Rw => "rw",
        }
    }
}

impl Options {
    /// Creates the options of a profile with these identifiers.
    #[must_use]
    pub fn from_profile(profile: Profile, uuid: Uuid, hash_seed: Uuid) -> Self {
        let default = Self::new(uuid, hash_seed);
        match profile {
            Profile::Default => default,
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
