use image_tree::{InodeId, Kind, Tree};

use super::scan::{Library, Link, Scan, is_library_name, scan};
use super::*;
use crate::closure::testing::small_tree::tree;

const EM_X86_64: u16 = 62;
const EM_S390: u16 = 22;

fn x86_64() -> Abi {
    Abi::of_elf(2, 1, EM_X86_64, 0).expect("it is known")
}

fn entry(name: &str, path: &str) -> Entry {
    Entry { name: name.into(), path: path.into(), flags: x86_64().flags, hwcaps: None }
}

fn for_processors(subdirectory: &str, isa_level: u16, entry: Entry) -> Entry {
    Entry { hwcaps: Some(Hwcaps { subdirectory: subdirectory.into(), isa_level }), ..entry }
}

fn cache(entries: Vec<Entry>) -> Cache {
    Cache { big_endian: false, generator: b"a test".to_vec(), entries }
}

fn names(cache: &Cache) -> Vec<&str> {
    cache.entries.iter().map(|entry| str::from_utf8(&entry.name).expect("text")).collect()
}

#[test]
fn names_are_sorted_in_descending_version_order() {
    let given = ["libb.so.1", "libc.so.6", "libb.so.10", "libb-2.so", "libb.so.9", "libb.so", "libb2.so"];
    let bytes = cache(given.iter().map(|name| entry(name, "/lib/x")).collect()).to_bytes(x86_64());
    let read = Cache::parse(&bytes.expect("it can be written"), false).expect("it can be read");
    let expected = ["libc.so.6", "libb2.so", "libb.so.10", "libb.so.9", "libb.so.1", "libb.so", "libb-2.so"];
    assert_eq!(names(&read), expected);
}

#[test]
fn equal_names_are_sorted_by_flags_and_subdirectories() {
    let other = Entry { flags: 3, ..entry("liba.so", "/other") };
    let entries = vec![
        other.clone(),
        entry("liba.so", "/first"),
        entry("liba.so", "/second"),
        for_processors("x86-64-v3", 3, entry("liba.so", "/v3")),
        for_processors("x86-64-v2", 0, entry("liba.so", "/v2")),
    ];
    let cache = cache(entries);
    let read = Cache::parse(&cache.to_bytes(x86_64()).expect("it can be written"), true);
    let read = read.expect("it can be read");
    let [other, first, second, v3, v2] = &cache.entries[..] else { panic!("five") };
    assert_eq!(read.entries.iter().collect::<Vec<_>>(), [v2, v3, first, second, other]);
    assert_eq!((read.big_endian, &read.generator[..]), (false, &b"a test"[..]));
}

