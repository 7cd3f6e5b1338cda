//! `--cache` returns the current bytes of the files, whatever their inodes and times.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::judges;
use crate::product::{Scratch, rootcast, rootcast_as_root, run};

/// Creates two trees that differ only in the bytes of one file, with equal times.
fn twins(scratch: &Scratch) -> [PathBuf; 2] {
    ["A", "B"].map(|letter| {
        let tree = scratch.join(letter);
        fs::create_dir(&tree).expect("it is new");
        fs::write(tree.join("file"), letter.repeat(100_000)).expect("it is new");
        for path in [tree.join("file"), tree.clone()] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            fs::File::open(path).and_then(|file| file.set_modified(time)).expect("it is the test's");
        }
        tree
    })
}

/// Returns the bytes of the initramfs of a tree, made by root with or without a cache.
fn initrd(source: &Path, output: &Path, cache: Option<&Path>) -> Vec<u8> {
    let mut command = rootcast_as_root();
    command.args(["initrd", "--init", "none", "--compress", "zstd:3", "-q", "-o"]).arg(output).arg(source);
    if let Some(cache) = cache {
        command.arg("--cache").arg(cache);
    }
    run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
    fs::read(output).expect("it was made")
}

/// Mounts one image after the other at the same place, and compares the results with and without a
/// cache.
fn check_mounted(scratch: &Scratch, kind: &str, images: &[PathBuf; 2]) {
    let (at, cache, output) = (scratch.join("mounted"), scratch.join("cache"), scratch.join("initrd"));
    fs::create_dir(&at).expect("it is new");
    let mut found = Vec::new();
    for image in images {
        let (Some(mut mount), Some(mut umount)) = (judges::command("mount"), judges::command("umount"))
        else {
            return;
        };
        let outcome = run(mount.args(["-t", kind, "-o", "ro,loop"]).arg(image).arg(&at));
        if outcome.code != Some(0) {
            judges::skip(kind, &outcome.stderr);
            return;
        }
        let stat = fs::metadata(at.join("file")).expect("it is mounted");
        let identity = (stat.ino(), stat.size(), stat.mtime(), stat.ctime(), stat.ctime_nsec());
        let cached = initrd(&at, &output, Some(&cache));
        let fresh = initrd(&at, &output, None);
        run(umount.arg(&at)).success().unwrap_or_else(|why| panic!("{why}"));
        assert!(cached == fresh, "{kind}: the cache shows");
        found.push((identity, fresh));
    }
    assert_eq!(found[0].0, found[1].0, "{kind}: the test needs files that only their bytes tell apart");
    assert!(found[0].1 != found[1].1, "{kind}: the bytes differ");
}

#[test]
fn images_mounted_in_turn_do_not_share_cached_pieces() {
    if !judges::may_mount() {
        return;
    }
    for kind in ["ext4", "squashfs", "erofs"] {
        let scratch = Scratch::new();
        let images = twins(&scratch).map(|tree| tree.with_extension(kind));
        for image in &images {
            let tree = image.with_extension("");
            let made = match kind {
                "ext4" => {
                    let mut image_of = rootcast_as_root();
                    image_of.args(["image", "--layout", "bare", "-q", "-o"]).arg(image).arg(&tree);
                    Some(run(image_of.env("SOURCE_DATE_EPOCH", "1700000000")))
                }
                "squashfs" => judges::command("mksquashfs").map(|mut mksquashfs| {
                    mksquashfs.arg(&tree).arg(image).args([
                        "-all-time",
                        "1700000000",
                        "-mkfs-time",
                        "1700000000",
                    ]);
                    run(mksquashfs.args(["-noappend", "-quiet"]))
                }),
                _ => judges::command("mkfs.erofs").map(|mut mkfs| {
                    mkfs.args(["-T1700000000", "-U00000000-0000-0000-0000-000000000001"]);
                    run(mkfs.arg(image).arg(&tree))
                }),
            };
            let Some(made) = made else { return };
            made.success().unwrap_or_else(|why| panic!("{why}"));
        }
        check_mounted(&scratch, kind, &images);
    }
}

