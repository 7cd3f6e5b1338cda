//! Single boundaries of the format, each reached by the tree it is made for.

use std::path::Path;
use std::process::Command;

use image_runs::Image;
use image_tree::{Device, Inode, InodeId, Kind, LinkTarget, Metadata, Name, Timestamp, Tree, XattrName};
use mkfs_ext4::{Error, Journal, Options, Signedness, Size, Unrepresentable, plan};
use uuid::Uuid;

use crate::judge::{judge, judge_and, run};
use crate::pattern::Pattern;
use crate::trees::add_files;

pub(crate) type Patterns = Tree<Pattern>;

const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

pub(crate) fn options() -> Options {
    Options::new(Uuid::from_u128(1), Uuid::from_u128(2))
}

pub(crate) fn tree() -> Patterns {
    Tree::new(Metadata::new(0o755))
}

pub(crate) fn add(tree: &mut Patterns, name: &str, metadata: Metadata, kind: Kind<Pattern>) -> InodeId {
    let name = Name::new(name).expect("a valid name");
    tree.insert(InodeId::ROOT, name, Inode { metadata, kind }).expect("the name is new")
}

/// A file of zeros, which take no room on the disk that judges read it from.
pub(crate) fn zeros(len: u64) -> Kind<Pattern> {
    Kind::Regular(Pattern::new(len, 0))
}