#[test]
fn the_byte_order_is_that_of_the_machine() {
    let s390x = Abi::of_elf(2, 2, EM_S390, 0).expect("it is known");
    let mut cache = cache(vec![for_processors("z14", 0, entry("libc.so.6", "/lib/libc.so.6"))]);
    cache.big_endian = s390x.big_endian;
    cache.entries[0].flags = s390x.flags;
    let bytes = cache.to_bytes(s390x).expect("it can be written");
    assert_eq!(bytes[20..32], [0, 0, 0, 1, 0, 0, 0, 19, 3, 0, 0, 0]);
    assert_eq!(bytes[48..52], [0, 0, 4, 3]);
    assert_eq!(bytes[64..72], [0x40, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(Cache::parse(&bytes, false), Ok(cache));
}

#[test]
fn a_string_that_is_a_suffix_of_another_is_shared() {
    let cache = cache(vec![entry("libc.so.6", "/lib/libc.so.6"), entry("libc.so", "/usr/libc.so")]);
    let bytes = cache.to_bytes(x86_64()).expect("it can be written");
    let strings = &bytes[48 + 48..];
    assert!(strings.starts_with(b"/usr/libc.so\0/lib/libc.so.6\0t!\xa4\xea"), "{}", strings.escape_ascii());
}

#[test]
fn an_empty_cache_is_written_and_parsed() {
    let bytes = cache(Vec::new()).to_bytes(x86_64()).expect("it can be written");
    assert_eq!(Cache::parse(&bytes, false), Ok(cache(Vec::new())));
}

#[test]
fn unrepresentable_entries_are_errors() {
    let nul = cache(vec![entry("liba\0.so", "/lib/liba.so")]).to_bytes(x86_64());
    assert_eq!(nul, Err(CacheError::Nul(b"liba\0.so".to_vec())));
    let level = cache(vec![for_processors("v9", 1024, entry("liba.so", "/lib/liba.so"))]).to_bytes(x86_64());
    assert_eq!(level, Err(CacheError::IsaLevel(1024)));
}

#[test]
fn corrupt_caches_do_not_panic_and_truncated_ones_are_errors() {
    let entries =
        vec![entry("libc.so.6", "/lib/libc.so.6"), for_processors("x86-64-v3", 3, entry("liba.so", "/v3"))];
    let bytes = cache(entries).to_bytes(x86_64()).expect("it can be written");
    for len in 0..bytes.len() {
        assert!(Cache::parse(&bytes[..len], false).is_err(), "{len} bytes are a whole cache");
    }
    for at in 0..bytes.len() {
        for wrong in [0, 0x7f, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] = wrong;
            let _ = Cache::parse(&bytes, false);
        }
    }
    let mut many = bytes;
    many[20..24].copy_from_slice(&(MAX_ENTRIES + 1).to_le_bytes());
    assert_eq!(Cache::parse(&many, false), Err(CacheError::TooMany(MAX_ENTRIES + 1)));
}

#[test]
fn a_cache_behind_one_of_the_older_format_is_parsed() {
    let cache = cache(vec![entry("libc.so.6", "/lib/libc.so.6")]);
    let mut bytes = b"ld.so-1.7.0\0".to_vec();
    bytes.extend([2, 0, 0, 0]);
    bytes.extend([0; 24]);
    let mut newer = cache.to_bytes(x86_64()).expect("it can be written");
    let moved = u32::from_le_bytes(newer[32..36].try_into().expect("four")) + 40;
    newer[32..36].copy_from_slice(&moved.to_le_bytes());
    let section = usize::try_from(moved).expect("small") - 40 + 8 + 8;
    let data = u32::from_le_bytes(newer[section..section + 4].try_into().expect("four")) + 40;
    newer[section..section + 4].copy_from_slice(&data.to_le_bytes());
    bytes.extend(newer);
    assert_eq!(Cache::parse(&bytes, false), Ok(cache));
}

#[test]
fn flags_are_those_of_the_architecture() {
    let flags =
        |class, data, machine, e_flags| Abi::of_elf(class, data, machine, e_flags).map(|abi| abi.flags);
    assert_eq!(flags(2, 1, 183, 0), Some(0xa03), "aarch64");
    assert_eq!(flags(2, 1, 21, 2), Some(0x503), "ppc64le");
    assert_eq!(flags(2, 2, 22, 0), Some(0x403), "s390x");
    assert_eq!(flags(2, 1, 243, 5), Some(0x1003), "riscv64");
    assert_eq!(flags(2, 1, 243, 3), None, "riscv64 with single floats");
    assert_eq!(flags(1, 1, 3, 0), Some(3), "i386");
    assert_eq!(flags(1, 1, 40, 0x0500_0400), Some(0x903), "armhf");
    assert_eq!(flags(1, 1, 40, 0x0500_0200), Some(0xb03), "armel");
    assert_eq!(flags(2, 1, 258, 0x43), Some(0x1203), "loongarch64");
    assert_eq!(flags(2, 1, 0xffff, 0), None);
}

/// Scans a tree in which the content of each file is the soname of a library.
fn listed(tree: &Tree<Vec<u8>>, directories: &[&str]) -> Scan {
    let directories: Vec<Vec<u8>> = directories.iter().map(|path| path.as_bytes().to_vec()).collect();
    let inspect = |inode: InodeId| {
        let Kind::Regular(soname) = &tree.get(inode).kind else { panic!("a file is asked for") };
        let soname = (soname != b"none").then(|| soname.clone());
        Ok::<_, ()>((soname.as_deref() != Some(b"no library")).then(|| Library {
            soname,
            abi: x86_64(),
            isa_level: 0,
        }))
    };
    scan(tree, &directories, inspect).expect("nothing fails")
}

fn check(tree: &Tree<Vec<u8>>, directories: &[&str], expected: &[(&str, &str)]) {
    let scan = listed(tree, directories);
    let found: Vec<_> = scan
        .entries
        .iter()
        .map(|entry| (entry.name.escape_ascii().to_string(), entry.path.escape_ascii().to_string()))
        .collect();
    let expected: Vec<_> =
        expected.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned())).collect();
    assert_eq!(found, expected);
}

