//! A cache saves time and does not affect the bytes.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::thread;

use super::*;

const GIB: u64 = 1 << 30;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn cache(directory: &TempDir) -> Cache {
    Cache::open(directory.path(), GIB).expect("a directory of our own")
}

fn cached(segments: &[TestSegment], codec: &Codec, cache: &Cache) -> (Vec<u8>, Compressed) {
    pack_with(segments, codec, 2, &Interrupt::never(), Some(cache)).expect("nothing fails")
}

/// Returns segments of files, one of which is a long frame.
fn segments() -> Vec<TestSegment> {
    let long = usize::try_from(codec("zstd:1").max_piece_len() + 1).expect("it fits");
    let mut segments: Vec<_> = (1..6).map(|seed| TestSegment::new(text(50_000, seed))).collect();
    segments.push(TestSegment::new(text(long, 6)));
    segments.iter_mut().for_each(|segment| segment.header = b"a header".to_vec());
    segments
}

fn entries(directory: &TempDir) -> Vec<PathBuf> {
    let listed = fs::read_dir(directory.path()).expect("a directory");
    let mut entries: Vec<_> = listed.map(|entry| entry.expect("it can be listed").path()).collect();
    entries.sort();
    entries
}

#[test]
fn a_second_run_compresses_only_changed_segments() {
    let directory = directory();
    for name in ["gzip:1", "zstd:1", "lz4:1", "xz:0"] {
        let (codec, cache) = (codec(name), cache(&directory));
        let mut segments = segments();
        let expected = pack(&segments, &codec, 1);
        let pieces = segments.len() as u64;
        let (cold, used) = cached(&segments, &codec, &cache);
        assert!(cold == expected);
        assert!(used.cache_hits == 0 && used.cache_misses >= pieces, "{name}: {used:?}");

        let (warm, used) = cached(&segments, &codec, &cache);
        assert!(warm == expected);
        assert!(used.cache_misses == 0 && used.cache_hits >= pieces, "{name}: {used:?}");

        segments[2].file.bytes[5] ^= 1;
        let (warm, used) = cached(&segments, &codec, &cache);
        assert!(warm == pack(&segments, &codec, 1) && used.cache_misses == 1, "{name}: {used:?}");
    }
}

#[test]
fn a_cache_that_is_not_to_be_changed_is_used() {
    let (directory, codec) = (directory(), codec("gzip:1"));
    let at = directory.path().join("cache");
    assert!(Cache::open_unchanged(&at).expect("it may be missing").is_none());
    assert!(!at.exists());
    let (mut segments, cache) = (segments(), cache(&directory));
    let (expected, _) = cached(&segments[..3], &codec, &cache);
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(1000);
    let before = entries(&directory);
    for path in &before {
        let file = fs::File::options().write(true).open(path).expect("it is ours");
        file.set_modified(old).expect("it is ours");
    }
    let unchanged = Cache::open_unchanged(directory.path()).expect("it can be read").expect("it is there");
    let (found, used) = cached(&segments[..3], &codec, &unchanged);
    assert!(found == expected && used.cache_misses == 0, "{used:?}");
    segments[0].file.bytes[5] ^= 1;
    let (found, used) = cached(&segments, &codec, &unchanged);
    assert!(found == pack(&segments, &codec, 1) && used.cache_misses > 0, "{used:?}");
    assert_eq!(entries(&directory), before);
    let modified = |path: &PathBuf| fs::metadata(path).and_then(|found| found.modified()).expect("a time");
    assert!(before.iter().all(|path| modified(path) == old));
}

/// Returns the segments with contents of layers, which are not read where the cache knows them.
fn identified(certainty: Certainty) -> Vec<TestSegment> {
    let names = ["layer a", "layer b", "layer c", "layer d", "layer e", "layer f"];
    let mut segments = segments();
    for (segment, name) in segments.iter_mut().zip(names) {
        segment.file.identity = Some((name, certainty));
    }
    segments
}

fn reads(segments: &[TestSegment]) -> u64 {
    segments.iter().map(|segment| segment.file.reads.load(Ordering::Relaxed)).sum()
}

