//! Tests that the files extracted by other programs equal the tree.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::process::Command;

use image_runs::read_all;
use image_tree::Kind;
use initramfs::{Checksums, EarlyCpio, Options, Precompressed, plan};
use tempfile::TempDir;

use crate::fixtures::{Bytes, every_kind, file, link};
use crate::judge::{is_root, pleased, run};

/// A description of each name: kind, mode, owners, time, data. Hard links are the sorted names of
/// one file.
type Listing = BTreeMap<Vec<u8>, String>;

fn listing_of(tree: &Bytes) -> Listing {
    let mut listing = Listing::new();
    let mut names: BTreeMap<_, Vec<Vec<u8>>> = BTreeMap::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let mut path = Vec::new();
        walk.write_path(&mut path);
        names.entry(step.id).or_default().push(path[1..].to_vec());
    }
    for (id, paths) in names {
        let inode = tree.get(id);
        let what = match &inode.kind {
            Kind::Directory(_) => "directory".to_owned(),
            Kind::Regular(bytes) => format!("file {:?}", bytes.escape_ascii().to_string()),
            Kind::Symlink(target) => format!("symlink {}", target.as_bytes().escape_ascii()),
            Kind::CharacterDevice(device) => format!("character {}:{}", device.major, device.minor),
            Kind::BlockDevice(device) => format!("block {}:{}", device.major, device.minor),
            Kind::Fifo => "fifo".to_owned(),
            Kind::Socket => "socket".to_owned(),
        };
        let metadata = &inode.metadata;
        // The mode of a symlink is always 0o777.
        let mode = if matches!(inode.kind, Kind::Symlink(_)) { 0o777 } else { metadata.mode };
        let (uid, gid) = (metadata.uid, metadata.gid);
        let mtime = time(metadata.mtime.seconds(), matches!(inode.kind, Kind::Symlink(_)));
        let words = format!("{mode:o} {uid}:{gid} {mtime} {what}, {}", same(&paths));
        listing.extend(paths.into_iter().map(|path| (path, words.clone())));
    }
    listing
}

fn listing_of_directory(root: &Path) -> Listing {
    let mut found: Vec<(Vec<u8>, fs::Metadata, String)> = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(path) = pending.pop() {
        let metadata = path.symlink_metadata().expect("it was extracted");
        let kind = metadata.file_type();
        let device =
            || format!("{}:{}", rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
        let what = if kind.is_dir() {
            pending.extend(
                fs::read_dir(&path).expect("it is readable").map(|entry| entry.expect("it is there").path()),
            );
            "directory".to_owned()
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).expect("it is a link").into_os_string().into_vec();
            format!("symlink {}", target.escape_ascii())
        } else if kind.is_file() {
            format!("file {:?}", fs::read(&path).expect("it is readable").escape_ascii().to_string())
        } else if kind.is_char_device() {
            format!("character {}", device())
        } else if kind.is_block_device() {
            format!("block {}", device())
        } else if kind.is_fifo() {
            "fifo".to_owned()
        } else {
            "socket".to_owned()
        };
        let name = path.strip_prefix(root).expect("it is below").as_os_str().as_bytes().to_vec();
        found.push((name, metadata, what));
    }
    let mut names: BTreeMap<u64, Vec<Vec<u8>>> = BTreeMap::new();
    for (name, metadata, _) in &found {
        names.entry(metadata.ino()).or_default().push(name.clone());
    }
    let describe = |(name, metadata, what): (Vec<u8>, fs::Metadata, String)| {
        let (mode, uid, gid) = (metadata.mode() & 0o7777, metadata.uid(), metadata.gid());
        let mtime = time(metadata.mtime(), metadata.is_symlink());
        (name, format!("{mode:o} {uid}:{gid} {mtime} {what}, {}", same(&names[&metadata.ino()])))
    };
    found.into_iter().map(describe).collect()
}

/// Returns the time of a file; GNU cpio does not set those of symlinks.
fn time(seconds: i64, symlink: bool) -> i64 {
    if symlink { 0 } else { seconds }
}

fn same(paths: &[Vec<u8>]) -> String {
    let mut paths: Vec<String> = paths.iter().map(|path| path.escape_ascii().to_string()).collect();
    paths.sort();
    paths.join(" = ")
}

fn image(tree: &Bytes, options: &Options) -> Vec<u8> {
    read_all(&plan(tree, &EarlyCpio::none(), options).expect("the tree fits")).expect("it is in memory")
}