/// Returns the output of debugfs about a file; `None` if it is not installed.
fn stat(image: &Path, path: &str) -> Option<String> {
    let output = run(Command::new("debugfs").args(["-R", &format!("stat {path}")]).arg(image))?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(crate) fn assert_stat(image: &Path, path: &str, expected: &str) {
    if let Some(text) = stat(image, path) {
        assert!(text.contains(expected), "{path} has no \"{expected}\":\n{text}");
    }
}

/// The depth of a file's extent tree, as debugfs finds it.
pub(crate) fn assert_depth(image: &Path, path: &str, depth: usize) {
    let dump = run(Command::new("debugfs").args(["-R", &format!("dump_extents {path}")]).arg(image));
    let Some(dump) = dump else { return };
    let text = String::from_utf8_lossy(&dump.stdout).into_owned();
    // The first line after the heading begins with "level/depth".
    let first = text.lines().nth(1).unwrap_or_default();
    assert!(first.trim_start().starts_with(&format!("0/ {depth}")), "{path} is not {depth} deep:\n{first}");
}

#[test]
fn extent_trees_of_zero_to_two_levels_are_clean() {
    // Extents end at 32,768 blocks and where copies of the superblock are. 3 GiB / 8 are at most 4
    // of them, which fit in the inode; 38 GiB are fewer than the 1360 of four blocks, 200 GiB are
    // more.
    for (len, depth) in [(3 * GIB / 8, 0), (5 * GIB / 4, 1), (38 * GIB, 1), (200 * GIB, 2)] {
        let mut tree = tree();
        add(&mut tree, "large", Metadata::new(0o644), zeros(len));
        let options = with!(options(), journal: Journal::None);
        judge_without_growing(&tree, &options, |image| {
            assert_depth(image, "/large", depth);
            assert_stat(image, "/large", &format!("Size: {len}"));
        });
    }
}

/// Judges what is too large to be grown threefold in a test.
pub(crate) fn judge_without_growing(tree: &Patterns, options: &Options, look: impl FnOnce(&Path)) {
    let layout = plan(tree, options).expect("the tree fits ext4");
    let dir = tempfile::TempDir::new().expect("a temporary directory");
    let image = dir.path().join("image");
    crate::judge::write(&layout, &image);
    crate::judge::fsck(&image);
    look(&image);
}

#[test]
fn the_largest_file_and_filesystem_are_planned() {
    let largest = u64::from(u32::MAX) * 4096;
    let mut tree = tree();
    add(&mut tree, "largest", Metadata::new(0o644), zeros(largest));
    let layout = plan(&tree, &options()).expect("16 TiB less a block fit");
    assert!(Image::<Pattern>::len(&layout) > largest);
    let covered: u64 = layout.runs().map(|run| run.len).sum();
    assert_eq!(covered, Image::<Pattern>::len(&layout));

    let mut tree = self::tree();
    add(&mut tree, "larger", Metadata::new(0o644), zeros(largest + 1));
    assert_unrepresentable(&tree, "/larger", |reason| matches!(reason, Unrepresentable::FileTooLarge { .. }));

    let tree = self::tree();
    let of = |bytes| with!(options(), size: Size::Total { bytes });
    plan(&tree, &of(64 * TIB)).expect("64 TiB are planned");
    assert!(matches!(plan(&tree, &of(129 * TIB)), Err(Error::TooLarge { .. })));
}

#[test]
fn a_directory_of_more_than_65000_links_counts_1() {
    for (directories, links) in [(64_998, 65_000), (64_999, 1)] {
        let mut tree = tree();
        let parent = add(&mut tree, "many", Metadata::new(0o755), Kind::Directory([].into()));
        for number in 0..directories {
            let name = Name::new(format!("{number}")).expect("a valid name");
            tree.insert(parent, name, Inode::directory(Metadata::new(0o755))).expect("the name is new");
        }
        judge_without_growing(&tree, &options(), |image| {
            assert_stat(image, "/many", &format!("Links: {links} "))
        });
    }
}

#[test]
fn a_file_has_at_most_65000_names() {
    let mut tree = tree();
    let file = add(&mut tree, "file", Metadata::new(0o644), zeros(0));
    for number in 1..65_000 {
        tree.link(InodeId::ROOT, Name::new(format!("{number}")).expect("valid"), file).expect("new");
    }
    judge_and(&tree, &options(), |image| assert_stat(image, "/file", "Links: 65000 "));
    tree.link(InodeId::ROOT, Name::new("one more").expect("valid"), file).expect("new");
    assert_unrepresentable(&tree, "/one more", |reason| {
        matches!(reason, Unrepresentable::TooManyLinks { .. })
    });
}

#[test]
fn a_directory_of_200000_names_is_clean() {
    let mut tree = tree();
    let parent = add(&mut tree, "wide", Metadata::new(0o755), Kind::Directory([].into()));
    add_files(&mut tree, parent, 200_000, 12);
    let summary = judge_and(&tree, &options(), |image| assert_stat(image, "/wide", "Flags: 0x81000"));
    assert_eq!(summary.files, 200_001);
}

#[test]
fn names_hash_as_signed_or_unsigned_bytes() {
    for hash_signedness in [Signedness::Signed, Signedness::Unsigned] {
        let mut tree = tree();
        for number in 0..1000u32 {
            let name = Name::new(format!("é{number}ÿ")).expect("a valid name");
            let kind = zeros(0);
            tree.insert(InodeId::ROOT, name, Inode { metadata: Metadata::new(0o644), kind }).expect("new");
        }
        // ext4-view takes every name as signed; e2fsck looks at the flag.
        judge_without_growing(&tree, &with!(options(), hash_signedness: hash_signedness), |_| {});
    }
}

#[test]
fn only_times_from_1901_to_2446_are_accepted() {
    // The low word, and the extra word: nanoseconds above two bits of epoch.
    let times = [
        (-0x8000_0000, "0x80000000:ee6b27fc"),
        (-1, "0xffffffff:ee6b27fc"),
        (0x7fff_ffff, "0x7fffffff:ee6b27fc"),
        (0x8000_0000, "0x80000000:ee6b27fd"),
        (0x3_7fff_ffff, "0x7fffffff:ee6b27ff"),
    ];
    let mut tree = tree();
    let at = |seconds, nanoseconds| Metadata {
        mtime: Timestamp::new(seconds, nanoseconds).expect("valid"),
        ..Metadata::new(0o644)
    };
    for (seconds, _) in times {
        add(&mut tree, &seconds.to_string(), at(seconds, 999_999_999), zeros(0));
    }
    judge_without_growing(&tree, &options(), |image| {
        for (seconds, words) in times {
            for name in ["atime", "mtime", "ctime", "crtime"] {
                assert_stat(image, &format!("/{seconds}"), &format!("{name}: {words}"));
            }
        }
    });
    for seconds in [-0x8000_0001, 0x3_8000_0000] {
        let mut tree = self::tree();
        add(&mut tree, "then", at(seconds, 0), zeros(0));
        assert_unrepresentable(&tree, "/then", |reason| matches!(reason, Unrepresentable::Time { .. }));
    }
}

#[test]
fn only_device_numbers_of_12_and_20_bits_are_accepted() {
    let mut tree = tree();
    let device = |major, minor| Kind::CharacterDevice(Device { major, minor });
    add(&mut tree, "old", Metadata::new(0o600), device(255, 255));
    add(&mut tree, "new", Metadata::new(0o600), device(4095, 0xf_ffff));
    judge_and(&tree, &options(), |image| {
        assert_stat(image, "/old", "Device major/minor number: 255:255");
        assert_stat(image, "/new", "Device major/minor number: 4095:1048575");
    });
    for (major, minor) in [(4096, 0), (0, 0x10_0000)] {
        let mut tree = self::tree();
        add(&mut tree, "device", Metadata::new(0o600), device(major, minor));
        assert_unrepresentable(&tree, "/device", |reason| matches!(reason, Unrepresentable::Device(_)));
    }
}

#[test]
fn a_tree_may_have_its_own_lost_and_found() {
    let mut tree = tree();
    let metadata = Metadata { uid: 7, ..Metadata::new(0o711) };
    let own = add(&mut tree, "lost+found", metadata, Kind::Directory([].into()));
    add_files(&mut tree, own, 3, 5);
    let summary = judge_and(&tree, &options(), |image| {
        assert_stat(image, "/lost+found", "Inode: 11 ");
        assert_stat(image, "/lost+found", "Mode:  0711");
        assert_stat(image, "/lost+found", "Size: 16384");
    });
    assert_eq!(summary.directories, 2);

    let mut tree = self::tree();
    add(&mut tree, "lost+found", Metadata::new(0o644), zeros(0));
    assert_unrepresentable(&tree, "/lost+found", |reason| matches!(reason, Unrepresentable::LostAndFound));
}

#[test]
fn identical_xattrs_share_a_block_up_to_1024_times() {
    let mut tree = tree();
    let value = vec![b'x'; 1000].into_boxed_slice();
    for number in 0..1025 {
        let mut metadata = Metadata::new(0o644);
        metadata.xattrs.insert(XattrName::new("user.same").expect("valid"), value.clone());
        add(&mut tree, &format!("{number:04}"), metadata, zeros(0));
    }
    let with = judge(&tree, &options());
    for metadata in tree.all_metadata_mut() {
        metadata.xattrs.clear();
    }
    let without = judge(&tree, &options());
    assert_eq!(with.blocks - without.blocks, 2, "1025 inodes share two blocks");
}

#[test]
fn xattrs_beyond_a_block_are_refused_with_their_name() {
    let mut tree = tree();
    let mut metadata = Metadata::new(0o644);
    metadata.xattrs.insert(XattrName::new("user.a").expect("valid"), vec![0; 4041].into());
    add(&mut tree, "file", metadata, zeros(0));
    assert_unrepresentable(&tree, "/file", |reason| {
        matches!(reason, Unrepresentable::Xattr(_)) && reason.to_string().contains("user.a")
    });
}

#[test]
fn symlinks_of_up_to_59_bytes_are_in_the_inode() {
    let mut tree = tree();
    let link = |len| Kind::Symlink(LinkTarget::new(vec![b't'; len]).expect("valid"));
    add(&mut tree, "fast", Metadata::new(0o777), link(59));
    add(&mut tree, "slow", Metadata::new(0o777), link(60));
    judge_and(&tree, &options(), |image| {
        assert_stat(image, "/fast", "Fast link dest");
        assert_stat(image, "/slow", "EXTENTS");
    });
}

fn assert_unrepresentable(tree: &Patterns, path: &str, expected: impl Fn(&Unrepresentable) -> bool) {
    assert_unrepresentable_with(tree, &options(), path, expected);
}

pub(crate) fn assert_unrepresentable_with(
    tree: &Patterns,
    options: &Options,
    path: &str,
    expected: impl Fn(&Unrepresentable) -> bool,
) {
    match plan(tree, options) {
        Err(Error::Unrepresentable { path: found, reason }) => {
            assert_eq!(String::from_utf8_lossy(&found), path);
            assert!(expected(&reason), "{reason}");
        }
        other => panic!("{path} is expressible: {:?}", other.map(|layout| layout.summary())),
    }
}
