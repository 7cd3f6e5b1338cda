//! Archives of any origin, and archives stacked on each other.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use image_tree::{Content as _, InodeId, Tree};
use rootcast::blob::Blob;
use rootcast::error::Error;
use rootcast::interrupt::Interrupt;
use rootcast::source::tar::{Limits, Reader, Unchanged};
use rootcast::stack::{Rules, Stack, Whiteouts};

use crate::input::small;
use crate::sources::dump::{self, Bytes};
use crate::{Choices, Outcome};

const BLOCK: usize = 512;
/// Longer files, which have holes, are not read completely.
const MAX_WHOLE: u64 = 1 << 20;
const LIMITS: Limits = Limits { max_size: 1 << 20, max_entries: 2000, decoder_memory: Some(1 << 20) };

/// A tree, and its directories without a member of their own.
type Read = (Stack<Blob>, BTreeSet<InodeId>);

fn read(reader: Result<Reader<'_>, Error>) -> Result<Read, Error> {
    let mut stack = Stack::new(Rules::default());
    let added = reader?.add_to(&mut stack, &mut Unchanged)?;
    Ok((stack, added.report.implied))
}

/// Reads arbitrary bytes in place and as a stream: both must give the same tree, or the same error.
pub fn check_bytes(bytes: &[u8]) -> Outcome {
    let interrupt = Interrupt::never();
    let in_place = read(Ok(Reader::bytes(bytes, LIMITS, &interrupt)));
    let streamed = read(Reader::stream(bytes, None, Path::new("archive"), LIMITS, &interrupt));
    match (in_place, streamed) {
        (Ok((in_place, implied)), Ok((streamed, implied_by_stream))) => {
            assert_eq!(implied, implied_by_stream);
            let is_gone = |id: &&InodeId| in_place.tree().path_of(**id).is_empty();
            let is_directory = |id: &InodeId| in_place.tree().entries(*id).is_some();
            assert!(implied.iter().all(|id| is_gone(&id) || is_directory(id)), "a directory is none");
            let tree = check_tree(in_place.finish());
            assert!(tree == check_tree(streamed.finish()), "a stream gives another tree");
            Outcome::Checked
        }
        (Err(in_place), Err(streamed)) => {
            assert_eq!(in_place.kind(), streamed.kind());
            let (in_place, streamed) = (in_place.to_string(), streamed.to_string());
            // Contents that exceed both the remaining archive and the limit give different errors,
            // since a stream does not know its remaining length.
            if !streamed.contains("--max-size") {
                assert_eq!(in_place, streamed);
            }
            Outcome::Refused
        }
        (Ok(_), Err(error)) => panic!("only the stream is refused: {error}"),
        (Err(error), Ok(_)) => panic!("only the stream is taken: {error}"),
    }
}

/// Reads an archive of arbitrary members with a valid structure, or adds one to another.
pub fn check_members(bytes: &[u8]) -> Outcome {
    match bytes.split_first() {
        Some((rules @ 0x80.., rest)) => check_stack(*rules, rest),
        _ => check_bytes(&archive(bytes)),
    }
}

/// Adds one archive of arbitrary members to another, as members and as a tree, by rules that a byte
/// selects.
fn check_stack(rules: u8, bytes: &[u8]) -> Outcome {
    let rules = Rules {
        whiteouts: if rules & 1 == 0 { Whiteouts::Apply } else { Whiteouts::Report },
        keep_directory_symlink: rules & 2 == 0,
        is_layer: false,
    };
    let (lower, upper) = bytes.split_at(bytes.len() / 2);
    let archives = [archive(lower), archive(upper)];
    let interrupt = Interrupt::never();
    let mut stack = Stack::new(rules);
    for archive in &archives {
        let reader = Reader::bytes(archive, LIMITS, &interrupt);
        if reader.add_to(&mut stack, &mut Unchanged).is_err() {
            return Outcome::Refused;
        }
    }
    let tree = stack.finish();
    // Its paths have no links in between and each name has one inode, so stacking it on an empty
    // tree, and then on itself, must not change it.
    if rules.whiteouts == Whiteouts::Report {
        let mut again = Stack::new(rules);
        again.add_tree(tree.clone()).expect("a tree has nothing to refuse");
        let grafted = again.add_tree(tree.clone()).expect("a tree has nothing to refuse");
        assert!(rules.keep_directory_symlink || grafted.report.replaced.iter().all(|one| one.was == one.now));
        assert!(again.finish() == tree, "a tree over itself is another one");
    }
    check_tree(tree);
    Outcome::Checked
}

