//! Data in inodes: where it stops fitting, what e2fsprogs and the kernel read of it, and what
//! becomes of it when it grows.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use image_runs::read_all;
use image_tree::{Content, Inode, InodeId, Kind, LinkTarget, Metadata, Name, Tree, XattrName};
use mkfs_ext4::{BlockSize, Error, Features, Options, Size, plan};
use tempfile::TempDir;
use uuid::Uuid;

use crate::judge::{debugfs, digest, fsck, judge_and, run, write};
use crate::kernel::{self, Mount};
use crate::pattern::Pattern;
use crate::trees::{acl, add_files};

type Patterns = Tree<Pattern>;

/// Flags of an inode with inline data, and of one with its data in blocks.
const INLINE: &str = "Flags: 0x10000000";
const BLOCKS: &str = "Flags: 0x80000\n";

fn options(block_size: BlockSize) -> Options {
    let features = with!(Features::DEFAULT, inline_data: true, orphan_file: true);
    with!(Options::new(Uuid::from_u128(1), Uuid::from_u128(2)), block_size: block_size, features: features)
}

fn tree() -> Patterns {
    Tree::new(Metadata::new(0o755))
}

fn add(tree: &mut Patterns, parent: InodeId, name: &str, metadata: Metadata, kind: Kind<Pattern>) -> InodeId {
    tree.insert(parent, Name::new(name).expect("valid"), Inode { metadata, kind }).expect("the name is new")
}

fn file(len: u64) -> Kind<Pattern> {
    Kind::Regular(Pattern::new(len, 7))
}

fn symlink(len: usize) -> Kind<Pattern> {
    Kind::Symlink(LinkTarget::new(vec![b't'; len]).expect("a valid target"))
}

fn assert_stat(image: &Path, path: &str, expected: &str) {
    if let Some(text) = debugfs(image, &format!("stat \"{path}\"")) {
        assert!(text.contains(expected), "{path} has no \"{expected}\":\n{text}");
    }
}

/// A set of xattrs, its name in the tests, and the most data that fits beside it.
fn xattr_sets() -> Vec<(&'static str, Metadata, u64)> {
    let label = ("security.selinux", b"system_u:object_r:bin_t:s0\0".to_vec());
    let capability = ("security.capability", vec![1; 20]);
    let acl = ("system.posix_acl_access", acl().to_vec());
    let with = |name, list: &[&(&str, Vec<u8>)], most| {
        let mut metadata = Metadata::new(0o644);
        for (name, value) in list {
            let name = XattrName::new(name).expect("valid");
            metadata.xattrs.insert(name, value.clone().into());
        }
        (name, metadata, most)
    };
    // 88 bytes are for entries and values, 20 of them for the entry of system.data.
    vec![
        with("none", &[], 60 + 68),
        // 24 + 28 bytes.
        with("label", &[&label], 60 + 16),
        // 28 + 20 bytes.
        with("capability", &[&capability], 60 + 20),
        // The capability does not fit beside the label, with or without data.
        with("both", &[&label, &capability], 60 + 16),
        // Attributes that the kernel does not read first are moved to make room.
        with("acl", &[&acl], 60 + 68),
        with("user", &[&("user.a", vec![0; 60])], 60 + 68),
        with("all", &[&label, &capability, &acl], 60 + 16),
        with("label-and-user", &[&label, &("user.a", vec![0; 1])], 60 + 16),
        // 68 bytes of value fill the inode.
        with("long", &[&("security.selinux", vec![b'l'; 64])], 0),
    ]
}

#[test]
fn files_are_inline_as_long_as_they_fit() {
    for block_size in BlockSize::ALL {
        let mut tree = tree();
        let mut expected = Vec::new();
        for (set, metadata, most) in xattr_sets() {
            for len in [0, 1, 59, 60, 61, 64, most.max(1) - 1, most, most + 1, 127, 128, 129, 5000] {
                let name = format!("{set}-{len}");
                if tree.lookup(InodeId::ROOT, name.as_bytes()).is_some() {
                    continue;
                }
                add(&mut tree, InodeId::ROOT, &name, metadata.clone(), file(len));
                expected.push((name, (1..=most).contains(&len)));
            }
        }
        judge_and(&tree, &options(block_size), |image| {
            for (name, is_inline) in &expected {
                assert_stat(image, name, if *is_inline { INLINE } else { BLOCKS });
            }
        });
    }
}

