//! Archives that no program should write: each is read by a rule, or rejected with the error in
//! this table.

use rootcast::error::ErrorKind;
use rootcast::interrupt::Interrupt;
use rootcast::source::tar::{Limits, Reader, Unchanged};
use rootcast::stack::{Rules, Stack};

use super::builder::{Archive, put, record};
use super::tree_of_bytes;

/// Returns the result of an archive: the paths of the tree, or the error.
fn outcome(bytes: &[u8], limits: Limits) -> String {
    let interrupt = Interrupt::never();
    let mut stack = Stack::new(Rules::default());
    match Reader::bytes(bytes, limits, &interrupt).add_to(&mut stack, &mut Unchanged) {
        Ok(added) => {
            let mut paths = Vec::new();
            let tree = stack.tree();
            let mut walk = tree.walk();
            while let Some(step) = walk.next() {
                let mut path = Vec::new();
                walk.write_path(&mut path);
                let inode = tree.get(step.id);
                let implied = if added.report.implied.contains(&step.id) { "?" } else { "" };
                let kind = inode.kind.type_bits() | inode.metadata.mode;
                paths.push(format!("{}{implied}={kind:o}", path.escape_ascii()));
            }
            paths.extend(added.warnings.iter().map(|warning| format!("({warning})")));
            paths.join(" ")
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::BadInput, "{error}");
            error.to_string().strip_prefix("archive: ").expect("it names its source").to_owned()
        }
    }
}

