//! Files that share blocks: `RO_COMPAT_SHARED_BLOCKS`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use image_tree::{Inode, InodeId, Kind, Metadata, Name, Tree, XattrName};
use mkfs_ext4::{
    BlockSize, DataAlignment, Error, Features, Journal, Options, Profile, Size, Summary, Unshareable, plan,
    plan_sharing,
};
use proptest::prelude::*;
use proptest::sample::select;
use tempfile::TempDir;
use uuid::Uuid;

use crate::judge::{debugfs, fsck, read_back, reads_back, run, write};
use crate::pattern::Pattern;
use crate::profiles::journal_for_reading;
use crate::properties::config;
use crate::trees;

type Patterns = Tree<Pattern>;

/// The files with the length and bytes of an earlier one.
fn duplicates(tree: &Patterns) -> BTreeMap<InodeId, InodeId> {
    let mut first = BTreeMap::new();
    let mut duplicates = BTreeMap::new();
    for step in tree.walk().filter(|step| step.first) {
        let Kind::Regular(Pattern { len, seed, data }) = &tree.get(step.id).kind else { continue };
        let data: Option<Vec<_>> =
            data.as_ref().map(|data| data.iter().map(|range| (range.start, range.end)).collect());
        let found = *first.entry((len, seed, data)).or_insert(step.id);
        if found != step.id {
            duplicates.insert(step.id, found);
        }
    }
    duplicates
}

fn options(profile: Profile, block_size: BlockSize) -> Options {
    let options = Options::from_profile(profile, Uuid::from_u128(1), Uuid::from_u128(2));
    let features = with!(options.features, resize_inode: false);
    with!(options, block_size: block_size, features: features, journal: Journal::None)
}

/// Files of the root directory.
fn files(files: &[(&str, u64, u64)]) -> Patterns {
    let mut tree = Tree::new(Metadata::new(0o755));
    for (name, len, seed) in files {
        let kind = Kind::Regular(Pattern::new(*len, *seed));
        let inode = Inode { metadata: Metadata::new(0o644), kind };
        tree.insert(InodeId::ROOT, Name::new(name).expect("a name"), inode).expect("new");
    }
    tree
}

/// Plans, writes and judges a filesystem whose duplicates share blocks.
fn judge(tree: &Patterns, options: &Options, look: impl FnOnce(&Path)) -> Summary {
    let layout = plan_sharing(tree, options, &duplicates(tree)).expect("the tree fits ext4");
    let dir = TempDir::new().expect("a temporary directory");
    let image = dir.path().join("image");
    write(&layout, &image);
    fsck(&image);
    reads_back(tree, options, &image);
    look(&image);
    layout.summary()
}

/// The places of a file's blocks; extents only, as each file has nodes of its own.
fn blocks(image: &Path, path: &str) -> Option<Vec<String>> {
    let text = debugfs(image, &format!("dump_extents -l {path}"))?;
    let extents = text.lines().skip(1);
    Some(extents.map(|line| line.split_whitespace().skip(4).collect::<Vec<_>>().join(" ")).collect())
}

/// Asserts that e2fsck reports the shared blocks if the feature is cleared, so that it does check.
fn assert_judged(image: &Path) {
    let Some(output) = run(Command::new("debugfs").args(["-wR", "feature -shared_blocks"]).arg(image)) else {
        return;
    };
    assert!(output.status.success(), "{output:?}");
    let Some(output) = run(Command::new("e2fsck").arg("-fn").arg(image)) else { return };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(4) && text.contains("multiply-claimed block"), "{text}");
}