#[test]
fn inline_data_displaces_no_xattr() {
    let (dir, image, tree) = {
        let mut tree = tree();
        for (set, metadata, most) in xattr_sets() {
            add(&mut tree, InodeId::ROOT, set, metadata, file(most));
        }
        let (dir, image) = image(&tree, &options(BlockSize::B4096));
        (dir, image, tree)
    };
    for (name, id) in tree.entries(InodeId::ROOT).into_iter().flatten() {
        let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
        for (xattr, value) in &tree.get(*id).metadata.xattrs {
            let out = dir.path().join("value");
            let Some(_) = debugfs(&image, &format!("ea_get -f {} /{name} {xattr}", out.display())) else {
                return;
            };
            let found = fs::read(&out).unwrap_or_else(|error| panic!("{name} has no {xattr}: {error}"));
            // debugfs gives ACLs in the form of getxattr(2), like the tree, but with user 0 where
            // the entry has none.
            let without_ids = |bytes: &[u8]| bytes.iter().map(|byte| byte % 0xff).collect::<Vec<u8>>();
            assert_eq!(without_ids(&found), without_ids(value), "{name}: {xattr}");
            fs::remove_file(out).expect("it was just read");
        }
    }
}

#[test]
fn symlinks_of_60_to_128_bytes_are_inline() {
    for block_size in BlockSize::ALL {
        let mut tree = tree();
        let sets = xattr_sets();
        let label = &sets.iter().find(|(set, ..)| *set == "label").expect("it is there").1;
        for len in [1, 58, 59, 60, 61, 127, 128, 129, 1000] {
            add(&mut tree, InodeId::ROOT, &format!("bare-{len}"), Metadata::new(0o777), symlink(len));
        }
        let acl = &sets.iter().find(|(set, ..)| *set == "acl").expect("it is there").1;
        for len in [59, 60, 76, 77] {
            add(&mut tree, InodeId::ROOT, &format!("label-{len}"), label.clone(), symlink(len));
        }
        // e2fsck does not find the block of xattrs of a symlink with inline data: beside 44 bytes,
        // 24 are left for data.
        for len in [84, 85] {
            add(&mut tree, InodeId::ROOT, &format!("acl-{len}"), acl.clone(), symlink(len));
        }
        judge_and(&tree, &options(block_size), |image| {
            for fast in ["bare-1", "bare-59", "label-59"] {
                assert_stat(image, fast, "Fast link dest");
            }
            for inline in ["bare-60", "bare-61", "bare-128", "label-60", "label-76", "acl-84"] {
                assert_stat(image, inline, INLINE);
            }
            for slow in ["bare-129", "bare-1000", "label-77", "acl-85"] {
                assert_stat(image, slow, BLOCKS);
            }
        });
    }
}

/// Directories by the lengths of their names, and how many bytes of data they have; none if they
/// have a block.
fn directories() -> Vec<(Vec<usize>, Option<u64>)> {
    vec![
        (vec![], Some(60)),
        (vec![1], Some(60)),
        // 56 bytes in i_block: one entry, or four of 12 bytes and 8 left over.
        (vec![48], Some(60)),
        (vec![49], Some(60 + 60)),
        (vec![1, 2, 3, 4], Some(60)),
        (vec![1, 2, 3, 4, 4], Some(60 + 12)),
        // 56 bytes exactly, and one more entry.
        (vec![4, 4, 24], Some(60)),
        (vec![4, 4, 25], Some(60 + 36)),
        // Both parts full.
        (vec![48, 60], Some(60 + 68)),
        (vec![48, 61], None),
        (vec![48, 4, 48], Some(60 + 68)),
        (vec![4, 4, 4, 4, 4, 4, 4, 4, 4], Some(60 + 60)),
        (vec![4, 4, 4, 4, 4, 4, 4, 4, 4, 4], None),
        // A name longer than either part, and one that the first part has no room for before a
        // short one.
        (vec![61], None),
        (vec![255], None),
        (vec![4, 50, 4], Some(60 + 60)),
    ]
}

