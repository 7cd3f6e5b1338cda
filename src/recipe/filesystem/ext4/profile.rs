//! Presets of options for purposes.

use mkfs_ext4::{Journal, Options};
use uuid::Uuid;

use crate::named::named;

/// The purpose of a filesystem, which presets its options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// The defaults of mke2fs with the smallest size, without `orphan_file`.
    #[default]
    Default,
    /// The root of a Kata guest, which is mounted with `ro` and `data=ordered`, and with DAX on an
    /// NVDIMM: blocks of 4 KiB and no `inline_data`, as required by DAX; a journal, without which
    /// `data=` is rejected, of the minimum length, because nothing is written to it; and no
    /// reserved blocks for growth.
    Kata,
    /// [`mkfs_ext4::Profile::RoMin`]: the smallest filesystem, for a root that is never written to.
    RoMin,
    /// [`mkfs_ext4::Profile::Rw`]: a writable filesystem that can grow while it is mounted.
    Rw,
}

named!(
    Profile,
    "a profile of ext4",
    [Default => "default", Kata => "kata", RoMin => "ro-min", Rw => "rw"]
);

impl Profile {
    /// Returns the options of the profile.
    pub(super) fn options(self) -> Options {
        let preset = match self {
            Self::Default | Self::Kata => mkfs_ext4::Profile::Default,
            Self::RoMin => mkfs_ext4::Profile::RoMin,
            Self::Rw => mkfs_ext4::Profile::Rw,
        };
        let mut options = Options::from_profile(preset, Uuid::nil(), Uuid::nil());
        if self == Self::Kata {
            options.features.resize_inode = false;
            options.journal = Journal::Blocks(1024);
        }
        options
    }
}
