//! Trees are written to archives by a writer that is independent of the reader, and read back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rootcast::source::tar::Limits;

use super::builder::{Archive, put};
use super::{expected, tree_of_bytes};
use crate::oracle::Expected;
use crate::oracle::expected::{Content, File, Kind, Sees, Time};

/// A file; its place in the depth-first order depends on its path.
fn file() -> impl Strategy<Value = (File, Vec<u8>)> {
    // Lengths around the size of a block.
    let contents = prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 1..20),
        prop::collection::vec(any::<u8>(), 511..514)
    ];
    let kind = prop_oneof![
        4 => Just(Kind::Regular(Content::UNKNOWN)),
        1 => Just(Kind::Directory),
        // Lengths around the capacity of a header.
        1 => prop_oneof![1..5_usize, 98..103_usize].prop_map(|len| Kind::Symlink(vec![b't'; len])),
        1 => (0..4096_u32, 0..0x10_0000_u32).prop_map(|(major, minor)| Kind::CharacterDevice { major, minor }),
        1 => Just(Kind::Fifo),
    ];
    let xattrs = prop::collection::btree_map(
        "user\\.[a-z=]{1,5}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..10),
        0..3,
    );
    // Values around the capacity of octal fields.
    let id = || prop_oneof![0..3_u32, 0o7_777_776..0o10_000_002_u32, Just(u32::MAX)];
    let time = (prop_oneof![-2..3_i64, 0o77_777_777_776..0o100_000_000_002_i64], 0..1_000_000_000_u32);
    (kind, 0..0o10000_u32, id(), id(), time, xattrs, contents).prop_map(
        |(kind, mode, uid, gid, (seconds, nanoseconds), xattrs, contents)| {
            let kind = match kind {
                Kind::Regular(_) => Kind::Regular(Content::of(&contents)),
                kind => kind,
            };
            let mtime = Some(Time { seconds, nanoseconds });
            (File { uid, gid, mtime, xattrs, ..File::new(kind, mode) }, contents)
        },
    )
}

/// Names with lengths around the capacity of a header, some of them not UTF-8.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[a-c]".prop_map(String::into_bytes),
        (98..103_usize).prop_map(|len| vec![b'n'; len]),
        Just(vec![b'x'; 255]),
        Just(b"\xff\n=".to_vec()),
    ]
}

fn archive(files: &[(Vec<u8>, File, Vec<u8>)]) -> Vec<u8> {
    let mut archive = Archive::new();
    for (path, file, contents) in files {
        let Time { seconds, nanoseconds } = file.mtime.expect("every file has a time");
        // The next second, minus the rest of the fraction.
        let mtime = match (seconds, nanoseconds) {
            (0.., _) | (_, 0) => format!("{seconds}.{nanoseconds:09}"),
            _ => format!("-{}.{:09}", -(seconds + 1), 1_000_000_000 - nanoseconds),
        };
        let (uid, gid) = (file.uid.to_string(), file.gid.to_string());
        let mut records: Vec<(String, &[u8])> = vec![
            ("path".to_owned(), path),
            ("mtime".to_owned(), mtime.as_bytes()),
            ("uid".to_owned(), uid.as_bytes()),
            ("gid".to_owned(), gid.as_bytes()),
        ];
        let (mut flag, mut device) = (b'0', (0, 0));
        match &file.kind {
            Kind::Directory => flag = b'5',
            Kind::Symlink(target) => {
                flag = b'2';
                records.push(("linkpath".to_owned(), target));
            }
            Kind::CharacterDevice { major, minor } => (flag, device) = (b'3', (*major, *minor)),
            Kind::Fifo => flag = b'6',
            _ => {}
        }
        for (name, value) in &file.xattrs {
            // A keyword ends at the first equals sign.
            if !name.contains(&b'=') {
                let name = String::from_utf8(name.clone()).expect("ASCII");
                records.push((format!("SCHILY.xattr.{name}"), value));
            }
        }
        let records: Vec<(&str, &[u8])> = records.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        let payload = if flag == b'0' { contents.as_slice() } else { b"" };
        archive = archive.pax(b'x', &records).raw(b"short", flag, payload.len() as u64, payload, |header| {
            put(header, 100, &format!("{:07o}", file.mode));
            put(header, 329, &format!("{:07o}", device.0));
            put(header, 337, &format!("{:07o}", device.1));
        });
    }
    archive.finish()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, rng_seed: RngSeed::Fixed(0), ..ProptestConfig::default() })]

    #[test]
    fn written_archives_read_back(
        entries in prop::collection::vec((name(), file(), any::<prop::sample::Index>()), 0..12)
    ) {
        let mut tree: BTreeMap<Vec<u8>, File> = BTreeMap::new();
        tree.insert(b"/".to_vec(), File { mtime: Some(Time { seconds: 0, nanoseconds: 0 }), ..File::new(Kind::Directory, 0o755) });
        let mut files = Vec::new();
        for (name, (mut file, contents), index) in entries {
            let directories: Vec<&Vec<u8>> =
                tree.iter().filter(|(_, file)| file.kind == Kind::Directory).map(|(path, _)| path).collect();
            let parent = (*index.get(&directories)).clone();
            let path = [if parent == b"/" { b"" } else { parent.as_slice() }, b"/", &name].concat();
            file.xattrs.retain(|name, _| !name.contains(&b'='));
            if tree.contains_key(&path) {
                continue;
            }
            files.push((path.clone(), file.clone(), contents));
            tree.insert(path, file);
        }
        let read = tree_of_bytes(&archive(&files), Limits::DEFAULT).expect("it is right");
        let compared = Expected { files: tree }.compare(&expected(&read), Sees::EVERYTHING);
        prop_assert!(compared.is_ok(), "{}", compared.unwrap_err());
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(
        bytes in prop::collection::vec((any::<u8>(), 0..4096_usize), 0..8)
    ) {
        // A valid archive with some bytes changed and its checksums updated.
        let mut archive = Archive::new()
            .pax(b'x', &[("GNU.sparse.map", b"0,1,2,3"), ("GNU.sparse.size", b"9"), ("SCHILY.xattr.a", b"b")])
            .file("dir/sparse", "abcd")
            .link("hard", b'1', "dir/sparse")
            .link("soft", b'2', "hard")
            .finish();
        for (byte, at) in bytes {
            if let Some(place) = archive.get_mut(at) {
                *place = byte;
            }
        }
        for header in archive.chunks_exact_mut(512) {
            if let Ok(header) = <&mut [u8; 512]>::try_from(header)
                && header[257] == b'u'
            {
                super::builder::checksum(header);
            }
        }
        // Any result is accepted, but not a panic.
        let _ = tree_of_bytes(&archive, Limits { max_size: 1 << 20, max_entries: 100, ..Limits::DEFAULT });
    }
}
