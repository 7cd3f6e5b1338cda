//! Archives that the judges unpack to the tree they were made from.

use tar_archive::image_runs::read_all;
use tar_archive::image_tree::{Metadata, Timestamp};
use tar_archive::{Options, plan};

use crate::fixtures::{Files, every_kind, file, link, xattr};
use crate::judge::{Judge, is_root};
use crate::listed::{List, Listed, of_directory, of_tree};

fn archive(tree: &Files, options: &Options) -> Vec<u8> {
    read_all(&plan(tree, options).expect("the tree fits")).expect("it is in memory")
}

/// Unpacks an archive and returns the files. None if the judge is missing.
fn unpack(judge: Judge, archive: &[u8]) -> Option<Result<List, String>> {
    let directory = tempfile::tempdir_in("/var/tmp").expect("a temporary directory");
    let root = directory.path().join("root");
    std::fs::create_dir(&root).expect("it is new");
    let unpacked = judge.unpack(archive, &root)?;
    Some(unpacked.map(|()| of_directory(&root)))
}

/// Returns the files of a tree as a judge unpacks them, without what it is known to lose.
fn expected(judge: Judge, tree: &Files) -> List {
    let mut list = of_tree(tree);
    for listed in list.values_mut() {
        forget(judge, listed);
    }
    list
}

fn forget(judge: Judge, listed: &mut Listed) {
    match judge {
        Judge::GnuTar => {}
        // It sets the mode and owner of the directory that it unpacks into, and not the time.
        Judge::Bsdtar if listed.first == b"/" => listed.mtime = (0, 0),
        // It adds the fraction of -5.5 s to -5 s.
        Judge::Bsdtar if listed.mtime.0 < 0 => listed.mtime = (0, 0),
        Judge::Bsdtar => {}
        // It has no xattrs, times in floating point, and does not set those of symbolic links.
        Judge::Python => {
            listed.xattrs.clear();
            listed.mtime.1 /= 1_000_000;
            if listed.mode & 0o170_000 == 0o120_000 {
                listed.mtime = (0, 0);
            }
        }
    }
}

fn compare(judge: Judge, found: List, expected: &List) -> Result<(), String> {
    let mut found = found;
    found.values_mut().for_each(|listed| forget(judge, listed));
    let names = |list: &List| list.keys().cloned().collect::<Vec<_>>();
    if names(&found) != names(expected) {
        return Err(format!("{judge:?}: other names"));
    }
    for (path, listed) in expected {
        let other = &found[path];
        if other != listed {
            let show = |listed: &Listed| {
                let mut listed = listed.clone();
                listed.bytes.truncate(20);
                format!("{listed:?}")
            };
            return Err(format!("{judge:?}: {}\n{}\n{}", path.escape_ascii(), show(other), show(listed)));
        }
    }
    Ok(())
}

#[test]
fn judges_unpack_the_same_tree() {
    if !is_root() {
        return;
    }
    for (options, name) in [(Options::archive(), "archive"), (Options::layer(), "layer")] {
        for judge in Judge::ALL {
            let mut tree = every_kind();
            // Python follows a further name of a link when it sets the owner.
            if judge != Judge::Python {
                let far = tree.resolve_no_symlinks(b"far").expect("it is there");
                link(&mut tree, "far-too", far);
            }
            let Some(found) = unpack(judge, &archive(&tree, &options)) else { continue };
            let found = found.unwrap_or_else(|why| panic!("{name}: {why}"));
            compare(judge, found, &expected(judge, &tree)).unwrap_or_else(|why| panic!("{name}: {why}"));
        }
    }
}

/// An equals sign ends the name of a record `SCHILY.xattr.`; bsdtar knows another record.
#[test]
fn bsdtar_restores_xattrs_whose_names_have_an_equals_sign() {
    if !is_root() {
        return;
    }
    let mut tree = Files::new(Metadata::new(0o751));
    let id = file(&mut tree, b"f", b"x");
    xattr(&mut tree, id, "user.a=b%", b"binary \0\xff");
    xattr(&mut tree, id, "user.plain", b"v");
    let Some(found) = unpack(Judge::Bsdtar, &archive(&tree, &Options::archive())) else { return };
    let found = found.unwrap_or_else(|why| panic!("{why}"));
    compare(Judge::Bsdtar, found, &expected(Judge::Bsdtar, &tree)).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn judges_notice_a_changed_byte() {
    if !is_root() {
        return;
    }
    let mut tree = Files::new(Metadata::new(0o755));
    let id = file(&mut tree, b"d/f", b"0123456789");
    tree.metadata_mut(id).mtime = Timestamp::new(7, 500_000_000).expect("a time");
    let archive = archive(&tree, &Options::archive());
    let at = |text: &[u8]| archive.windows(text.len()).position(|bytes| bytes == text).expect("it is there");
    // A byte of the data, of a record, of a header, and of a name.
    for position in [at(b"0123456789") + 5, at(b"mtime=7.5") + 6, at(b"d/f\0") + 100, at(b"d/f\0") + 2] {
        let mut changed = archive.clone();
        changed[position] ^= 1;
        for judge in Judge::ALL {
            let (Some(good), Some(bad)) = (unpack(judge, &archive), unpack(judge, &changed)) else {
                continue;
            };
            let wanted = expected(judge, &tree);
            // The root has no entry, so it keeps the time of the directory.
            let without_root = |mut list: List| {
                list.remove(&b"/"[..]);
                list
            };
            let wanted = without_root(wanted);
            let good = without_root(good.expect("it is whole"));
            compare(judge, good, &wanted).unwrap_or_else(|why| panic!("{why}"));
            let is_noticed = bad.and_then(|list| compare(judge, without_root(list), &wanted)).is_err();
            assert!(is_noticed, "{judge:?} accepts another byte at {position}");
        }
    }
}
