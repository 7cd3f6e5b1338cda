use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::closure::testing::build::{self, Build};

fn malformed(bytes: &[u8]) -> Malformed {
    match Elf::read(bytes) {
        Err(ReadError::Malformed(malformed)) => malformed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_tag_is_read_for_every_class_and_byte_order() {
    for (wide, big_endian, machine) in
        [(true, false, 62), (false, false, 3), (true, true, 22), (false, true, 20)]
    {
        let mut build =
            Build::program().machine(wide, big_endian, machine).needs("liba.so.1").needs("$LIB/b");
        build = build.string(build::SONAME, "me").string(build::RPATH, "/r").string(build::RUNPATH, "/s:");
        build = build.string(build::FILTER, "f").string(build::AUXILIARY, "x");
        build = build.number(build::FLAGS_1, build::NODEFLIB | 1);
        build.notes = b"twelve bytes".to_vec();
        let elf = Elf::read(&build.bytes()[..]).expect("it is well made");
        let class = 1 + u8::from(wide);
        assert_eq!(elf.abi, Abi { class, data: 1 + u8::from(big_endian), machine });
        assert_eq!(elf.interpreter.as_deref(), Some(&b"/lib64/ld-linux-x86-64.so.2"[..]));
        let dependency = |kind, name: &[u8]| Dependency { kind, name: name.to_vec() };
        let dependencies = vec![
            dependency(DependencyKind::Needed, b"liba.so.1"),
            dependency(DependencyKind::Needed, b"$LIB/b"),
            dependency(DependencyKind::Filter, b"f"),
            dependency(DependencyKind::Auxiliary, b"x"),
        ];
        let dynamic = Dynamic {
            soname: Some(b"me".to_vec()),
            dependencies,
            rpath: Some(b"/r".to_vec()),
            runpath: Some(b"/s:".to_vec()),
            audits: Vec::new(),
            no_default_directories: true,
        };
        assert_eq!(elf.dynamic, Some(dynamic));
        assert_eq!(elf.notes, [NoteSegment { bytes: b"twelve bytes".to_vec(), align: 4, big_endian }]);
    }
}

#[test]
fn truncated_files_are_malformed() {
    let mut build = Build::program().needs("libc.so.6");
    build.notes = vec![0; 16];
    let whole = build.bytes();
    for len in 0..whole.len() {
        let result = Elf::read(&whole[..len]);
        // The truncated part may be padding, or the end of a string table whose strings are all
        // complete.
        assert!(
            len > 400 || matches!(result, Err(ReadError::Malformed(_))),
            "{len} of {} bytes",
            whole.len()
        );
    }
    assert_eq!(malformed(b""), Malformed::NotElf);
    assert_eq!(malformed(b"#!/bin/sh\n"), Malformed::NotElf);
    assert!(matches!(malformed(b"\x7fELF\x02\x01\x01"), Malformed::Outside { what: "the ELF header", .. }));
}

#[test]
fn corrupt_bytes_do_not_panic() {
    let mut build = Build::program().needs("libc.so.6").string(build::RUNPATH, "/a");
    build.notes = vec![0; 16];
    let whole = build.bytes();
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            // Either result is valid; it must not panic.
            let _ = Elf::read(&bytes[..]);
        }
    }
}

#[test]
fn counts_and_lengths_beyond_the_limits_are_rejected() {
    let many = (0..=MAX_NEEDED).fold(Build::new(), |build, _| build.needs("x"));
    assert!(matches!(malformed(&many.bytes()), Malformed::TooMany { count: 4097, limit: 4096, .. }));
    // A million needs take more bytes of tags than the limit.
    let mut million = Build::new();
    million.numbers = vec![(build::NEEDED, 0); 1_000_000];
    assert!(matches!(malformed(&million.bytes()), Malformed::TooMany { limit: MAX_DYNAMIC, .. }));
    let mut noted = Build::new();
    noted.notes = vec![0; (1 << 20) + 1];
    assert!(matches!(malformed(&noted.bytes()), Malformed::TooMany { limit: MAX_NOTES, .. }));
    let long = "x".repeat(MAX_PATH + 1);
    assert!(matches!(
        malformed(&Build::new().needs(&long).bytes()),
        Malformed::NoEnd { limit: MAX_PATH, .. }
    ));
    assert!(Elf::read(&Build::new().needs(&long[1..]).bytes()[..]).is_ok());
    // A thousand names of 4095 bytes.
    let heavy = (0..1000).fold(Build::new(), |build, _| build.needs(&long[1..]));
    assert!(matches!(malformed(&heavy.bytes()), Malformed::TooMany { .. }));
}

