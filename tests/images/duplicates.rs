//! Files with the same bytes: as hard links, as separate files, and with shared blocks.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, SystemTime};

use image_tree::{InodeId, Tree};
use mkfs_ext4::{Layout, Options, Profile, plan, plan_sharing};
use rootcast::blob::Blob;
use rootcast::error::ErrorKind;
use rootcast::filesystem;
use rootcast::interrupt::Interrupt;
use rootcast::output::{Destination, DestinationOptions, Reflink, WriteOptions, file};
use rootcast::progress::Silent;
use rootcast::source::{self, ReadOptions, Source};
use rootcast::threads::Threads;
use rootcast::transform::duplicates;
use rootcast::transform::hardlinks::{self, Linked, Policy};
use tempfile::TempDir;
use uuid::Uuid;

use crate::oracle::{self, Expected, JUDGES, Owner, e2fsck};

static THREADS: Threads = Threads::new(NonZeroUsize::new(2).unwrap());

/// Names of identical files, which are linked within each line only.
const SAME: [&[&str]; 4] = [&["a", "d/a", "z"], &["d/e/b", "d/e/b2"], &["alone"], &["large", "large2"]];

/// Creates a directory with these files, as hard links if `linked`, else as copies.
fn directory(linked: bool) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir_all(directory.path().join("d/e")).expect("new");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    for (number, names) in SAME.iter().enumerate() {
        // Files that differ in length, only in their last byte, and one that takes several reads.
        let mut bytes = vec![b'x'; [5000, 5000, 7, 3_000_000][number]];
        *bytes.last_mut().expect("none is empty") = u8::try_from(number).expect("few");
        let first = directory.path().join(names[0]);
        for name in *names {
            let path = directory.path().join(name);
            if linked && path != first {
                fs::hard_link(&first, path).expect("new");
            } else {
                fs::write(&path, &bytes).expect("new");
                fs::File::options()
                    .write(true)
                    .open(path)
                    .and_then(|file| file.set_modified(time))
                    .expect("ours");
            }
        }
    }
    for directory in [directory.path(), &directory.path().join("d"), &directory.path().join("d/e")] {
        fs::File::open(directory).and_then(|directory| directory.set_modified(time)).expect("ours");
    }
    directory
}

fn read(directory: &Path) -> Tree<Blob> {
    let source = Source::at(directory.as_os_str(), None).expect("a directory");
    let layer = source::read(source, &ReadOptions::new(&THREADS, &Interrupt::never()));
    layer.expect("it can be read").tree
}

fn options(profile: Profile) -> Options {
    Options::from_profile(profile, Uuid::from_u128(1), Uuid::from_u128(2))
}

fn write(layout: &Layout<'_, Blob>, path: &Path) {
    let interrupt = Interrupt::never();
    let options =
        WriteOptions { threads: &THREADS, reflink: Reflink::Never, interrupt: &interrupt, progress: &Silent };
    let destination = Destination::open(path, DestinationOptions::default()).expect("it can be an output");
    file::write(layout, &destination, &options).expect("it can be written");
}

/// Checks that the image of `source` equals the kernel's view of `expected`.
fn check(source: &Path, policy: Policy, expected: &Path) -> Linked {
    let mut tree = read(source);
    let linking = hardlinks::Options {
        policy,
        max_names: filesystem::MAX_LINKS,
        threads: &THREADS,
        interrupt: &Interrupt::never(),
    };
    let linked = hardlinks::apply(&mut tree, &linking).expect("it can be read");
    let image = TempDir::new().expect("a temporary directory");
    let path = image.path().join("image");
    write(&plan(&tree, &options(Profile::Default)).expect("it fits"), &path);
    oracle::judge(&path, None, &Expected::from_directory(expected, Owner::Keep));
    linked
}

#[test]
fn identical_files_become_links_and_links_become_files() {
    let (copies, links) = (directory(false), directory(true));
    let linked = check(copies.path(), Policy::Content, links.path());
    assert_eq!((linked.linked_names, linked.saved_bytes), (4, 2 * 5000 + 5000 + 3_000_000));
    let parted = check(links.path(), Policy::Break, copies.path());
    assert_eq!((parted.parted_names, parted.added_bytes), (linked.linked_names, linked.saved_bytes));
    for (source, policy) in
        [(&copies, Policy::Keep), (&links, Policy::Keep), (&links, Policy::Content), (&copies, Policy::Break)]
    {
        assert_eq!(check(source.path(), policy, source.path()), Linked::default());
    }
}

fn originals(tree: &Tree<Blob>) -> BTreeMap<InodeId, InodeId> {
    let options = duplicates::Options { threads: &THREADS, interrupt: &Interrupt::never() };
    duplicates::originals(tree, &options).expect("it can be read")
}

#[test]
fn identical_files_share_blocks() {
    let copies = directory(false);
    let tree = read(copies.path());
    let duplicates = originals(&tree);
    let image = TempDir::new().expect("a temporary directory");
    let mut with_journal = options(Profile::Default);
    with_journal.features.resize_inode = false;
    for (name, options) in [("ro-min", options(Profile::RoMin)), ("journal", with_journal)] {
        let path = image.path().join(name);
        let layout = plan_sharing(&tree, &options, &duplicates).expect("it fits");
        assert_eq!(layout.summary().shared_files, 4);
        write(&layout, &path);
        let expected = Expected::from_directory(copies.path(), Owner::Keep);
        // The kernel does not write to it, and resize2fs does not support such a filesystem.
        let readers = JUDGES.iter().filter(|(name, _)| ["debugfs", "ext4-view", "kernel"].contains(name));
        let mut judges: Vec<_> = readers.copied().collect();
        judges.push(("e2fsck", |volume, _| e2fsck::check(volume)));
        oracle::judge_by(&path, None, &expected, &judges);
    }
}

/// A file that was hashed is compared again when the image is written.
#[test]
fn a_file_changed_after_hashing_is_reported() {
    let copies = directory(false);
    let tree = read(copies.path());
    let duplicates = originals(&tree);
    let layout = plan_sharing(&tree, &options(Profile::RoMin), &duplicates).expect("it fits");
    fs::write(copies.path().join("a"), "other bytes").expect("ours");
    let image = TempDir::new().expect("a temporary directory");
    let interrupt = Interrupt::never();
    let options =
        WriteOptions { threads: &THREADS, reflink: Reflink::Never, interrupt: &interrupt, progress: &Silent };
    let destination = Destination::open(&image.path().join("image"), DestinationOptions::default());
    let destination = destination.expect("it can be an output");
    let error = file::write(&layout, &destination, &options).expect_err("a changed");
    let expected = format!("{}: changed while it was read", copies.path().join("a").display());
    assert!(error.kind() == ErrorKind::BadInput && error.to_string().starts_with(&expected), "{error}");
}