#[test]
fn what_is_identified_is_not_read_again() {
    for name in ["gzip:1", "zstd:1", "xz:0"] {
        let (directory, codec) = (directory(), codec(name));
        let cache = cache(&directory);
        let (cold, used) = cached(&identified(Certainty::Certain), &codec, &cache);
        assert!(used.cache_hits == 0 && used.cache_misses >= 6, "{name}: {used:?}");
        let segments = identified(Certainty::Verified);
        let (warm, used) = cached(&segments, &codec, &cache);
        assert!(warm == cold && used.cache_misses == 0 && used.cache_hits >= 6, "{name}: {used:?}");
        assert_eq!(reads(&segments), 0, "{name}");
        // The bytes of another layer at the same place, and other headers, are not those.
        let mut other = identified(Certainty::Certain);
        other[0].file.bytes[5] ^= 1;
        other[0].file.identity = Some(("layer z", Certainty::Certain));
        other[1].header[0] ^= 1;
        let (found, used) = cached(&other, &codec, &cache);
        assert!(found == pack(&other, &codec, 1) && used.cache_misses == 2, "{name}: {used:?}");
        // Entries by identity lead to nothing without those of the bytes.
        for entry in entries(&directory) {
            if entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('c')) {
                fs::remove_file(entry).expect("it is ours");
            }
        }
        let (again, used) = cached(&identified(Certainty::Certain), &codec, &cache);
        assert!(again == cold && used.cache_hits == 0, "{name}: {used:?}");
    }
}

#[test]
fn the_place_in_a_layer_is_part_of_the_identity() {
    let (directory, codec) = (directory(), codec("gzip:1"));
    let cache = cache(&directory);
    let mut long = TestSegment::new(text(5 << 20, 1));
    long.file.identity = Some(("layer a", Certainty::Certain));
    let long = [long];
    let (cold, _) = cached(&long, &codec, &cache);
    let (warm, used) = cached(&long, &codec, &cache);
    assert!(cold == pack(&long, &codec, 1) && warm == cold && used.cache_misses == 0, "{used:?}");
}

/// Contents that others can change are read again, and not stored by their identity.
#[test]
fn only_certain_identities_are_stored() {
    let (directory, codec) = (directory(), codec("gzip:1"));
    let cache = cache(&directory);
    for certainty in [Certainty::Verified, Certainty::Unknown] {
        cached(&identified(certainty), &codec, &cache);
        let segments = identified(Certainty::Certain);
        let (_, used) = cached(&segments[..5], &codec, &cache);
        assert!(used.cache_misses == 0 && reads(&segments) >= 5, "{certainty:?}: {used:?}");
        for entry in entries(&directory) {
            fs::remove_file(entry).expect("it is ours");
        }
    }
    let segments = identified(Certainty::Unknown);
    cached(&segments[..5], &codec, &cache);
    let before = reads(&segments);
    cached(&segments[..5], &codec, &cache);
    assert_eq!(reads(&segments), 2 * before);
}

/// A changed header changes the bytes, even if the file is unchanged.
#[test]
fn headers_are_part_of_the_cache_key() {
    let (directory, codec) = (directory(), codec("gzip:1"));
    let cache = cache(&directory);
    let mut segments = segments();
    cached(&segments, &codec, &cache);
    segments[0].header[0] ^= 1;
    assert!(cached(&segments, &codec, &cache).0 == pack(&segments, &codec, 1));
}