/// A tree with each of [`directories`], named by its position; within, names are letters repeated.
fn tree_of_directories() -> Patterns {
    let mut tree = tree();
    for (position, (lens, _)) in directories().into_iter().enumerate() {
        let name = format!("d{position}");
        let parent = add(&mut tree, InodeId::ROOT, &name, Metadata::new(0o755), Kind::Directory([].into()));
        for (letter, len) in ('a'..).zip(lens) {
            let name = letter.to_string().repeat(len);
            let kind = match letter {
                'a' => Kind::Directory([].into()),
                'b' => Kind::Fifo,
                _ => file(10),
            };
            add(&mut tree, parent, &name, Metadata::new(0o755), kind);
        }
    }
    tree
}

/// e2fsck fills it without allocating, so that it has blocks even if it is the tree's own and holds
/// next to nothing.
#[test]
fn a_lost_and_found_of_the_tree_has_blocks() {
    let mut tree = tree();
    let kind = Kind::Directory([].into());
    let own = add(&mut tree, InodeId::ROOT, "lost+found", Metadata::new(0o700), kind);
    add(&mut tree, own, "found", Metadata::new(0o644), file(5));
    judge_and(&tree, &options(BlockSize::B4096), |image| {
        assert_stat(image, "/lost+found", BLOCKS);
        assert_stat(image, "/lost+found", "Size: 16384");
    });
}

#[test]
fn directories_are_inline_as_long_as_they_fit() {
    for block_size in BlockSize::ALL {
        let tree = tree_of_directories();
        judge_and(&tree, &options(block_size), |image| {
            for (position, (_, data)) in directories().into_iter().enumerate() {
                let name = format!("d{position}");
                assert_stat(image, &name, if data.is_some() { INLINE } else { BLOCKS });
                assert_stat(image, &name, &format!("Size: {}\n", data.unwrap_or(block_size.bytes())));
            }
            assert_stat(image, "/", BLOCKS);
            assert_stat(image, "/lost+found", BLOCKS);
        });
    }
}

/// An image in a directory of its own.
fn image(tree: &Patterns, options: &Options) -> (TempDir, PathBuf) {
    let layout = plan(tree, options).expect("the tree fits ext4");
    let dir = TempDir::new().expect("a temporary directory");
    let image = dir.path().join("image");
    write(&layout, &image);
    (dir, image)
}

#[test]
fn the_kernel_grows_and_truncates_inline_data() {
    for block_size in BlockSize::ALL {
        let mut tree = tree_of_directories();
        for (set, metadata, most) in xattr_sets() {
            for len in [1, 60, most.max(61), 130] {
                let name = format!("{set}-{len}");
                add(&mut tree, InodeId::ROOT, &name, metadata.clone(), file(len));
            }
        }
        let options = with!(options(block_size), size: Size::Free { bytes: 16 << 20 });
        let (_dir, image) = image(&tree, &options);
        let Some(mount) = Mount::new(&image, "rw") else { return };
        grow(&tree, mount.path());
        mount.unmount();
        fsck(&image);
        let Some(mount) = Mount::new(&image, "rw") else { return };
        empty(&tree, mount.path());
        mount.unmount();
        fsck(&image);
    }
}

