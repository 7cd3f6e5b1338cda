//! Removes metadata that depends on the host or the time of the run, as no image should.

pub mod times;

use std::collections::BTreeMap;
use std::fmt;

use image_tree::{Metadata, Tree, XattrName, Xattrs};

use self::times::{Clamped, clamp};
use crate::error::Result;
use crate::log::{self, Log};
use crate::shown::Count;
use crate::xattr_filter::{Decision, Filter};

pub use self::times::Times;

/// The metadata to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options<'f> {
    /// The range of times of files.
    pub times: Times,
    /// True if `security.selinux` is kept. Labels of a host follow its own policy; those of an
    /// image's packages may be intended.
    pub keep_selinux: bool,
    /// The xattrs to keep or to drop, which takes precedence over the rules for those of the host.
    pub filter: &'f Filter,
}

/// The changes, to be reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of inodes whose time was clamped.
    pub clamped: u64,
    /// The number of inodes from which each xattr of the host was dropped.
    pub dropped: BTreeMap<XattrName, u64>,
    /// The number of inodes from which each xattr was dropped by the filter.
    pub filtered: BTreeMap<XattrName, u64>,
}

impl log::Report for Report {
    /// Logs the changes. Only the loss of xattrs that was not requested is a warning.
    fn log(&self, log: &Log) {
        for (name, count) in self.dropped.iter().chain(&self.filtered) {
            log.exclude(format_args!("xattr {name}"), *count);
        }
        Clamped(self.clamped).log(log);
        if !self.dropped.is_empty() {
            log.warn(self);
        }
    }
}

impl fmt::Display for Report {
    /// Formats the dropped xattrs of the host. Clamped times and filtered xattrs were requested,
    /// and are not reported.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, count)) in self.dropped.iter().enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            write!(f, "{separator}{name} of {}", Count(*count, "file", "files"))?;
        }
        write!(f, " is specific to this host and was left out")
    }
}

/// Clamps times and drops xattrs.
///
/// Of the xattrs that no rule of
/// the filter names, `security.selinux`, `security.evm`, `system.nfs4_acl` and `btrfs.*` are
/// dropped and counted; all others are kept, and are an error if the format cannot represent them.
///
/// # Errors
/// Never; every transform has this signature.
pub fn apply<C>(tree: &mut Tree<C>, options: &Options<'_>) -> Result<Report> {
    let mut report = Report::default();
    for metadata in tree.all_metadata_mut() {
        apply_to(metadata, *options, &mut report);
    }
    Ok(report)
}

/// Clamps and drops as [`apply`] does, for one file, and counts the changes in a report.
pub fn apply_to(metadata: &mut Metadata, options: Options<'_>, report: &mut Report) {
    report.clamped += u64::from(clamp(metadata, options.times));
    drop_xattrs(&mut metadata.xattrs, options, report);
}

fn drop_xattrs(xattrs: &mut Xattrs, options: Options<'_>, report: &mut Report) {
    xattrs.retain(|name, _| {
        let dropped = match options.filter.decide(name.as_bytes(), options.keep_selinux) {
            Decision::Keep => return true,
            Decision::Drop => &mut report.filtered,
            Decision::DropHostSpecific => &mut report.dropped,
        };
        *dropped.entry(name.clone()).or_default() += 1;
        false
    });
}

#[cfg(test)]
mod tests {
    use image_tree::{Timestamp, dump};

    use super::*;

    const TREE: &str = "\
/ 0 40755 3 0 0 0 100.0 - - - security.selinux=host
/early 0 100644 1 0 0 0 99.999999999 - - - btrfs.compression=zstd security.capability=x security.selinux=host
/just-later 0 100644 1 0 0 0 100.1 - - - security.evm=x security.ima=x system.nfs4_acl=x
/late 0 100644 1 0 0 0 1700000000.5 - - - system.posix_acl_access=x user.btrfs.compression=x
/negative 0 100644 1 0 0 0 -5.7 - - -
";