/// A change of any byte of an entry invalidates it.
#[test]
fn wrong_entries_are_replaced() {
    let (directory, codec) = (directory(), codec("zstd:1"));
    let cache = cache(&directory);
    let segments = segments();
    let (expected, _) = cached(&segments, &codec, &cache);
    let whole: Vec<_> = entries(&directory).iter().map(|path| fs::read(path).expect("an entry")).collect();
    assert!(whole.len() >= 6, "an entry for each piece");
    type Damage = fn(&mut Vec<u8>);
    let damages: [Damage; 8] = [
        |bytes| bytes[0] ^= 1,
        |bytes| bytes[20] ^= 1,
        |bytes| bytes[60] ^= 1,
        |bytes| *bytes.last_mut().expect("a digest") ^= 1,
        |bytes| bytes.truncate(bytes.len() - 1),
        |bytes| bytes.truncate(50),
        |bytes| bytes.clear(),
        |bytes| bytes.push(0),
    ];
    for damage in damages {
        for path in entries(&directory) {
            let mut bytes = fs::read(&path).expect("an entry");
            damage(&mut bytes);
            fs::write(&path, bytes).expect("it is ours");
        }
        let (found, used) = cached(&segments, &codec, &cache);
        assert!(found == expected && used.cache_hits == 0, "{used:?}");
        let replaced: Vec<_> =
            entries(&directory).iter().map(|path| fs::read(path).expect("an entry")).collect();
        assert!(replaced == whole);
    }
    // An entry under the name of another has a valid digest and a wrong key.
    let all = entries(&directory);
    let swapped: Vec<_> = all.iter().rev().map(|path| fs::read(path).expect("an entry")).collect();
    for (path, bytes) in all.iter().zip(swapped) {
        fs::write(path, bytes).expect("it is ours");
    }
    assert!(cached(&segments, &codec, &cache).0 == expected);
}

#[test]
fn links_and_pipes_in_the_directory_are_not_entries() {
    let (directory, codec) = (directory(), codec("gzip:1"));
    let cache = cache(&directory);
    let segments = segments();
    let (expected, _) = cached(&segments, &codec, &cache);
    let other = tempfile::tempdir().expect("a temporary directory");
    for (number, path) in entries(&directory).iter().enumerate() {
        let aside = other.path().join(number.to_string());
        fs::rename(path, &aside).expect("it is ours");
        if number % 2 == 0 {
            symlink(&aside, path).expect("the name is free");
        } else {
            rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RUSR).expect("the name is free");
        }
    }
    let before: Vec<_> = fs::read_dir(other.path()).expect("a directory").map(|_| ()).collect();
    let (found, used) = cached(&segments, &codec, &cache);
    assert!(found == expected && used.cache_hits == 0);
    assert_eq!(fs::read_dir(other.path()).expect("a directory").count(), before.len());
    assert!(entries(&directory).iter().all(|path| path.symlink_metadata().expect("it is there").is_file()));
}

#[test]
fn several_runs_share_a_cache() {
    let (directory, codec) = (directory(), codec("gzip:1"));
    let expected = pack(&segments(), &codec, 1);
    thread::scope(|scope| {
        for number in 0..6 {
            let (directory, codec, expected) = (&directory, &codec, &expected);
            scope.spawn(move || {
                // Half of them keep removing entries that the others add.
                let limit = if number % 2 == 0 { GIB } else { 100_000 };
                let cache = Cache::open(directory.path(), limit).expect("a directory of our own");
                for _ in 0..3 {
                    assert!(cached(&segments(), codec, &cache).0 == *expected);
                }
            });
        }
    });
    assert!(entries(&directory).iter().all(|path| !path.to_string_lossy().contains(".new-")));
}

#[test]
fn least_recently_used_entries_are_removed_first() {
    let (directory, codec) = (directory(), codec("gzip:1"));
    let segments = segments();
    let (expected, _) = cached(&segments[..4], &codec, &cache(&directory));
    let all = entries(&directory);
    let size = |paths: &[PathBuf]| -> u64 {
        paths.iter().map(|path| fs::metadata(path).expect("an entry").len().next_multiple_of(4096)).sum()
    };
    // All but the last of them are old; an unrelated file is older still.
    let foreign = directory.path().join("README");
    fs::write(&foreign, vec![0; 1 << 20]).expect("a new file");
    for (path, age) in all.iter().rev().zip(1..) {
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(1000 * age);
        fs::File::options()
            .write(true)
            .open(path)
            .and_then(|file| file.set_modified(time))
            .expect("it is ours");
    }
    let limit = size(&all) / 2;
    let small = Cache::open(directory.path(), limit).expect("a directory of our own");
    let left: Vec<_> = all.iter().filter(|path| path.exists()).cloned().collect();
    assert!(!left.is_empty() && size(&left) <= limit, "{} of {}", left.len(), all.len());
    assert_eq!(left, all[all.len() - left.len()..], "the youngest are left");
    assert!(foreign.exists());
    assert!(cached(&segments[..4], &codec, &small).0 == expected);
    drop(fs::remove_file(foreign));
    assert!(size(&entries(&directory)) <= limit);
}