#[test]
fn duplicates_lie_in_the_same_blocks() {
    let tree = files(&[
        ("a", 10_000, 1),
        ("b", 10_000, 2),
        ("c", 10_000, 1),
        ("d", 1, 3),
        ("e", 1, 3),
        ("f", 0, 4),
        ("g", 0, 4),
        ("h", 10_000, 1),
    ]);
    let summary = judge(&tree, &options(Profile::RoMin, BlockSize::B4096), |image| {
        let Some(a) = blocks(image, "/a") else { return };
        assert_eq!(a.len(), 1, "{a:?}");
        assert_eq!(blocks(image, "/c").as_ref(), Some(&a));
        assert_eq!(blocks(image, "/h").as_ref(), Some(&a));
        assert_ne!(blocks(image, "/b").as_ref(), Some(&a));
        assert_eq!(blocks(image, "/d"), blocks(image, "/e"));
        let features = debugfs(image, "features").expect("it is installed");
        assert!(features.contains("shared_blocks"), "{features}");
        assert_judged(image);
    });
    assert_eq!((summary.shared_files, summary.shared_blocks), (3, 3 + 3 + 1));
    let unshared = plan(&tree, &options(Profile::RoMin, BlockSize::B4096)).expect("it fits").summary();
    assert_eq!(summary.blocks + summary.shared_blocks, unshared.blocks);
    assert_eq!((unshared.shared_files, unshared.shared_blocks), (0, 0));
}

/// Groups of 8 MiB, and copies of the superblock in 1, 3, 5, 7, 9: 90 MB are in 6 pieces, which is
/// too many for an inode. 11 GiB have more extents than 4 blocks of 84 list. Both have blocks of
/// extents of their own, with their own checksums.
#[test]
fn duplicates_in_many_pieces_have_extent_blocks_of_their_own() {
    let tree = files(&[
        ("deep1", 11 << 30, 0),
        ("deep2", 11 << 30, 0),
        ("pieces1", 90_000_000, 7),
        ("pieces2", 90_000_000, 7),
    ]);
    for (names, depth) in [(["deep1", "deep2"], 2), (["pieces1", "pieces2"], 1)] {
        let mut tree = tree.clone();
        let others = if depth == 2 { ["pieces1", "pieces2"] } else { ["deep1", "deep2"] };
        for name in others {
            tree.remove(InodeId::ROOT, name.as_bytes());
        }
        let summary = judge(&tree, &options(Profile::Default, BlockSize::B1024), |image| {
            let (Some(first), Some(second)) = (blocks(image, names[0]), blocks(image, names[1])) else {
                return;
            };
            assert!(first == second && first.len() > 4, "{first:?}");
            let nodes = |name: &str| {
                let text = debugfs(image, &format!("dump_extents {name}")).expect("it is installed");
                assert!(text.contains(&format!(" {depth}/ {depth} ")), "{name} is not {depth} deep:\n{text}");
                let nodes = debugfs(image, &format!("dump_extents -n {name}")).expect("it is installed");
                nodes.lines().skip(1).map(ToOwned::to_owned).collect::<Vec<_>>()
            };
            assert_ne!(nodes(names[0]), nodes(names[1]));
        });
        assert_eq!(summary.shared_files, 1);
    }
}

/// Of two files with the same bytes, one can have them in its inode where xattrs leave the other no
/// room for them.
#[test]
fn files_with_inline_data_are_not_shared() {
    for (len, shared) in [(1, 0), (100, 0), (128, 0), (129, 2)] {
        for full in ["a", "b"] {
            let mut tree = files(&[("a", len, 1), ("b", len, 1), ("c", len, 1)]);
            let id = tree.resolve_no_symlinks(full.as_bytes()).expect("it is there");
            let name = XattrName::new("security.selinux").expect("valid");
            tree.metadata_mut(id).xattrs.insert(name, vec![b'x'; 60].into());
            let mut options = options(Profile::RoMin, BlockSize::B4096);
            options.features.inline_data = true;
            let summary = judge(&tree, &options, |_| ());
            assert_eq!(summary.shared_files, shared, "{len} bytes, and xattrs of {full}");
        }
    }
}

/// `e2fsck -E unshare_blocks` makes it a filesystem like others, with the same files.
#[test]
fn shared_blocks_can_be_unshared() {
    let tree = files(&[("a", 3_000_000, 1), ("b", 3_000_000, 1), ("c", 5000, 2), ("d", 5000, 2)]);
    let size = Size::Free { bytes: 10 << 20 };
    judge(&tree, &with!(options(Profile::Default, BlockSize::B4096), size: size), |image| {
        let unshare = ["-fy", "-E", "unshare_blocks"];
        let Some(output) = run(Command::new("e2fsck").args(unshare).arg(image)) else { return };
        // 1 is "errors corrected", which 1.47.0 does not call it.
        assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
        fsck(image);
        read_back(&tree, image);
        assert!(debugfs(image, "features").is_some_and(|features| !features.contains("shared_blocks")));
        assert_ne!(blocks(image, "/a"), blocks(image, "/b"));
    });
}