/// Appends to every file of the root until it has blocks, and adds names to every directory until
/// it has.
fn grow(tree: &Patterns, root: &Path) {
    for (name, id) in tree.entries(InodeId::ROOT).into_iter().flatten() {
        let at = root.join(String::from_utf8_lossy(name.as_bytes()).into_owned());
        match &tree.get(*id).kind {
            Kind::Regular(content) => {
                let mut expected = content.bytes();
                for more in [1, 3, 60, 5000] {
                    let more = vec![b'm'; more];
                    File::options()
                        .append(true)
                        .open(&at)
                        .expect("it is there")
                        .write_all(&more)
                        .expect("room");
                    expected.extend(more);
                    assert!(fs::read(&at).expect("it is there") == expected, "{at:?}: bytes differ");
                }
            }
            Kind::Directory(entries) => {
                for number in 0..20 {
                    fs::write(at.join(format!("new{number}")), format!("{number}")).expect("there is room");
                    let names = fs::read_dir(&at).expect("it is there").count();
                    assert_eq!(names, entries.len() + number + 1, "{at:?}");
                }
            }
            _ => {}
        }
    }
}

/// Cuts every file of the root short, and removes all names of directories and then the
/// directories.
fn empty(tree: &Patterns, root: &Path) {
    for (name, id) in tree.entries(InodeId::ROOT).into_iter().flatten() {
        let at = root.join(String::from_utf8_lossy(name.as_bytes()).into_owned());
        match &tree.get(*id).kind {
            Kind::Regular(_) => {
                File::options().write(true).open(&at).expect("it is there").set_len(1).expect("it is cut");
            }
            _ => fs::remove_dir_all(&at).expect("it is removed"),
        }
    }
}

/// Inline data may also be renamed, truncated and removed.
#[test]
fn the_kernel_changes_what_stays_in_inodes() {
    for block_size in BlockSize::ALL {
        let mut tree = tree();
        let one = add(&mut tree, InodeId::ROOT, "one", Metadata::new(0o755), Kind::Directory([].into()));
        let two = add(&mut tree, InodeId::ROOT, "two", Metadata::new(0o755), Kind::Directory([].into()));
        for len in [1, 60, 128] {
            add(&mut tree, one, &format!("f{len}"), Metadata::new(0o644), file(len));
        }
        add(&mut tree, one, "within", Metadata::new(0o755), Kind::Directory([].into()));
        add(&mut tree, two, "link", Metadata::new(0o777), symlink(100));
        let options = with!(options(block_size), size: Size::Free { bytes: 4 << 20 });
        let (_dir, image) = image(&tree, &options);
        let Some(mount) = Mount::new(&image, "rw") else { return };
        let at = |path: &str| mount.path().join(path);
        fs::rename(at("one/within"), at("two/within")).expect("a directory gets another parent");
        File::options()
            .write(true)
            .open(at("one/f128"))
            .and_then(|file| file.set_len(61))
            .expect("it is cut");
        File::options()
            .write(true)
            .open(at("one/f60"))
            .and_then(|file| file.write_all_at(b"over", 56))
            .expect("it is written over");
        fs::remove_file(at("one/f1")).expect("it is removed");
        fs::remove_file(at("two/link")).expect("it is removed");
        mount.unmount();
        fsck(&image);
        let Some(text) = debugfs(&image, "cat /one/f60") else { return };
        assert!(text.ends_with("over"), "{text}");
        assert_stat(&image, "/one/f60", INLINE);
        assert_stat(&image, "/two/within", INLINE);
    }
}

#[test]
fn inline_data_is_that_of_mke2fs() {
    let mut tree = tree();
    let parent = add(&mut tree, InodeId::ROOT, "d", Metadata::new(0o755), Kind::Directory([].into()));
    add(&mut tree, parent, "f", Metadata::new(0o644), file(128));
    let (dir, ours) = image(&tree, &options(BlockSize::B4096));
    let from = dir.path().join("from");
    fs::create_dir_all(from.join("d")).expect("a directory is made");
    fs::write(from.join("d/f"), Pattern::new(128, 7).bytes()).expect("a file is written");
    let theirs = dir.path().join("theirs");
    let made = run(Command::new("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-b", "4096", "-O", "inline_data,orphan_file", "-d"])
        .arg(&from)
        .arg(&theirs)
        .arg("64m"));
    let Some(made) = made else { return };
    assert!(made.status.success(), "{made:?}");
    // i_block of both, and the extended attributes of the file. mke2fs gives empty values an
    // offset, the kernel none.
    for what in ["-b /d", "-b /d/f", "-x /d/f"] {
        let dump = |image: &Path| debugfs(image, &format!("inode_dump {what}"));
        assert_eq!(dump(&ours), dump(&theirs), "inode_dump {what}");
    }
}