/// A file that is written twice in a row keeps its times if the granularity of file times is
/// coarse: one second on ext4 with inodes of 128 bytes.
#[test]
fn a_file_rewritten_within_a_clock_tick_is_not_taken_from_the_cache() {
    if !judges::may_mount() {
        return;
    }
    let scratch = Scratch::new();
    let (at, cache, output) = (scratch.join("mounted"), scratch.join("cache"), scratch.join("initrd"));
    let image = scratch.file("ext4", vec![0; 4 << 20]);
    fs::create_dir(&at).expect("it is new");
    let (Some(mut mke2fs), Some(mut mount), Some(mut umount)) =
        (judges::command("mke2fs"), judges::command("mount"), judges::command("umount"))
    else {
        return;
    };
    run(mke2fs.args(["-q", "-t", "ext4", "-I", "128", "-O", "^has_journal"]).arg(&image)).success().unwrap();
    run(mount.args(["-t", "ext4", "-o", "loop"]).arg(&image).arg(&at)).success().unwrap();
    let write = |letter: &str| {
        fs::write(at.join("file"), letter.repeat(100_000)).expect("the test's own");
        let stat = fs::metadata(at.join("file")).expect("it is there");
        (stat.ino(), stat.size(), stat.mtime(), stat.mtime_nsec(), stat.ctime(), stat.ctime_nsec())
    };
    // A round may cross the end of a second.
    let round = |first: &str, second: &str| {
        let before = write(first);
        initrd(&at, &output, Some(&cache));
        let after = write(second);
        let cached = initrd(&at, &output, Some(&cache));
        (before == after, cached == initrd(&at, &output, None))
    };
    let rounds: Vec<_> =
        ["AB", "CD", "EF", "GH", "IJ"].iter().map(|letters| round(&letters[..1], &letters[1..])).collect();
    run(umount.arg(&at)).success().unwrap_or_else(|why| panic!("{why}"));
    assert!(rounds.iter().any(|(same, _)| *same), "the test needs a file that only its bytes tell apart");
    assert!(rounds.iter().all(|(_, right)| *right), "the cache shows: {rounds:?}");
}

/// The same bytes under other names, owners and times are compressed only once.
#[test]
fn a_second_run_compresses_nothing() {
    let scratch = Scratch::new();
    let (tree, cache, output) = (scratch.join("tree"), scratch.join("cache"), scratch.join("initrd"));
    fs::create_dir(&tree).expect("it is new");
    fs::write(tree.join("file"), vec![7; 100_000]).expect("it is new");
    initrd(&tree, &output, Some(&cache));
    let copy = scratch.join("copy");
    fs::rename(&tree, &copy).expect("the test's own");
    let mut command = rootcast_as_root();
    command.args(["initrd", "--init", "none", "--compress", "zstd:3", "--json", "-o"]).arg(&output);
    let outcome = run(command.arg(&copy).arg("--cache").arg(&cache)).success().expect("nothing changed");
    let report: serde_json::Value = serde_json::from_str(&outcome.text()).expect("it is JSON");
    assert_eq!(report["cache"]["misses"], 0, "{report}");
    assert_ne!(report["cache"]["hits"], 0, "{report}");
}

/// If the cache cannot be written, the run continues with a warning; entries of an earlier run are
/// used.
#[test]
fn a_cache_that_cannot_be_written_is_a_warning() {
    let scratch = Scratch::new();
    let (tree, cache, output) = (scratch.join("tree"), scratch.join("cache"), scratch.join("initrd"));
    fs::create_dir(&tree).expect("it is new");
    fs::write(tree.join("file"), "x").expect("it is new");
    let initrd = |cache: &Path| {
        let mut command = rootcast();
        command.args(["initrd", "--init", "none", "--compress", "gzip:1", "-o"]).arg(&output).arg(&tree);
        run(command.arg("--cache").arg(cache)).success().unwrap_or_else(|why| panic!("{why}"))
    };
    assert!(!initrd(&cache).stderr.contains("warning"));
    let whole = fs::read(&output).expect("it was made");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o500)).expect("root's or the test's");
    let found = initrd(&cache);
    let warning = format!("warning: --cache: {}: Permission denied", cache.display());
    assert!(found.stderr.contains(&warning), "{found}");
    assert!(found.stderr.contains("1 of 1 piece was in the cache"), "{found}");
    let closed = scratch.join("closed");
    fs::create_dir(&closed).expect("it is new");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).expect("the test's own");
    let found = initrd(&closed.join("cache"));
    assert!(
        found.stderr.contains("closed/cache: Permission denied (os error 13); nothing is kept"),
        "{found}"
    );
    assert!(fs::read(&output).expect("it was made") == whole);
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o700)).expect("the test's own");
}

/// A cache of another user is not trusted, and one that cannot be written to is not an error.
#[test]
fn a_cache_of_another_user_that_cannot_be_written_is_not_used() {
    if !judges::is_root() {
        judges::skip("a cache of another user", "only root runs the program as another user");
        return;
    }
    let scratch = Scratch::new();
    let (tree, cache, output) = (scratch.join("tree"), scratch.join("cache"), scratch.join("initrd"));
    for directory in [&tree, &cache] {
        fs::create_dir(directory).unwrap();
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = rootcast();
    command.args(["initrd", "--init", "none", "-q", "-o"]).arg(&output).arg(&tree).arg("--cache").arg(&cache);
    let outcome = run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
    let warning = "belongs to user 0, and cannot be written; nothing is kept for the next run";
    assert!(outcome.stderr.contains(warning), "{outcome}");
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
}