/// Extracts with a program that reads the archive from its standard input.
fn extract(program: &str, arguments: &[&str], image: &[u8]) -> Option<Listing> {
    let dir = TempDir::new().expect("a temporary directory");
    let root = dir.path().join("root");
    fs::create_dir(&root).expect("it is new");
    let mut command = Command::new(program);
    pleased(command.args(arguments).current_dir(&root), image)?;
    let mut listing = listing_of_directory(&root);
    listing.remove(b"".as_slice());
    Some(listing)
}

fn check_extracted(tree: &Bytes, options: &Options) {
    let image = image(tree, options);
    let mut expected = listing_of(tree);
    // Programs do not change the metadata of the directory they extract to.
    expected.remove(b"".as_slice());
    if let Some(found) = extract("cpio", &["-idm", "--quiet", "--no-absolute-filenames"], &image) {
        // GNU cpio sets the times of directories before it creates the hard links in them.
        assert_same(&without_directory_times(found), &without_directory_times(expected.clone()), "cpio");
    }
    let arguments = ["-xp", "--numeric-owner", "-f", "-"];
    if let Some(found) = extract("bsdtar", &arguments, &image) {
        // libarchive creates hard links of symlinks too, and a regular file for a socket.
        let compared = |words: &String| !words.contains("symlink") && !words.contains("socket");
        let mut found = found;
        expected.retain(|path, words| compared(words) && path != b"run/socket");
        found.retain(|path, words| compared(words) && path != b"run/socket");
        assert_same(&found, &expected, "bsdtar");
    }
}

fn without_directory_times(mut listing: Listing) -> Listing {
    for words in listing.values_mut().filter(|words| words.contains(" directory, ")) {
        let mut parts: Vec<&str> = words.split(' ').collect();
        parts.remove(2);
        *words = parts.join(" ");
    }
    listing
}

#[track_caller]
fn assert_same(found: &Listing, expected: &Listing, judge: &str) {
    for (path, words) in expected {
        assert_eq!(found.get(path), Some(words), "{judge}: {}", path.escape_ascii());
    }
    assert_eq!(found.len(), expected.len(), "{judge}");
}

#[test]
fn every_kind_of_file_is_extracted_unchanged() {
    if is_root() {
        check_extracted(&every_kind(), &Options::plain());
    }
}

#[test]
fn names_padded_with_nul_are_extracted() {
    if is_root() {
        check_extracted(&every_kind(), &with!(Options::plain(), align: 4096));
    }
}

#[test]
fn gnu_cpio_verifies_the_checksums() {
    let tree = every_kind();
    let checksums = Checksums::read(&tree).expect("it is in memory");
    let options = with!(Options::plain(), checksums: Some(checksums));
    let mut image = image(&tree, &options);
    let verify = ["-i", "--only-verify-crc", "--quiet"];
    let Some(output) = run(Command::new("cpio").args(verify), &image) else { return };
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    // The judge detects a change.
    let at = image.windows(10).position(|window| window == b"#!/bin/sh\n").expect("it is there");
    image[at] ^= 1;
    let output = run(Command::new("cpio").args(verify), &image).expect("it was there before");
    assert!(String::from_utf8_lossy(&output.stderr).contains("checksum error"), "{output:?}");
    if is_root() {
        check_extracted(&tree, &options);
    }
}

#[test]
fn precompressed_files_and_links_between_archives_are_extracted() {
    let mut tree = every_kind();
    let module = file(&mut tree, "usr/lib/modules/6.12/a.ko.zst", &crate::fixtures::noise(5000, 9));
    link(&mut tree, "a-module", module);
    let options = with!(Options::plain(), segment_len: Some(4096), precompressed: Precompressed::ByName);
    let layout = plan(&tree, &EarlyCpio::none(), &options).expect("the tree fits");
    let segments: Vec<_> = layout.segments().collect();
    let dir = TempDir::new().expect("a temporary directory");
    for (which, parts) in [&segments[..1], &segments[1..]].into_iter().enumerate() {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| read_all(part).expect("it is in memory")).collect();
        let arguments = ["-idm", "--quiet", "--no-absolute-filenames"];
        if !is_root()
            || pleased(Command::new("cpio").args(arguments).current_dir(dir.path()), &bytes).is_none()
        {
            return;
        }
        assert_eq!(dir.path().join("a-module").exists(), which <= 1);
    }
    // The second archive added entries to directories of the first, which changed their times.
    let keep = |listing: &mut Listing| listing.retain(|_, words| !words.contains("directory"));
    let (mut found, mut expected) = (listing_of_directory(dir.path()), listing_of(&tree));
    keep(&mut found);
    keep(&mut expected);
    assert_same(&found, &expected, "cpio");
}
