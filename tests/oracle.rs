//! Foreign judges: each reads an image in its own way and must agree with the expectation of the
//! test.
//!
//! ```text
//!  source directory ─┐                 ┌─ e2fsck     the structure, strictly; and again after it optimised a copy
//!  dump text ────────┼─▶ Expected ◀────┼─ debugfs    every inode's fields, every file's bytes
//!  the test itself ──┘    compare      ├─ ext4_view  a reader in Rust
//!                                      ├─ kernel     a mounted filesystem, and a changed copy of it
//!                                      └─ resize2fs  a copy that grew
//! ```
//!
//! [`judge`] runs all of them. [`sgdisk`] and [`sfdisk`] judge partition tables and return the
//! location of the filesystem.

pub(crate) mod debugfs;
pub(crate) mod dump;
pub(crate) mod dumpe2fs;
pub(crate) mod e2fsck;
pub(crate) mod erofs;
pub(crate) mod expected;
pub(crate) mod ext4_view;
pub(crate) mod kernel;
pub(crate) mod resize2fs;
pub(crate) mod sfdisk;
pub(crate) mod sgdisk;
pub(crate) mod volume;
pub(crate) mod walk;

use std::path::Path;

pub(crate) use expected::{Expected, Owner};
pub(crate) use volume::Volume;

/// The verdict of a judge: nothing, or the faults.
pub(crate) type Verdict = Result<(), String>;

/// One judge.
pub(crate) type Judge = fn(&Volume, &Expected) -> Verdict;

/// The judges of filesystems, by name.
pub(crate) const JUDGES: [(&str, Judge); 6] = [
    ("e2fsck", |volume, _| e2fsck::check(volume)),
    ("debugfs", debugfs::check),
    ("ext4-view", ext4_view::check),
    ("kernel", kernel::check),
    ("kernel, writing", |volume, _| kernel::check_writing(volume)),
    ("resize2fs", |volume, _| resize2fs::check(volume)),
];

/// The judges of EROFS filesystems, by name.
pub(crate) const EROFS_JUDGES: [(&str, Judge); 2] =
    [("fsck.erofs", |volume, _| erofs::fsck(volume)), ("kernel", kernel::check_erofs)];

/// Runs every judge on the filesystem in `image`: the whole file, or the partition at (offset,
/// length) in bytes.
///
/// # Panics
/// If a judge reports an error, with the verdict of each.
pub(crate) fn judge(image: &Path, partition: Option<(u64, u64)>, expected: &Expected) {
    judge_by(image, partition, expected, &JUDGES);
}

/// Runs some of the judges, if all of them would take too long.
///
/// # Panics
/// If a judge reports an error.
pub(crate) fn judge_by(
    image: &Path,
    partition: Option<(u64, u64)>,
    expected: &Expected,
    judges: &[(&str, Judge)],
) {
    let volume = Volume::new(image, partition);
    let objections: Vec<String> = judges
        .iter()
        .filter_map(|(name, judge)| Some(format!("{name}:\n{}", judge(&volume, expected).err()?)))
        .collect();
    assert!(objections.is_empty(), "{} is not as expected.\n{}", image.display(), objections.join("\n"));
}