#[test]
fn errors_name_the_files_that_cannot_share_blocks() {
    let mut tree = files(&[("a", 10, 1), ("b", 10, 1), ("c", 11, 1), ("d", 10, 1)]);
    let fifo = Inode { metadata: Metadata::new(0o644), kind: Kind::Fifo };
    tree.insert(InodeId::ROOT, Name::new("p").expect("a name"), fifo).expect("new");
    let id = |name: &str| tree.resolve_no_symlinks(name.as_bytes()).expect("it is there");
    let options = options(Profile::RoMin, BlockSize::B4096);
    let refused = |pairs: &[(&str, &str)]| {
        let shared = pairs.iter().map(|(later, first)| (id(later), id(first))).collect();
        match plan_sharing(&tree, &options, &shared).map(|layout| layout.summary()) {
            Err(Error::Unshareable { path, with, reason }) => {
                (String::from_utf8(path).expect("ASCII"), String::from_utf8(with).expect("ASCII"), reason)
            }
            other => panic!("{pairs:?}: {other:?}"),
        }
    };
    let of = |path: &str, with: &str, reason| (path.to_owned(), with.to_owned(), reason);
    assert_eq!(refused(&[("b", "p")]), of("/b", "/p", Unshareable::NotRegular));
    assert_eq!(refused(&[("p", "a")]), of("/p", "/a", Unshareable::NotRegular));
    assert_eq!(refused(&[("c", "a")]), of("/c", "/a", Unshareable::Length { len: 11, with_len: 10 }));
    assert_eq!(refused(&[("a", "b")]), of("/a", "/b", Unshareable::NotFirst));
    assert_eq!(refused(&[("a", "a")]), of("/a", "/a", Unshareable::NotFirst));
    assert_eq!(refused(&[("b", "a"), ("d", "b")]), of("/d", "/b", Unshareable::NotFirst));
}

#[test]
fn sharing_is_rejected_in_writable_filesystems() {
    let tree = files(&[("a", 10, 1), ("b", 10, 1)]);
    for profile in Profile::ALL {
        let options = Options::from_profile(profile, Uuid::from_u128(1), Uuid::from_u128(2));
        let planned = plan_sharing(&tree, &options, &duplicates(&tree)).map(|layout| layout.summary());
        match profile {
            Profile::Default | Profile::Rw => {
                assert!(matches!(planned, Err(Error::Conflict { .. })), "{planned:?}");
            }
            _ => assert_eq!(planned.expect("it fits").shared_files, 1),
        }
        // Without duplicates there is nothing to object to.
        let layout = plan_sharing(&tree, &options, &BTreeMap::new()).expect("it fits");
        assert_eq!(layout.summary(), plan(&tree, &options).expect("it fits").summary());
    }
    let orphan_file = with!(Features::DEFAULT, resize_inode: false, orphan_file: true);
    let options = with!(Options::new(Uuid::from_u128(1), Uuid::from_u128(2)), features: orphan_file);
    let planned = plan_sharing(&tree, &options, &duplicates(&tree)).map(|layout| layout.summary());
    assert!(matches!(planned, Err(Error::Conflict { .. })), "{planned:?}");
}