fn check(cases: &[(Vec<u8>, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(bytes, expected)| {
            let found = outcome(bytes, Limits::DEFAULT);
            (found != *expected).then(|| format!("expected {expected}\n   found {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn one(path: &str) -> Vec<u8> {
    Archive::new().file(path, "").finish()
}

fn named(path: &[u8]) -> Vec<u8> {
    Archive::new().pax(b'x', &[("path", path)]).file("x", "").finish()
}

#[test]
fn member_names_are_normalized_or_rejected() {
    let long = "n".repeat(256);
    let too_long = format!("offset 1024: {long}: file name \"{long}\" is 256 bytes long, the limit is 255");
    check(&[
        (one("/etc/passwd"), "/?=40755 /etc?=40755 /etc/passwd=100644"),
        (one("//a//./b"), "/?=40755 /a?=40755 /a/b=100644"),
        (one("./a/."), "/?=40755 /a=100644"),
        (one("../a"), "offset 0: ../a: the path has a component \"..\", and none is followed upwards"),
        (
            one("a/../../b"),
            "offset 0: a/../../b: the path has a component \"..\", and none is followed upwards",
        ),
        (one(""), "offset 0: : the path is empty"),
        (one("."), "offset 0: .: the root of the tree is a file here, and can only be a directory"),
        (Archive::new().directory("./", 0o700).finish(), "/=40700"),
        (named(b"a\0b"), "offset 1024: a\\x00b: file name \"a\\x00b\" holds '/' or NUL"),
        (named(b"a\xff"), "/?=40755 /a\\xff=100644"),
        (named(long.as_bytes()), &too_long),
        (one("old/"), "/?=40755 /old=40644"),
    ]);
}

#[test]
fn paths_beyond_the_maximum_depth_are_rejected() {
    let bytes = named("d/".repeat(4000).as_bytes());
    let tree = tree_of_bytes(&bytes, Limits::DEFAULT).expect("4,000 deep is not too deep");
    assert_eq!(tree.inode_count(), 4001);
    let found = outcome(&named("d/".repeat(4097).as_bytes()), Limits::DEFAULT);
    assert!(found.ends_with("… (8194 bytes): the path has 4097 components, the limit is 4096"), "{found}");
}

#[test]
fn members_below_files_are_rejected_and_below_links_followed() {
    let start = || Archive::new().file("f", "").link("l", b'2', "/tmp").directory("d/", 0o755);
    check(&[
        (start().file("f/x", "").finish(), "offset 1536: f/x: f is a file; it cannot contain files"),
        (
            start().file("./l/x", "").finish(),
            "/?=40755 /d=40755 /f=100644 /l=120644 /tmp?=40755 /tmp/x=100644",
        ),
        (
            start().link("m", b'2', "m").file("m/x", "").finish(),
            "offset 2048: m/x: the path leads through more than 40 symbolic links, as a loop does",
        ),
        (
            start().directory("d/e/f/", 0o700).finish(),
            "/?=40755 /d=40755 /d/e?=40755 /d/e/f=40700 /f=100644 /l=120644",
        ),
        (
            start().file("a/b", "").directory("a", 0o711).finish(),
            "/?=40755 /a=40711 /a/b=100644 /d=40755 /f=100644 /l=120644",
        ),
        // The later one takes effect.
        (
            start().directory("f", 0o700).file("f/x", "").finish(),
            "/?=40755 /d=40755 /f=40700 /f/x=100644 /l=120644",
        ),
        (start().file("d/x", "").file("d", "").finish(), "/?=40755 /d=100644 /f=100644 /l=120644"),
        (
            start().file("d/x", "").file("d", "").file("d/y", "").finish(),
            "offset 2560: d/y: d is a file; it cannot contain files",
        ),
        (
            start().file("d/x", "").directory("d", 0o700).finish(),
            "/?=40755 /d=40700 /d/x=100644 /f=100644 /l=120644",
        ),
    ]);
}

#[test]
fn hard_links_need_an_earlier_file() {
    let start = || Archive::new().file("f", "").link("l", b'2', "l").directory("d/", 0o755);
    let all = "/?=40755 /d=40755 /f=100644";
    check(&[
        (start().link("h", b'1', "/f").finish(), &format!("{all} /h=100644 /l=120644")),
        (start().link("h", b'1', "l").finish(), &format!("{all} /h=120644 /l=120644")),
        (start().link("f", b'1', "f").finish(), &format!("{all} /l=120644")),
        (start().link("d", b'1', "f").finish(), "/?=40755 /d=100644 /f=100644 /l=120644"),
        (
            start().link("h", b'1', "g").finish(),
            "offset 1536: h: is a hard link to g, which neither an earlier member nor a source before it has",
        ),
        (
            start().link("a", b'1', "b").link("b", b'1', "a").finish(),
            "offset 1536: a: is a hard link to b, which neither an earlier member nor a source before it has",
        ),
        (
            start().link("h", b'1', "l/x").finish(),
            "offset 1536: h: is a hard link to l/x, which neither an earlier member nor a source before it has",
        ),
        (
            start().link("h", b'1', "d/").finish(),
            "offset 1536: h: is a hard link to d/, which is a directory",
        ),
        (start().link("h", b'1', "/").finish(), "offset 1536: h: is a hard link to /, which is a directory"),
        (
            start().link("h", b'1', "../f").finish(),
            "offset 1536: h: its target is \"../f\": the path has a component \"..\", and none is followed upwards",
        ),
        (start().link("s", b'2', "").finish(), "offset 1536: s: the target of a symbolic link is empty"),
        (
            start().link(".", b'1', "f").finish(),
            "offset 1536: .: the root of the tree is a hard link here, and can only be a directory",
        ),
    ]);
}

fn sparse(records: &[(&str, &[u8])], payload: &[u8]) -> Vec<u8> {
    Archive::new().pax(b'x', records).member("s", b'0', payload).finish()
}

#[test]
fn bad_maps_of_holes_in_gnu_headers_are_errors() {
    let old = |map: &[(&str, &str)], size: &str| {
        Archive::new()
            .raw(b"s", b'S', 4, b"abcd", |header| {
                put(header, 257, "ustar  \0");
                put(header, 483, size);
                for (index, (offset, len)) in map.iter().enumerate() {
                    put(header, 386 + 24 * index, offset);
                    put(header, 398 + 24 * index, len);
                }
            })
            .finish()
    };
    check(&[
        (
            old(&[("00000000000", "00000000002"), ("00000001000", "00000000002")], "00000002000"),
            "/?=40755 /s=100644",
        ),
        (
            old(&[("00000000010", "00000000002"), ("00000000000", "00000000002")], "00000002000"),
            "offset 0: s: its sparse map has a piece at 0, where the one before it ends at 10",
        ),
        (
            old(&[("00000000000", "00000000003")], "00000002000"),
            "offset 0: s: its sparse map covers 3 bytes, but 4 are stored",
        ),
        (
            old(&[("77777777777", "00000000004")], "00000002000"),
            "offset 0: s: its sparse map has a piece of 4 bytes at 8589934591 in a file of 1024 bytes",
        ),
    ]);
}

#[test]
fn bad_maps_of_holes_in_extended_headers_are_errors() {
    let v1: [(&str, &[u8]); 2] = [("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0")];
    check(&[
        (
            sparse(&[("GNU.sparse.map", b"0,4"), ("GNU.sparse.size", b"9223372036854775807")], b"abcd"),
            "/?=40755 /s=100644",
        ),
        (
            sparse(&[("GNU.sparse.map", b"0,4"), ("GNU.sparse.size", b"9223372036854775808")], b"abcd"),
            "offset 0: GNU.sparse.size is \"9223372036854775808\", which is not a number in the range of this keyword",
        ),
        (
            sparse(&[("GNU.sparse.map", b"0,2,1,2"), ("GNU.sparse.size", b"9")], b"abcd"),
            "offset 1024: s: its sparse map has a piece at 1, where the one before it ends at 2",
        ),
        (
            sparse(&[("GNU.sparse.map", b"0,2,1"), ("GNU.sparse.size", b"9")], b"abcd"),
            "offset 0: its sparse map is not the decimal numbers it should be",
        ),
        (
            sparse(&[("GNU.sparse.map", b"0,4")], b"abcd"),
            "offset 1024: s: its sparse map lacks the length of the file",
        ),
        (
            sparse(
                &[("GNU.sparse.numblocks", b"2"), ("GNU.sparse.map", b"0,4"), ("GNU.sparse.size", b"9")],
                b"abcd",
            ),
            "offset 1024: s: its sparse map has 1 pieces, but states 2",
        ),
        (
            sparse(&[v1[0], v1[1], ("GNU.sparse.realsize", b"9")], b"99999999999999999999\n"),
            "offset 1024: s: its sparse map is not the decimal numbers it should be",
        ),
        (
            sparse(&[v1[0], v1[1], ("GNU.sparse.realsize", b"9")], &[b'0'; 0]),
            "offset 1024: s: its sparse map is not the decimal numbers it should be",
        ),
        (
            sparse(&[("GNU.sparse.major", b"2"), ("GNU.sparse.realsize", b"9")], b""),
            "offset 1024: s: its sparse map is of version 2.0; known are 0.0, 0.1 and 1.0",
        ),
    ]);
}

#[test]
fn numbers_out_of_range_are_rejected() {
    let with = |at: usize, bytes: &'static [u8]| {
        Archive::new()
            .raw(b"f", b'0', 0, b"", |header| header[at..at + bytes.len()].copy_from_slice(bytes))
            .finish()
    };
    check(&[
        (
            with(108, b"\xff\xff\xff\xff\xff\xff\xff\xff"),
            "offset 0: f: uid is -1, and may be 0 to 4294967295",
        ),
        (with(116, b"\x80\0\0\x01\0\0\0\0"), "offset 0: f: gid is 4294967296, and may be 0 to 4294967295"),
        (with(116, b"\x80\0\0\0\xff\xff\xff\xff"), "/?=40755 /f=100644"),
        (with(136, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"), "/?=40755 /f=100644"),
        (
            with(124, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
            "offset 0: f: size is -1, and may be 0 to 9223372036854775807",
        ),
        (
            with(124, b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"),
            "offset 0: f: the files up to here have, holes left out, more than 1099511627776 bytes; --max-size sets the limit",
        ),
        (
            with(124, b"\x80\xff\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"),
            "offset 0: f: size is \"\\x80\\xff\\x00\\x00\\x7f\\xff\\xff\\xff\\xff\\xff\\xff\\xff\", which is not a number that fits 63 bits",
        ),
        (
            with(100, b"rwxr-xr\0"),
            "offset 0: f: mode is \"rwxr-xr\\x00\", which is not a number that fits 63 bits",
        ),
        (with(100, b"0777777\0"), "offset 0: f: mode is 262143, and may be 0 to 65535"),
    ]);
}

#[test]
fn invalid_extended_headers_are_rejected() {
    let big = 100_000_000_u64;
    let cases: &[(Vec<u8>, &str)] = &[
        (
            Archive::new().raw(b"x", b'x', big, b"", |_| {}).finish(),
            "offset 0: an extended header is 100000000 bytes long, the limit is 16777216",
        ),
        (
            Archive::new().raw(b"x", b'L', big, b"", |_| {}).finish(),
            "offset 0: a long name is 100000000 bytes long, the limit is 1048576",
        ),
        (
            Archive::new().raw(b"x", b'x', 600, b"", |_| {}).bytes(&[0; 512]).0,
            "offset 0: the archive ends 88 bytes before the end of an extended header",
        ),
        (
            Archive::new().pax(b'x', &[("path", b"a")]).finish(),
            "offset 0: applies to the next file, but none follows",
        ),
        (
            Archive::new().member("x", b'x', b"7 path=").finish(),
            "offset 0: the record at byte 0 of the extended header does not end with its line",
        ),
        (
            Archive::new().pax(b'g', &[("path", b"a")]).finish(),
            "offset 0: path is in a global header, but applies to a single file",
        ),
        (
            Archive::new().pax(b'g', &[("SCHILY.xattr.user.a", b"a")]).finish(),
            "offset 0: SCHILY.xattr.user.a is in a global header, but applies to a single file",
        ),
        (Archive::new().pax(b'g', &[("comment", b"a")]).file("f", "").finish(), "/?=40755 /f=100644"),
        (
            Archive::new().pax(b'x', &[("uid", b"-1")]).file("f", "").finish(),
            "offset 0: uid is \"-1\", which is not a number in the range of this keyword",
        ),
        (
            Archive::new().pax(b'x', &[("SCHILY.xattr.", b"a")]).file("f", "").finish(),
            "offset 0: xattr name \"\" is not 1 to 255 bytes without NUL",
        ),
        (
            Archive::new().pax(b'x', &[("SCHILY.acl.access", b"user::rwx")]).file("f", "").finish(),
            "offset 0: SCHILY.acl.access: user, group and other must all have an entry, and a mask if others have one",
        ),
        (
            Archive::new().link("m", b'M', "").finish(),
            "offset 0: m: type \"M\" is the rest of a file of an earlier volume; join the volumes first",
        ),
        (
            Archive::new().link("m", b'Z', "").finish(),
            "offset 0: m: type \"Z\" is none of a file, a directory, a link, a device or a fifo",
        ),
    ];
    check(cases);
}

#[test]
fn archives_cut_off_or_continued_after_their_end_are_rejected() {
    let f = || Archive::new().file("f", "12345");
    let cut = |len: usize| f().finish()[..len].to_vec();
    let mut damaged = f().finish();
    damaged[0] = b'g';
    let no_end = "the archive ends here without the two blocks of zeros that end every archive; if no tool wrote it so, \
                  it was cut off";
    check(&[
        (Vec::new(), &format!("/?=40755 (offset 0: {no_end})")),
        (vec![0; 1024], "/?=40755"),
        (cut(1024), &format!("/?=40755 /f=100644 (offset 1024: {no_end})")),
        (
            Archive::new().pax(b'x', &[("path", b"a")]).0,
            "offset 0: applies to the next file, but none follows",
        ),
        (cut(1536), "/?=40755 /f=100644"),
        (cut(1100), "offset 1024: the archive ends 436 bytes before the end of a block"),
        (cut(515), "offset 0: f: the archive ends 509 bytes before the end of the contents"),
        (cut(100), "offset 0: the archive ends 412 bytes before the end of a block"),
        (
            f().bytes(&[0; 512]).file("g", "").finish(),
            "offset 1024: a single block of zeros is followed by other data",
        ),
        ([f().finish(), vec![0; 9000]].concat(), "/?=40755 /f=100644"),
        (
            [f().finish(), vec![0; (64 << 20) + (1 << 19)]].concat(),
            "offset 67373056: more than 67108864 bytes of zeros follow the end of the archive; a device or a disk image is not an archive",
        ),
        (
            [f().finish(), vec![0; 900], b"x".to_vec()].concat(),
            "offset 2948: data follows the end of the archive; pass it as a source of its own",
        ),
        (damaged, "offset 0: the header's checksum is 6110 in octal, its bytes sum up to 6111"),
        (vec![b'x'; 2048], "offset 0: is not a tar header"),
    ]);
}

#[test]
fn limits_on_size_and_members_name_their_flags() {
    let limits = |max_size, max_entries| Limits { max_size, max_entries, ..Limits::DEFAULT };
    let files = Archive::new().file("a", "123").file("b/c", "4567").finish();
    assert_eq!(outcome(&files, limits(4096, 3)), "/?=40755 /a=100644 /b?=40755 /b/c=100644");
    assert_eq!(
        outcome(&files, limits(4096, 2)),
        "offset 1024: b/c: the archive has more than 2 members and directories above them; --max-entries sets the limit"
    );
    assert_eq!(
        outcome(&files, limits(1024, 3)),
        "offset 1024: the archive has more than 1024 bytes; --max-size sets the limit"
    );
    let sparse = sparse(&[("GNU.sparse.map", b"0,4"), ("GNU.sparse.size", b"50000")], b"abcd");
    assert_eq!(outcome(&sparse, limits(sparse.len() as u64, 2)), "/?=40755 /s=100644", "its hole is longer");
}

#[test]
fn a_bomb_of_zeros_does_not_use_memory() {
    use std::io::Write as _;
    const LEN: u64 = 1 << 30;
    let scratch = crate::product::Scratch::new();
    let path = scratch.join("bomb.tar.gz");
    let Some(mut gzip) = crate::judges::command("gzip") else { return };
    let file = std::fs::File::create(&path).unwrap();
    let mut child = gzip.arg("-1").stdin(std::process::Stdio::piped()).stdout(file).spawn().unwrap();
    {
        let mut pipe = child.stdin.take().unwrap();
        pipe.write_all(&Archive::new().raw(b"f", b'0', LEN, b"", |_| {}).0).unwrap();
        let zeros = vec![0; 1 << 20];
        (0..LEN >> 20).for_each(|_| pipe.write_all(&zeros).unwrap());
        pipe.write_all(&[0; 1024]).unwrap();
    }
    assert!(child.wait().unwrap().success());
    let tree = |size: &str| {
        crate::product::run(crate::product::rootcast().args(["tree", "--max-size", size]).arg(&path))
    };
    let outcome = tree("1G");
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert!(outcome.stderr.contains("more than 1073741824 bytes; --max-size sets the limit"), "{outcome}");
    assert!(tree("2G").success().unwrap().text().contains("/f 1073741824 "));
}

#[test]
fn global_records_apply_until_overridden() {
    let bytes = Archive::new()
        .pax(b'g', &[("uid", b"7"), ("mtime", b"5.5")])
        .file("a", "")
        .pax(b'x', &[("uid", b"8")])
        .file("b", "")
        .pax(b'x', &[("uid", b"")])
        .file("c", "")
        .file("d", "")
        .finish();
    let tree = tree_of_bytes(&bytes, Limits::DEFAULT).unwrap();
    let found: Vec<(u32, i64, u32)> = [b"/a", b"/b", b"/c", b"/d"]
        .iter()
        .map(|path| &tree.get(tree.resolve_no_symlinks(*path).unwrap()).metadata)
        .map(|metadata| (metadata.uid, metadata.mtime.seconds(), metadata.mtime.nanoseconds()))
        .collect();
    assert_eq!(found, [7, 8, 0, 7].map(|uid| (uid, 5, 500_000_000)));
    assert_eq!(record("path", b"abc"), b"12 path=abc\n");
}