/// Reads all contents and writes the tree.
fn check_tree(tree: Tree<Blob>) -> Bytes {
    small::check_names(&tree);
    let mut total = 0;
    let content = |blob: Blob| {
        let whole = [0..blob.len()];
        let data = blob.data_ranges().unwrap_or(if blob.is_empty() { &[] } else { &whole });
        total += data.iter().map(|range| range.end - range.start).sum::<u64>();
        if blob.len() > MAX_WHOLE {
            return Ok::<_, std::convert::Infallible>(data_bytes(&blob, data));
        }
        let mut bytes = vec![0; usize::try_from(blob.len()).expect("small")];
        blob.read_at(&mut bytes, 0).expect("memory is readable");
        // A read of the second half must match, and a read past the end returns nothing.
        let middle = bytes.len() / 2;
        let mut half = vec![0; bytes.len() - middle];
        blob.read_at(&mut half, middle as u64).expect("memory is readable");
        assert!(half == bytes[middle..], "a part is another than in the whole");
        assert!(blob.read_at(&mut [0], blob.len()).is_err(), "there is a byte behind the end");
        let mut end = 0;
        for range in data {
            assert!(end <= range.start && range.start < range.end && range.end <= blob.len(), "{data:?}");
            let hole = &bytes[index(end)..index(range.start)];
            assert!(hole.iter().all(|byte| *byte == 0), "there is data before {range:?}");
            end = range.end;
        }
        assert!(bytes[index(end)..].iter().all(|byte| *byte == 0), "there is data behind {end}");
        Ok(bytes)
    };
    let Ok(tree) = tree.try_map_content(content);
    assert!(total <= 2 * LIMITS.max_size, "{total} bytes are more than the limit");
    dump::check_round_trip(&tree);
    tree
}

/// Returns the bytes of a long file's data ranges with their offsets.
fn data_bytes(blob: &Blob, data: &[Range<u64>]) -> Vec<u8> {
    let mut bytes = format!("{} {data:?}", blob.len()).into_bytes();
    for range in data {
        let mut piece = vec![0; index(range.end - range.start)];
        blob.read_at(&mut piece, range.start).expect("memory is readable");
        bytes.append(&mut piece);
    }
    bytes
}

fn index(at: u64) -> usize {
    usize::try_from(at).expect("no longer than what is in memory")
}

/// Creates an archive of members from choices.
#[must_use]
pub fn archive(bytes: &[u8]) -> Vec<u8> {
    const MAX_MEMBERS: usize = 60;
    let mut choices = Choices::new(bytes);
    let mut archive = Vec::new();
    for _ in 0..MAX_MEMBERS {
        if choices.is_empty() {
            break;
        }
        member(&mut choices, &mut archive);
    }
    if choices.wrong() {
        archive.truncate(archive.len().saturating_sub(choices.index(2 * BLOCK)));
    }
    archive.resize(archive.len() + if choices.wrong() { choices.index(1500) } else { 2 * BLOCK }, 0);
    archive
}