#[test]
fn sonames_and_names_for_the_link_editor_are_listed() {
    let files =
        [("/lib/libx.so.1.2", "libx.so.1"), ("/lib/liby-3.so", "none"), ("/lib/libz.so", "no library")];
    let links = [("/lib/libx.so.1", "libx.so.1.2"), ("/lib/libx.so", "libx.so.1"), ("/lib/dead.so", "none")];
    let expected =
        [("libx.so", "/lib/libx.so"), ("libx.so.1", "/lib/libx.so.1"), ("liby-3.so", "/lib/liby-3.so")];
    let tree = tree(&files, &links);
    check(&tree, &["/lib"], &expected);
    assert_eq!(listed(&tree, &["/lib"]).links, []);
}

#[test]
fn a_directory_with_two_names_is_listed_once_by_the_first() {
    let tree = tree(&[("/usr/lib/libx.so.1", "libx.so.1")], &[("/lib", "usr/lib")]);
    check(&tree, &["/none", "/lib/", "/usr/lib"], &[("libx.so.1", "/lib/libx.so.1")]);
}

#[test]
fn the_soname_links_to_the_highest_version() {
    let files = [("/lib/libx.so.1.9", "libx.so.1"), ("/lib/libx.so.1.10", "libx.so.1")];
    let missing = tree(&files, &[]);
    let link = |target: &str| Link {
        directory: b"/lib".to_vec(),
        name: b"libx.so.1".to_vec(),
        target: target.as_bytes().to_vec(),
    };
    assert_eq!(listed(&missing, &["/lib"]).links, [link("libx.so.1.10")]);
    let old = tree(&files, &[("/lib/libx.so.1", "libx.so.1.9")]);
    assert_eq!(listed(&old, &["/lib"]).links, [link("libx.so.1.10")]);
    let file = tree(&[("/lib/libx.so.1.9", "libx.so.1"), ("/lib/libx.so.1", "libx.so.1")], &[]);
    assert_eq!(listed(&file, &["/lib"]).links, [], "a file is not replaced");
}

#[test]
fn libraries_in_hwcaps_subdirectories_are_listed() {
    let tree = tree(
        &[
            ("/lib/libx.so.1", "libx.so.1"),
            ("/lib/glibc-hwcaps/x86-64-v3/libx.so.1.2", "libx.so.1"),
            ("/lib/glibc-hwcaps/.hidden/libx.so.1", "libx.so.1"),
        ],
        &[],
    );
    let v3 = ("libx.so.1", "/lib/glibc-hwcaps/x86-64-v3/libx.so.1.2");
    check(&tree, &["/lib"], &[("libx.so.1", "/lib/libx.so.1"), v3]);
}

/// glibc before 2.40 lists them.
#[test]
fn temporary_files_of_package_managers_are_not_listed() {
    let files = [
        "liba.so.1.dpkg-new",
        "libb.so.1.dpkg-tmp",
        "libc.so;5f3a",
        "libd.so.#prelink#",
        "libe.so.#prelink#.AbCdEf",
    ]
    .map(|name| format!("/lib/{name}"));
    let files: Vec<(&str, &str)> = files.iter().map(|path| (&path[..], "none")).collect();
    check(&tree(&files, &[]), &["/lib"], &[]);
}

#[test]
fn names_of_libraries_are_recognized() {
    for name in ["libc.so.6", "ld-linux-x86-64.so.2", "ld-2.36.so", "ld64.so.1", "ld.so.1", "libx.so.1;tmp"] {
        assert!(is_library_name(name.as_bytes()), "{name}");
    }
    for name in ["crtn.o", "libc.a", "pam_unix.so", "ld.so", "lib.s"] {
        assert!(!is_library_name(name.as_bytes()), "{name}");
    }
}