    fn normalized(options: Options<'_>) -> (Vec<(i64, u32, Vec<String>)>, Report) {
        let mut tree: Tree<Vec<u8>> =
            dump::parse(TREE.as_bytes(), |_| Ok::<_, std::io::Error>(Vec::new())).expect("a dump");
        let report = apply(&mut tree, &options).expect("it cannot fail");
        let of = |metadata: &mut Metadata| {
            let names = metadata.xattrs.keys().map(ToString::to_string).collect();
            (metadata.mtime.seconds(), metadata.mtime.nanoseconds(), names)
        };
        (tree.all_metadata_mut().map(of).collect(), report)
    }

    #[test]
    fn clamps_times_outside_the_limits() {
        let times = |latest: Option<i64>, earliest: Option<i64>| {
            let [latest, earliest] = [latest, earliest].map(|time| time.map(Timestamp::from_seconds));
            let times = Times { earliest, latest };
            let (files, report) = normalized(Options { times, keep_selinux: true, filter: Filter::NONE });
            let times: Vec<_> =
                files.into_iter().map(|(seconds, nanoseconds, _)| (seconds, nanoseconds)).collect();
            (times, report.clamped)
        };
        let as_it_was = vec![(100, 0), (99, 999_999_999), (100, 1), (1_700_000_000, 5), (-5, 7)];
        assert_eq!(times(None, None), (as_it_was, 0));
        assert_eq!(
            times(Some(100), None),
            (vec![(100, 0), (99, 999_999_999), (100, 0), (100, 0), (-5, 7)], 2)
        );
        assert_eq!(times(Some(0), None), (vec![(0, 0), (0, 0), (0, 0), (0, 0), (-5, 7)], 4));
        let raised = vec![(100, 0), (100, 0), (100, 1), (1_700_000_000, 5), (100, 0)];
        assert_eq!(times(None, Some(100)), (raised, 2));
        assert_eq!(times(Some(100), Some(100)), (vec![(100, 0); 5], 4));
    }

    #[test]
    fn drops_and_counts_xattrs_of_the_host() {
        let (files, report) =
            normalized(Options { times: Times::default(), keep_selinux: false, filter: Filter::NONE });
        let names: Vec<_> = files.iter().map(|(_, _, names)| names.join(" ")).collect();
        let expected =
            ["", "security.capability", "security.ima", "system.posix_acl_access user.btrfs.compression", ""];
        assert_eq!(names, expected);
        let dropped: Vec<_> = report.dropped.iter().map(|(name, count)| (name.to_string(), *count)).collect();
        let expected =
            [("btrfs.compression", 1), ("security.evm", 1), ("security.selinux", 2), ("system.nfs4_acl", 1)];
        assert_eq!(dropped, expected.map(|(name, count)| (name.to_owned(), count)));

        let (files, report) =
            normalized(Options { times: Times::default(), keep_selinux: true, filter: Filter::NONE });
        assert_eq!(files[0].2, ["security.selinux"]);
        assert_eq!(report.dropped.get(&b"security.selinux"[..]), None);
    }

    #[test]
    fn counts_filtered_xattrs_separately() {
        let rules =
            ["keep=security.selinux", "drop=user.*,btrfs.*"].map(|rule| rule.parse().expect("a rule"));
        let filter = Filter::new(rules.to_vec());
        let (files, report) =
            normalized(Options { times: Times::default(), keep_selinux: false, filter: &filter });
        assert_eq!(files[0].2, ["security.selinux"]);
        assert_eq!(files[3].2, ["system.posix_acl_access"]);
        let filtered: Vec<_> =
            report.filtered.iter().map(|(name, count)| (name.to_string(), *count)).collect();
        let expected = [("btrfs.compression", 1), ("user.btrfs.compression", 1)];
        assert_eq!(filtered, expected.map(|(name, count)| (name.to_owned(), count)));
        assert_eq!(report.dropped.len(), 2);
    }
}