fn member(choices: &mut Choices<'_>, archive: &mut Vec<u8>) {
    match choices.up_to(15) {
        0..=7 => {}
        8..=9 => extended(choices, archive, b'x'),
        10 => extended(choices, archive, b'g'),
        11 => long(choices, archive, b'L'),
        12 => long(choices, archive, b'K'),
        13 => return old_sparse(choices, archive),
        _ => return new_sparse(choices, archive),
    }
    let types = if choices.wrong() { &b"\x00017MVDXNSAZxgLK"[..] } else { b"0552341670" };
    let type_flag = choices.one_of(types);
    let mut header = header(choices, type_flag);
    let payload: &[u8] = match type_flag {
        b'0' | b'7' | 0 => choices.bytes(1200),
        _ => b"",
    };
    set(&mut header, 100, 8, if choices.wrong() { choices.u64() } else { choices.up_to(0o7777) });
    if choices.wrong() {
        let field = choices.one_of(&[(108, 8), (116, 8), (136, 12), (329, 8), (337, 8), (124, 12)]);
        base_256(&mut header, field, choices.u64().cast_signed());
    } else {
        set(&mut header, 124, 12, payload.len() as u64);
    }
    push(archive, header, payload);
}

/// Creates a header in one of the formats, with arbitrary path and target.
fn header(choices: &mut Choices<'_>, type_flag: u8) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    put(&mut header, 0, 100, &path(choices));
    for (at, len) in [(100, 8), (108, 8), (116, 8), (124, 12), (136, 12)] {
        set(&mut header, at, len, 0);
    }
    header[156] = type_flag;
    if matches!(type_flag, b'1' | b'2') {
        put(&mut header, 157, 100, &path(choices));
    }
    match choices.up_to(4) {
        0..=1 => put(&mut header, 257, 8, b"ustar\x0000"),
        2 => put(&mut header, 257, 8, b"ustar  \0"),
        3 => {
            put(&mut header, 257, 8, b"ustar\x0000");
            put(&mut header, 508, 4, b"tar\0");
        }
        _ => {}
    }
    if choices.rarely(8) {
        put(&mut header, 345, 155, &path(choices));
    }
    header
}

fn path(choices: &mut Choices<'_>) -> Vec<u8> {
    const WORDS: [&str; 18] = [
        "a",
        "b",
        "c",
        "a/b",
        "a/c",
        "./a",
        "b/a/c",
        "/c",
        "a/",
        ".wh.a",
        "a/.wh.b",
        "a/.wh..wh..opq",
        ".wh..wh.p/a",
        "b/c/",
        ".wh.",
        ".",
        "..",
        "a/../b",
    ];
    match choices.up_to(15) {
        0..=13 if choices.wrong() => choices.one_of(&WORDS).into(),
        0..=13 => choices.one_of(&WORDS[..14]).into(),
        14 => choices.bytes(100).to_vec(),
        _ => b"d/".repeat(choices.index(130)),
    }
}

/// Adds extended records before a header.
fn extended(choices: &mut Choices<'_>, archive: &mut Vec<u8>, type_flag: u8) {
    const OF_ALL: [(&str, &str); 8] = [
        ("mtime", "1350244992.023960108"),
        ("mtime", "-1.5"),
        ("uid", "1000"),
        ("gid", "4294967295"),
        ("uname", "root"),
        ("comment", "x"),
        ("uid", ""),
        ("atime", "1"),
    ];
    const OF_ONE: [(&str, &str); 23] = [
        ("path", "a/long"),
        ("path", "b"),
        ("linkpath", "a"),
        ("size", "0"),
        ("size", "600"),
        ("SCHILY.devmajor", "8"),
        ("SCHILY.xattr.user.a", "x\0y"),
        ("SCHILY.xattr.trusted.overlay.opaque", "y"),
        ("SCHILY.xattr.user.overlay.whiteout", "y"),
        ("SCHILY.acl.access", "user::rw-,user:root:r--:7,group::r--,mask::r--,other::---"),
        ("SCHILY.xattr.security.selinux", "u:r:t"),
        ("LIBARCHIVE.xattr.user.%61", "eA=="),
        ("RHT.security.selinux", "u:r:t"),
        ("SCHILY.acl.access", "user::rw-,group::r--,other::r--"),
        ("SCHILY.acl.access", "user::rw-,user:x:rwx:1000,group::r--,mask::rw-,other::---"),
        ("SCHILY.acl.default", "user::rwx\ngroup::r-x\ngroup:5:r--\nmask::r-x\nother::r-x"),
        ("SCHILY.acl.default", ""),
        ("GNU.sparse.size", "1024"),
        ("GNU.sparse.numblocks", "1"),
        ("GNU.sparse.offset", "512"),
        ("GNU.sparse.numbytes", "9"),
        ("GNU.sparse.map", "0,1,5,0"),
        ("GNU.sparse.name", "c"),
    ];
    let mut payload = Vec::new();
    for _ in 0..choices.up_to(4) {
        if choices.wrong() {
            let (key, _) = choices.one_of(&OF_ONE);
            record(&mut payload, key, choices.bytes(40));
            continue;
        }
        let of_one = type_flag == b'x' && choices.rarely(2);
        // Records about holes require headers that match them.
        let (key, value) = if of_one { choices.one_of(&OF_ONE[..17]) } else { choices.one_of(&OF_ALL) };
        record(&mut payload, key, value.as_bytes());
    }
    if choices.wrong() {
        payload.extend(choices.bytes(40));
    }
    with_size(choices, archive, type_flag, &payload);
}