/// A file with a valid start and only zeros behind it, which counts the bytes that are read.
struct Sparse {
    start: Vec<u8>,
    len: u64,
    read: AtomicU64,
}

impl Content for Sparse {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        for (at, byte) in (offset..).zip(buffer) {
            *byte = usize::try_from(at).ok().and_then(|at| self.start.get(at)).copied().unwrap_or(0);
        }
        Ok(())
    }
}

#[test]
fn only_the_start_of_a_large_file_is_read() {
    let start = Build::program().needs("libc.so.6").bytes();
    let file = Sparse { start, len: 2 << 30, read: AtomicU64::new(0) };
    let elf = Elf::read(&file).expect("it is well made");
    assert_eq!(elf.dynamic.expect("it is dynamic").dependencies.len(), 1);
    assert!(file.read.load(Ordering::Relaxed) <= 128 << 10, "{file_read:?}", file_read = file.read);
}

#[test]
fn read_errors_are_distinguished_from_malformed_files() {
    struct Broken;
    impl Content for Broken {
        fn len(&self) -> u64 {
            100
        }
        fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
            Err(io::Error::other("the disk"))
        }
    }
    assert!(matches!(Elf::read(&Broken), Err(ReadError::Io(_))));
}

/// The offset of the last segment's header in a 64-bit library.
const LAST_SEGMENT: usize = 64 + 3 * 56;

#[test]
fn the_last_of_duplicate_tags_and_segments_applies() {
    let soname = |bytes: &[u8]| Elf::read(bytes).expect("it is well made").dynamic.expect("dynamic").soname;
    let twice = Build::new().string(build::SONAME, "first").string(build::SONAME, "second");
    assert_eq!(soname(&twice.bytes()), Some(b"second".to_vec()));

    // The notes become a segment that is mapped over the strings.
    let mut build = Build::new().string(build::SONAME, "below");
    build.notes = b"\0above\0".to_vec();
    let mut bytes = build.bytes();
    assert_eq!(soname(&bytes), Some(b"below".to_vec()));
    let strings = bytes.windows(5).position(|name| name == b"below").expect("it has the name") - 1;
    bytes[LAST_SEGMENT] = 1;
    bytes[LAST_SEGMENT + 16..LAST_SEGMENT + 24].copy_from_slice(&(strings as u64).to_le_bytes());
    assert_eq!(soname(&bytes), Some(b"above".to_vec()));
}

#[test]
fn properties_need_the_padding_of_their_class() {
    let mut build = Build::new();
    build.notes =
        [4, 16, 5, u32::from_le_bytes(*b"GNU\0"), 0xc000_8002, 4, 4, 0].map(u32::to_le_bytes).concat();
    let level = |align: u8, kind: u32| {
        let mut bytes = build.bytes();
        bytes[LAST_SEGMENT..LAST_SEGMENT + 4].copy_from_slice(&kind.to_le_bytes());
        bytes[LAST_SEGMENT + 48] = align;
        Elf::read(&bytes[..]).expect("it is well made").isa_level
    };
    assert_eq!(level(8, PT_GNU_PROPERTY), 2);
    assert_eq!(level(4, PT_GNU_PROPERTY), 0);
    assert_eq!(level(8, PT_NOTE), 0);
}

#[test]
fn only_the_gnu_and_mips_abis_have_versions() {
    let flaw = |machine: u16, os_abi: u8| {
        let mut bytes = Build::new().machine(true, false, machine).bytes();
        (bytes[7], bytes[8]) = (os_abi, 3);
        Elf::read(&bytes[..]).expect("it is well made").flaw
    };
    assert_eq!((flaw(62, 3), flaw(8, 0)), (None, None));
    assert!(flaw(62, 0).is_some());
}