/// A cache without room, and one whose directory was removed, store nothing and change nothing.
#[test]
fn a_cache_without_space_is_not_an_error() {
    let (directory, codec) = (directory(), codec("gzip:1"));
    let segments = segments();
    let expected = pack(&segments, &codec, 1);
    let none = Cache::open(directory.path(), 0).expect("a directory of our own");
    assert!(cached(&segments, &codec, &none).0 == expected);
    assert!(entries(&directory).is_empty());
    let gone = Cache::open(directory.path(), GIB).expect("a directory of our own");
    fs::remove_dir(directory.path()).expect("it is empty");
    assert!(cached(&segments, &codec, &gone).0 == expected);
}

#[test]
fn directories_that_others_write_to_are_refused() {
    let directory = directory();
    let at = |name: &str| directory.path().join(name);
    let refused = |name: &str, message: &str| {
        let error = Cache::open(&at(name), GIB).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    };
    fs::create_dir(at("open")).expect("a new directory");
    fs::set_permissions(at("open"), fs::Permissions::from_mode(0o775)).expect("it is ours");
    refused("open", "others may write to it (mode 775)");
    symlink(directory.path(), at("link")).expect("a new link");
    refused("link", "links are not followed");
    fs::write(at("file"), "").expect("a new file");
    refused("file", "is not a directory");
    assert_eq!(Cache::open(&at("none/new"), GIB).expect_err("no parent").kind(), ErrorKind::Io);
    Cache::open(&at("new"), GIB).expect("it is made");
    assert_eq!(fs::metadata(at("new")).expect("it is there").permissions().mode() & 0o777, 0o700);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(at("new"), Some(1), None).expect("root may");
        refused("new", "belongs to user 1");
    }
}

#[test]
fn old_temporary_files_of_killed_runs_are_removed() {
    let directory = directory();
    let (old, young) = (directory.path().join(".new-1-0"), directory.path().join(".new-1-1"));
    fs::write(&old, "").expect("a new file");
    fs::write(&young, "").expect("a new file");
    let time = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 24 * 60 * 60);
    fs::File::options().write(true).open(&old).and_then(|file| file.set_modified(time)).expect("it is ours");
    cache(&directory);
    assert_eq!(entries(&directory), [young]);
}

/// The first piece of a long segment has the bytes of a segment that ends there, but is not a
/// member.
#[test]
fn a_segment_and_a_piece_of_the_same_bytes_have_separate_entries() {
    let codec = codec("gzip:1");
    let long = text(usize::try_from(codec.max_piece_len()).expect("it fits") + 1, 1);
    let short = long[..usize::try_from(initramfs::codec::gzip::PIECE_LEN).expect("it fits")].to_vec();
    let segments = [TestSegment::new(long), TestSegment::new(short)];
    let expected = pack(&segments, &codec, 1);
    for threads in THREADS {
        let directory = directory();
        let cache = cache(&directory);
        let packed = pack_with(&segments, &codec, threads, &Interrupt::never(), Some(&cache));
        assert!(packed.expect("nothing fails").0 == expected, "{threads} threads");
    }
}

/// A long frame is read for its key, and again for compression.
#[test]
fn bytes_that_change_after_their_key_are_not_cached() {
    let codec = codec("zstd:1");
    let bytes = text(usize::try_from(codec.max_piece_len()).expect("it fits") + 1, 1);
    let directory = directory();
    let cache = cache(&directory);
    let mut changing = [TestSegment::new(bytes.clone())];
    changing[0].file.misbehaves = Some(Misbehaviour::Changes(bytes.len().div_ceil(1 << 20) as u64));
    let constant = [TestSegment::new(bytes)];
    let expected = pack(&constant, &codec, 1);
    assert!(cached(&changing, &codec, &cache).0 != expected, "it changed");
    assert!(cached(&constant, &codec, &cache).0 == expected);
}