/// Adds `LENGTH KEY=VALUE`, where the length includes itself.
fn record(payload: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    payload.extend(format!("{len} {key}=").bytes());
    payload.extend(value);
    payload.push(b'\n');
}

fn long(choices: &mut Choices<'_>, archive: &mut Vec<u8>, type_flag: u8) {
    let name = if choices.rarely(2) { b"e".repeat(choices.index(300)) } else { path(choices) };
    with_size(choices, archive, type_flag, &[&name[..], b"\0"].concat());
}

/// Adds a header that is not a member of its own.
fn with_size(choices: &mut Choices<'_>, archive: &mut Vec<u8>, type_flag: u8, payload: &[u8]) {
    let mut header = header(choices, type_flag);
    set(&mut header, 124, 12, if choices.wrong() { choices.u64() } else { payload.len() as u64 });
    push(archive, header, payload);
}

/// Creates the data ranges of a file with holes: in ascending order, unless invalid.
fn pieces(choices: &mut Choices<'_>) -> (Vec<(u64, u64)>, u64) {
    let mut end = 0;
    let count = choices.up_to(30);
    let mut pieces = Vec::new();
    for _ in 0..count {
        let (hole, len) = if choices.wrong() {
            (choices.u64(), choices.u64())
        } else {
            (choices.up_to(900), choices.up_to(40))
        };
        let offset = if choices.wrong() { hole } else { hole.saturating_add(end) };
        pieces.push((offset, len));
        end = offset.saturating_add(len);
    }
    (pieces, if choices.wrong() { choices.u64() } else { end.saturating_add(choices.up_to(600)) })
}

/// Creates the stored bytes of these ranges.
fn stored(choices: &mut Choices<'_>, pieces: &[(u64, u64)]) -> Vec<u8> {
    let len = pieces.iter().fold(0_u64, |sum, (_, len)| sum.saturating_add(*len));
    let len = if choices.wrong() { choices.up_to(2000) } else { len.min(4000) };
    (0..len).map(|at| u8::try_from(at % 250).expect("small") + 1).collect()
}

/// Adds a file in GNU's old format: four ranges in the header, 21 in each following block.
fn old_sparse(choices: &mut Choices<'_>, archive: &mut Vec<u8>) {
    let (pieces, size) = pieces(choices);
    let bytes = stored(choices, &pieces);
    let mut header = header(choices, b'S');
    put(&mut header, 257, 8, b"ustar  \0");
    header[345..500].fill(0);
    let (first, rest) = pieces.split_at(pieces.len().min(4));
    map(&mut header, 386, first);
    header[482] = u8::from(!rest.is_empty());
    base_256(&mut header, (483, 12), size.cast_signed());
    set(&mut header, 124, 12, bytes.len() as u64);
    let mut payload = Vec::new();
    let blocks = rest.chunks(21);
    let last = blocks.len().saturating_sub(1);
    for (index, pieces) in blocks.enumerate() {
        let mut block = [0; BLOCK];
        map(&mut block, 0, pieces);
        block[504] = u8::from(index < last);
        payload.extend(block);
    }
    payload.extend(bytes);
    push(archive, header, &payload);
}