/// The bytes are those of the layout `ext4-2`, by [`digest`] of whole images. Where one changes on
/// purpose, so does the name.
#[test]
fn the_bytes_of_inline_data_are_pinned() {
    let mut tree = tree_of_directories();
    for (set, metadata, most) in xattr_sets() {
        add(&mut tree, InodeId::ROOT, set, metadata, file(most));
    }
    add(&mut tree, InodeId::ROOT, "symlink", Metadata::new(0o777), symlink(100));
    let found = BlockSize::ALL.map(|block_size| {
        let image =
            read_all(&plan(&tree, &options(block_size)).expect("it fits")).expect("patterns never fail");
        digest(&image)
    });
    assert_eq!(found, [0xbca6_e964, 0x7899_2b33, 0xa882_9a66]);
}

#[test]
fn a_wrong_byte_in_an_inline_directory_is_found() {
    let mut tree = tree();
    let parent = add(&mut tree, InodeId::ROOT, "d", Metadata::new(0o755), Kind::Directory([].into()));
    add_files(&mut tree, parent, 9, 4);
    let (_dir, image) = image(&tree, &options(BlockSize::B4096));
    fsck(&image);
    let bytes = fs::read(&image).expect("the image is there");
    // The fifth name is in the value of system.data, at the end of the inode.
    for name in ["0000", "0008"] {
        let entry = [&[12, 0, 4, 1], name.as_bytes()].concat();
        let last = [&[20, 0, 4, 1], name.as_bytes()].concat();
        let at = bytes.windows(8).position(|window| window == entry || window == last);
        let Some(at) = at else { panic!("{name} is not in the image") };
        let file = File::options().write(true).open(&image).expect("the image is there");
        file.write_all_at(b"/", at as u64 + 4).expect("the image is written");
        let Some(output) = run(Command::new("e2fsck").arg("-fn").arg(&image)) else { return };
        // 4 is for what it leaves uncorrected, 8 for giving up on it.
        assert!(output.status.code().is_some_and(|code| code & 4 != 0), "{output:?}");
        file.write_all_at(b"0", at as u64 + 4).expect("the image is written");
        fsck(&image);
    }
}

/// A file that does not exist any more.
#[derive(Clone, Debug)]
struct Gone;

impl Content for Gone {
    fn len(&self) -> u64 {
        10
    }

    fn read_at(&self, _: &mut [u8], _: u64) -> std::io::Result<()> {
        Err(std::io::Error::other("it is gone"))
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let mut tree = Tree::new(Metadata::new(0o755));
    let inode = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(Gone) };
    tree.insert(InodeId::ROOT, Name::new("file").expect("valid"), inode).expect("new");
    let error = plan(&tree, &options(BlockSize::B4096)).expect_err("its bytes are needed");
    assert!(matches!(&error, Error::Content { path, .. } if path == b"/file"), "{error}");
    plan(&tree, &Options::new(Uuid::nil(), Uuid::nil())).expect("without inline data nothing is read");
}

#[test]
fn the_kernel_reads_hard_links_and_owners_of_inline_files() {
    let mut tree = tree();
    let metadata = Metadata { uid: 70_000, gid: 80_000, ..Metadata::new(0o640) };
    let id = add(&mut tree, InodeId::ROOT, "a", metadata, file(100));
    tree.link(InodeId::ROOT, Name::new("b").expect("valid"), id).expect("the name is new");
    let (_dir, image) = image(&tree, &options(BlockSize::B1024));
    kernel::reads_back(&tree, &image);
    assert_stat(&image, "/b", "Links: 2 ");
    assert_stat(&image, "/b", "User: 70000   Group: 80000");
}