/// Only root can mount filesystems.
#[test]
fn the_kernel_reads_but_does_not_write() {
    if !is_root() {
        eprintln!("SKIPPED the_kernel_reads_but_does_not_write: only root mounts");
        return;
    }
    let tree = files(&[("a", 3_000_000, 1), ("b", 3_000_000, 1), ("c", 5000, 2), ("d", 5000, 2)]);
    // Without RO_COMPAT_READONLY it says that it cannot write; with it a mount for writing is one
    // for reading. Where there is a journal, it takes part: nothing is in it, so it needs no
    // writing either.
    for options in [journal_for_reading(), options(Profile::RoMin, BlockSize::B4096)] {
        let has_journal = options.journal != Journal::None;
        let options = with!(options, size: Size::Free { bytes: 10 << 20 });
        judge(&tree, &options, |image| {
            let at = TempDir::new().expect("a temporary directory");
            let mount = |access: &str| {
                let mut command = Command::new("mount");
                command.args(["-t", "ext4", "-o", &format!("loop,{access}")]).arg(image).arg(at.path());
                run(&mut command).expect("mount is everywhere").status.success()
            };
            let unmount =
                || assert!(Command::new("umount").arg(at.path()).status().expect("umount").success());
            assert!(mount(if has_journal { "ro,data=ordered" } else { "ro" }));
            for name in ["a", "b", "c", "d"] {
                let Kind::Regular(content) =
                    &tree.get(tree.resolve_no_symlinks(name.as_bytes()).expect("it is")).kind
                else {
                    continue;
                };
                let found = std::fs::read(at.path().join(name));
                assert!(found.is_ok_and(|bytes| bytes == content.bytes()), "{name} differs");
            }
            let remounted = run(Command::new("mount").args(["-o", "remount,rw"]).arg(at.path()));
            assert!(!remounted.expect("mount is everywhere").status.success(), "it can be written to");
            unmount();
            if mount("rw") {
                let written = std::fs::write(at.path().join("new"), "x");
                let refused =
                    written.is_err_and(|error| error.kind() == std::io::ErrorKind::ReadOnlyFilesystem);
                unmount();
                assert!(refused, "it was written to");
            }
        });
    }
}

fn is_root() -> bool {
    let Some(output) = run(Command::new("id").arg("-u")) else { return false };
    output.stdout == b"0\n"
}

/// Trees with many files alike, whatever their metadata and names, and options that they fit.
fn cases_with_duplicates() -> impl Strategy<Value = (Patterns, Options)> {
    let alignment = select(vec![None, Some(8 << 10), Some(64 << 10), Some(2 << 20)]);
    (trees::cases(), alignment, 0..8u64).prop_map(|((tree, options), alignment, offset)| {
        let data_alignment = alignment
            .map(|bytes| DataAlignment { bytes, filesystem_offset: offset * options.block_size.bytes() });
        let features = with!(options.features, resize_inode: false, orphan_file: false);
        (
            with_duplicates(tree),
            with!(options, data_alignment: data_alignment, features: features, resize_limit: None),
        )
    })
}

fn with_duplicates(mut tree: Patterns) -> Patterns {
    let ids: Vec<InodeId> = tree.walk().filter(|step| step.first).map(|step| step.id).collect();
    for (id, turn) in ids.into_iter().zip((0..15u8).cycle()) {
        if let Kind::Regular(Pattern { len, .. }) = tree.get(id).kind {
            // Few lengths, and two of each three files with the same bytes.
            let len = [len, 5000, 70_000, 0, 4096][usize::from(turn % 5)];
            let seed = 1 + u64::from(turn % 3 / 2);
            let content = match turn {
                // 5000 and 70,000 bytes.
                6 | 7 => Pattern::with_data(len, seed, vec![0..100, 4096..4097]),
                _ => Pattern::new(len, seed),
            };
            tree.replace_kind(id, Kind::Regular(content)).expect("a file stays a file");
        }
    }
    tree
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn filesystems_with_shared_blocks_are_clean_and_read_back((tree, options) in cases_with_duplicates()) {
        let shared = duplicates(&tree);
        match plan_sharing(&tree, &options, &shared) {
            Err(Error::TooSmall { needed_bytes, .. }) => {
                let total = |bytes| with!(options.clone(), size: Size::Total { bytes });
                let less = needed_bytes - options.block_size.bytes();
                prop_assert!(plan_sharing(&tree, &total(less), &shared).is_err());
                judge(&tree, &total(needed_bytes), |_| {});
            }
            Err(error) => prop_assert!(false, "{error}"),
            Ok(_) => {
                judge(&tree, &options, |_| {});
            }
        }
    }
}