fn map(block: &mut [u8; BLOCK], at: usize, pieces: &[(u64, u64)]) {
    for (index, (offset, len)) in pieces.iter().enumerate() {
        base_256(block, (at + 24 * index, 12), offset.cast_signed());
        base_256(block, (at + 24 * index + 12, 12), len.cast_signed());
    }
}

/// Adds a file in one of GNU's later formats: the map is in records, or precedes the payload.
fn new_sparse(choices: &mut Choices<'_>, archive: &mut Vec<u8>) {
    let (pieces, size) = pieces(choices);
    let bytes = stored(choices, &pieces);
    let mut records = Vec::new();
    let mut payload = Vec::new();
    let mut add = |key: &str, value: u64| record(&mut records, key, value.to_string().as_bytes());
    match choices.up_to(2) {
        0 => {
            add("GNU.sparse.size", size);
            add("GNU.sparse.numblocks", pieces.len() as u64);
            for (offset, len) in &pieces {
                add("GNU.sparse.offset", *offset);
                add("GNU.sparse.numbytes", *len);
            }
        }
        1 => {
            add("GNU.sparse.size", size);
            add("GNU.sparse.numblocks", pieces.len() as u64);
            let numbers: Vec<_> = pieces.iter().map(|(offset, len)| format!("{offset},{len}")).collect();
            record(&mut records, "GNU.sparse.map", numbers.join(",").as_bytes());
        }
        _ => {
            add("GNU.sparse.major", 1);
            add("GNU.sparse.minor", 0);
            add("GNU.sparse.realsize", size);
            record(&mut records, "GNU.sparse.name", &path(choices));
            let numbers: String = pieces.iter().map(|(offset, len)| format!("{offset}\n{len}\n")).collect();
            payload.extend(format!("{}\n{numbers}", pieces.len()).bytes());
            payload.resize(payload.len().next_multiple_of(BLOCK), 0);
        }
    }
    with_size(choices, archive, b'x', &records);
    let mut header = header(choices, b'0');
    payload.extend(bytes);
    set(&mut header, 124, 12, payload.len() as u64);
    push(archive, header, &payload);
}

/// Adds a header with a valid checksum, and a payload padded to blocks.
fn push(archive: &mut Vec<u8>, mut header: [u8; BLOCK], payload: &[u8]) {
    header[148..156].fill(b' ');
    let sum: u64 = header.iter().copied().map(u64::from).sum();
    put(&mut header, 148, 8, format!("{sum:06o}\0 ").as_bytes());
    archive.extend(header);
    archive.extend(payload);
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
}

fn put(header: &mut [u8; BLOCK], at: usize, len: usize, bytes: &[u8]) {
    let len = len.min(bytes.len());
    header[at..at + len].copy_from_slice(&bytes[..len]);
}

/// Writes an octal number, or base 256 if that is too long.
fn set(header: &mut [u8; BLOCK], at: usize, len: usize, value: u64) {
    let digits = format!("{value:0width$o}", width = len - 1);
    if digits.len() < len {
        put(header, at, len, digits.as_bytes());
    } else {
        base_256(header, (at, len), value.cast_signed());
    }
}

/// Writes the low bytes of a number in base 256, with the marker in the first.
fn base_256(header: &mut [u8; BLOCK], (at, len): (usize, usize), value: i64) {
    let bytes = i128::from(value).to_be_bytes();
    put(header, at, len, &bytes[bytes.len() - len..]);
    header[at] = if value < 0 { 0xff } else { header[at] & 0x7f | 0x80 };
}
