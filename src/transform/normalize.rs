//! What the host or the moment left on the files, and no image should depend on.

use std::collections::BTreeMap;
use std::fmt;

use image_tree::{Metadata, Timestamp, Tree, XattrName, Xattrs};

/// What to take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// `SOURCE_DATE_EPOCH`: no file is to be younger. Without it every time stays.
    pub source_date_epoch: Option<Timestamp>,
    /// Whether `security.selinux` stays. Labels of a host follow its own policy; those of an image's packages may be
    /// meant.
    pub keep_selinux: bool,
}

/// What was taken away, so that it can be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many inodes were younger than `SOURCE_DATE_EPOCH`.
    pub clamped: u64,
    /// From how many inodes each xattr was dropped.
    pub dropped: BTreeMap<XattrName, u64>,
}

impl fmt::Display for Report {
    /// Says what was dropped. Clamped times are what was asked for, and are not told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, count)) in self.dropped.iter().enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            write!(f, "{separator}{name} of {count} files")?;
        }
        write!(f, " means nothing outside this host and was left out")
    }
}

const SELINUX: &[u8] = b"security.selinux";

/// Xattrs that say nothing outside the filesystem and the host they were read from:
///
/// * `security.evm` signs the inode's number and the host's other labels, with a key of the host or for its policy.
/// * `system.nfs4_acl` is how an NFS mount shows the server's access rules; no disk filesystem stores that name.
const OF_THE_HOST: [&[u8]; 2] = [b"security.evm", b"system.nfs4_acl"];

/// Properties of btrfs inodes, such as `btrfs.compression`, which no other filesystem takes.
const BTRFS: &[u8] = b"btrfs.";

/// Clamps times and drops the host's xattrs.
///
/// A time later than `SOURCE_DATE_EPOCH` becomes that second, without nanoseconds; earlier ones keep theirs. Of the
/// xattrs `security.selinux`, `security.evm`, `system.nfs4_acl` and `btrfs.*` are dropped and counted; everything
/// else stays, and is an error of the format that cannot hold it.
#[must_use = "what was dropped is never to be silent"]
pub fn apply<C>(tree: &mut Tree<C>, options: Options) -> Report {
    let mut report = Report::default();
    for metadata in tree.all_metadata_mut() {
        apply_to(metadata, options, &mut report);
    }
    report
}

/// The same for one file, counted in a report.
pub fn apply_to(metadata: &mut Metadata, options: Options, report: &mut Report) {
    if let Some(epoch) = options.source_date_epoch {
        clamp(metadata, epoch, report);
    }
    drop_xattrs(&mut metadata.xattrs, options, report);
}

/// Makes no file younger than a time, and says how many were.
pub fn clamp_times<C>(tree: &mut Tree<C>, source_date_epoch: Option<Timestamp>) -> u64 {
    let mut report = Report::default();
    for metadata in tree.all_metadata_mut() {
        if let Some(epoch) = source_date_epoch {
            clamp(metadata, epoch, &mut report);
        }
    }
    report.clamped
}

fn clamp(metadata: &mut Metadata, epoch: Timestamp, report: &mut Report) {
    if metadata.mtime > epoch {
        metadata.mtime = epoch;
        report.clamped += 1;
    }
}

fn drop_xattrs(xattrs: &mut Xattrs, options: Options, report: &mut Report) {
    xattrs.retain(|name, _| {
        let keep = match name.as_bytes() {
            SELINUX => options.keep_selinux,
            bytes => !OF_THE_HOST.contains(&bytes) && !bytes.starts_with(BTRFS),
        };
        if !keep {
            *report.dropped.entry(name.clone()).or_default() += 1;
        }
        keep
    });
}

#[cfg(test)]
mod tests {
    use image_tree::dump;

    use super::*;

    const TREE: &str = "\
/ 0 40755 3 0 0 0 100.0 - - - security.selinux=host
/early 0 100644 1 0 0 0 99.999999999 - - - btrfs.compression=zstd security.capability=x security.selinux=host
/just-later 0 100644 1 0 0 0 100.1 - - - security.evm=x security.ima=x system.nfs4_acl=x
/late 0 100644 1 0 0 0 1700000000.5 - - - system.posix_acl_access=x user.btrfs.compression=x
/negative 0 100644 1 0 0 0 -5.7 - - -
";

    fn normalized(options: Options) -> (Vec<(i64, u32, Vec<String>)>, Report) {
        let mut tree: Tree<Vec<u8>> =
            dump::parse(TREE.as_bytes(), |_| Ok::<_, std::io::Error>(Vec::new())).expect("a dump");
        let report = apply(&mut tree, options);
        let of = |metadata: &mut Metadata| {
            let names = metadata.xattrs.keys().map(ToString::to_string).collect();
            (metadata.mtime.seconds(), metadata.mtime.nanoseconds(), names)
        };
        (tree.all_metadata_mut().map(of).collect(), report)
    }

    #[test]
    fn only_later_times_are_clamped() {
        let times = |epoch: Option<i64>| {
            let (files, report) = normalized(Options {
                source_date_epoch: epoch.map(Timestamp::from_seconds),
                keep_selinux: true,
            });
            let times: Vec<_> =
                files.into_iter().map(|(seconds, nanoseconds, _)| (seconds, nanoseconds)).collect();
            (times, report.clamped)
        };
        let as_it_was = vec![(100, 0), (99, 999_999_999), (100, 1), (1_700_000_000, 5), (-5, 7)];
        assert_eq!(times(None), (as_it_was, 0));
        assert_eq!(times(Some(100)), (vec![(100, 0), (99, 999_999_999), (100, 0), (100, 0), (-5, 7)], 2));
        assert_eq!(times(Some(0)), (vec![(0, 0), (0, 0), (0, 0), (0, 0), (-5, 7)], 4));
    }

    #[test]
    fn the_hosts_xattrs_are_dropped_and_counted() {
        let (files, report) = normalized(Options { source_date_epoch: None, keep_selinux: false });
        let names: Vec<_> = files.iter().map(|(_, _, names)| names.join(" ")).collect();
        let expected =
            ["", "security.capability", "security.ima", "system.posix_acl_access user.btrfs.compression", ""];
        assert_eq!(names, expected);
        let dropped: Vec<_> = report.dropped.iter().map(|(name, count)| (name.to_string(), *count)).collect();
        let expected =
            [("btrfs.compression", 1), ("security.evm", 1), ("security.selinux", 2), ("system.nfs4_acl", 1)];
        assert_eq!(dropped, expected.map(|(name, count)| (name.to_owned(), count)));

        let (files, report) = normalized(Options { source_date_epoch: None, keep_selinux: true });
        assert_eq!(files[0].2, ["security.selinux"]);
        assert_eq!(report.dropped.get(SELINUX), None);
    }
}
