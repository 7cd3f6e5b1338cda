//! Tests that attributes read back, by hand and with e2fsprogs.

use super::*;
use crate::BlockSize;
use crate::e2fsprogs::{NO_SETTING, Scratch};
use crate::ondisk::acl::tests::acl;
use image_tree::acl::AclError;

fn room(in_inode: usize, block: usize) -> Room {
    Room { in_inode, block, ea_inodes: false }
}

/// Places attributes without values in separate inodes.
fn placed(sorted: Sorted<'_>) -> Placement {
    sorted.place(&mut EaInodes::new(12, BlockSize::B4096, Checksum::START))
}

fn place(xattrs: &Xattrs, in_inode: usize, block: usize) -> Result<Placement, XattrError> {
    sort(xattrs, room(in_inode, block)).map(placed)
}

fn place_with_data(
    xattrs: &Xattrs,
    data: &[u8],
    in_inode: usize,
    block: usize,
) -> Result<Option<Placement>, XattrError> {
    Ok(sort_with_data(xattrs, data, room(in_inode, block))?.map(placed))
}

fn xattrs(list: &[(&[u8], &[u8])]) -> Xattrs {
    list.iter().map(|&(name, value)| (XattrName::new(name).unwrap(), value.into())).collect()
}

const SELINUX: (&[u8], &[u8]) = (b"security.selinux", b"system_u:object_r:bin_t:s0\0");
const CAPABILITY: (&[u8], &[u8]) = (b"security.capability", &[1; 20]);

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Returns the attributes in an area with its first entry at `start` and offsets relative to
/// `base`.
fn read(area: &[u8], start: usize, base: usize) -> Vec<(u8, Vec<u8>, Vec<u8>)> {
    let mut read = Vec::new();
    let mut at = start;
    while u32_at(area, at) != 0 {
        let (name_len, index) = (usize::from(area[at]), area[at + 1]);
        let offset = base + usize::from(u16::from_le_bytes([area[at + 2], area[at + 3]]));
        let size = usize::try_from(u32_at(area, at + 8)).unwrap();
        let value = if size == 0 { &[][..] } else { &area[offset..offset + size] };
        read.push((index, area[at + 16..at + 16 + name_len].to_vec(), value.to_vec()));
        at += (16 + name_len).next_multiple_of(4);
    }
    read
}

fn read_inode(placement: &Placement) -> Vec<(u8, Vec<u8>, Vec<u8>)> {
    assert_eq!(placement.in_inode[..4], [0, 0, 2, 0xEA]);
    read(&placement.in_inode, 4, 4)
}

fn read_block(block: XattrBlock, block_size: usize) -> Vec<(u8, Vec<u8>, Vec<u8>)> {
    let mut shared = SharedBlocks::new(block_size);
    let index = shared.add(block);
    read(&shared.render(index, 7, Checksum::START), 32, 0)
}

#[test]
fn no_attributes_take_no_space() {
    let placement = place(&Xattrs::new(), 96, 4096).unwrap();
    assert_eq!(placement, Placement::default());
}

#[test]
fn an_attribute_in_an_inode_has_its_known_bytes() {
    let placement = place(&xattrs(&[(b"user.ab", b"value")]), 96, 4096).unwrap();
    assert_eq!(placement.block, None);
    let mut expected = vec![0; 96];
    expected[..22].copy_from_slice(b"\0\0\x02\xEA\x02\x01\x54\0\0\0\0\0\x05\0\0\0\0\0\0\0ab");
    expected[88..93].copy_from_slice(b"value");
    assert_eq!(placement.in_inode, expected);
}

#[test]
fn an_inode_is_filled_to_its_last_byte() {
    // 96 bytes less magic and end are 88: 16 + 4 for the entry, 68 for the value.
    let placed = |len: usize| place(&xattrs(&[(b"user.abcd", &vec![b'x'; len])]), 96, 4096).unwrap();
    assert!(placed(68).block.is_none());
    assert!(placed(69).block.is_some());
    assert_eq!(placed(69).in_inode, []);
    assert!(place(&xattrs(&[(b"user.a", b"")]), 0, 4096).unwrap().in_inode.is_empty(), "inodes of 128 bytes");
}

#[test]
fn labels_and_capabilities_are_first_in_the_inode() {
    let all = xattrs(&[(b"security.apparmor", &[9; 24]), CAPABILITY, SELINUX, (b"user.s", b"")]);
    let placement = place(&all, 96, 4096).unwrap();
    // 52 bytes for the label leave 36: not enough for the 48 of the capability, but for user.s.
    let in_inode: Vec<_> = read_inode(&placement).into_iter().map(|(index, name, _)| (index, name)).collect();
    assert_eq!(in_inode, [(6, b"selinux".to_vec()), (1, b"s".to_vec())]);
    let in_block = read_block(placement.block.unwrap(), 4096);
    assert_eq!(in_block, [(6, b"apparmor".to_vec(), vec![9; 24]), (6, b"capability".to_vec(), vec![1; 20])]);
}

#[test]
fn a_block_is_in_the_order_the_kernel_searches() {
    let list: &[(&[u8], &[u8])] = &[
        (b"user.bb", b"1"),
        (b"user.aaa", b"2"),
        (b"user.ab", b"3"),
        (b"trusted.z", b""),
        (b"system.posix_acl_default", &acl(&[(1, 7, 0), (4, 5, 0), (0x20, 5, 0)])),
    ];
    let placement = place(&xattrs(list), 0, 1024).unwrap();
    let names: Vec<_> = read_block(placement.block.unwrap(), 1024)
        .into_iter()
        .map(|(index, name, _)| (index, String::from_utf8(name).unwrap()))
        .collect();
    let expected =
        [(1, "ab"), (1, "bb"), (1, "aaa"), (3, ""), (4, "z")].map(|(index, name)| (index, name.to_owned()));
    assert_eq!(names, expected);
}

#[test]
fn a_block_is_filled_to_its_last_byte() {
    // 1024 bytes less header and end are 988: 16 + 4 for each entry, 68 + 880 for the values.
    let list = |second| xattrs(&[(b"user.a", &[1; 68]), (b"user.b", second)]);
    let placement = place(&list(&[2; 880]), 0, 1024).unwrap();
    assert_eq!(read_block(placement.block.unwrap(), 1024)[1].2, [2; 880]);
    let name = XattrName::new("user.b").unwrap();
    let error = XattrError::TooLarge { name, size: 881, needed: 904, left: 900, limit: 988 };
    assert_eq!(place(&list(&[2; 881]), 0, 1024), Err(error.clone()));
    assert_eq!(
        error.to_string(),
        "xattr \"user.b\" with a value of 881 bytes takes 904 bytes, and 900 of the 988 bytes in the file's xattr \
         block are left; drop or shorten xattrs, or add the feature -O ea_inode, which puts long values in inodes of their \
         own"
    );
    assert!(matches!(
        place(&xattrs(&[(b"user.c", &[0; 65_536])]), 96, 4096),
        Err(XattrError::TooLarge { .. })
    ));
    assert!(matches!(
        place(&xattrs(&[(b"user.c", &[0; 65_537])]), 96, 4096),
        Err(XattrError::ValueTooLong { size: 65_537, .. })
    ));
}

/// Only values that do not fit elsewhere are stored in separate inodes.
#[test]
fn the_longest_values_are_moved_to_inodes_if_the_block_is_full() {
    let room = Room { in_inode: 96, block: 1024, ea_inodes: true };
    let seed = Checksum::START;
    let place = |list: &[(&[u8], &[u8])]| {
        let mut inodes = EaInodes::new(12, BlockSize::B1024, seed);
        let placement = sort(&xattrs(list), room).unwrap().place(&mut inodes);
        let values: Vec<Vec<u8>> = inodes.iter().map(|(_, inode)| inode.value.to_vec()).collect();
        (placement, values)
    };
    // The entry of a value that does not fit in any block is in the inode. Its hash is that of the
    // hash of the value.
    let (placement, values) = place(&[(b"user.a", &[1; 2000])]);
    assert_eq!((values, placement.ea_inodes, placement.ea_blocks), (vec![vec![1; 2000]], vec![12], 2));
    assert_eq!(placement.block, None);
    let hash = entry_hash(b"a", &seed.update(&[1; 2000]).value().to_le_bytes());
    let entry = [&[1, 1, 0, 0, 12, 0, 0, 0, 0xd0, 7, 0, 0][..], &hash.to_le_bytes(), b"a"].concat();
    assert_eq!(placement.in_inode[4..21], entry);

    // Of 988 bytes, 3 × 20 are for entries: values of 500 and 428 bytes fit, those of 500 and 432
    // do not.
    let (placement, values) = place(&[(b"user.a", &[1; 500]), (b"user.b", &[2; 428]), (b"user.c", &[3; 90])]);
    assert_eq!((values, placement.ea_blocks), (vec![vec![1; 500]], 1));
    let block = placement.block.unwrap();
    assert_eq!((block.ea_inodes(), placement.ea_inodes), (&[12][..], vec![]));
    let (_, values) = place(&[(b"user.a", &[1; 500]), (b"user.b", &[2; 448])]);
    assert!(values.is_empty(), "both fit");
    let (_, values) = place(&[(b"user.a", &[1; 500]), (b"user.b", &[2; 500]), (b"user.c", &[3; 500])]);
    assert_eq!(values, [[1; 500], [2; 500]], "the first on the disk are the first to go");

    // Entries must fit.
    let names: Vec<Vec<u8>> = (0..49).map(|n| format!("user.{n:02}xx").into_bytes()).collect();
    let list = |count| names[..count].iter().map(|name| (&name[..], &[7; 100][..])).collect::<Vec<_>>();
    let mut inodes = EaInodes::new(12, BlockSize::B1024, seed);
    let in_none = Room { in_inode: 0, ..room };
    assert_eq!(sort(&xattrs(&list(49)), in_none).unwrap().place(&mut inodes).ea_blocks, 49);
    assert_eq!(inodes.len(), 1, "they have the same value");
    let more = [&list(49)[..], &[(b"user.z", b"")]].concat();
    let error = sort(&xattrs(&more), in_none).unwrap_err();
    assert!(matches!(error, XattrError::TooMany { needed: 20, left: 8, limit: 988, .. }), "{error}");
}

#[test]
fn errors_name_the_attribute() {
    let error = |name: &[u8], value: &[u8]| place(&xattrs(&[(name, value)]), 96, 4096).unwrap_err();
    let name = |name: &str| XattrName::new(name).unwrap();
    assert_eq!(error(b"com.apple.quarantine", b""), XattrError::Namespace(name("com.apple.quarantine")));
    assert_eq!(error(b"user.", b""), XattrError::Namespace(name("user.")));
    assert_eq!(error(b"system.data", b""), XattrError::Reserved(name("system.data")));
    let source = AclError::Length(0);
    assert_eq!(
        error(b"system.posix_acl_access", b""),
        XattrError::Acl { name: name("system.posix_acl_access"), source }
    );
}

#[test]
fn equal_blocks_are_shared_by_1024_inodes() {
    let block = |value: &[u8]| place(&xattrs(&[(b"user.a", value)]), 0, 1024).unwrap().block.unwrap();
    let mut shared = SharedBlocks::new(1024);
    let indexes: Vec<_> = (0..2049).map(|_| shared.add(block(b"same"))).collect();
    let expected: Vec<_> = (0..2049).map(|n| n / 1024).collect();
    assert_eq!(indexes, expected);
    assert_eq!(shared.add(block(b"other")), 3);
    assert_eq!(shared.add(block(b"same")), 2);
    assert_eq!(shared.len(), 4);
    let refcounts: Vec<_> =
        (0..4).map(|index| u32_at(&shared.render(index, 0, Checksum::START), 4)).collect();
    assert_eq!(refcounts, [1024, 1024, 2, 1]);
}

#[test]
fn a_block_with_hash_zero_is_not_shared() {
    // The hash of a name of one byte is that byte, which the value cancels.
    let block = || place(&xattrs(&[(b"user.a", b"\0\0\x61")]), 0, 1024).unwrap().block.unwrap();
    assert_eq!(block().hash, 0);
    let mut shared = SharedBlocks::new(1024);
    assert_eq!([shared.add(block()), shared.add(block())], [0, 1]);
}

/// Two files of a filesystem of mke2fs get the same attributes, and so share a block. e2fsck
/// accepts it, debugfs reads every value back, and e2fsck reports one wrong byte.
#[test]
fn e2fsprogs_reads_what_is_placed() {
    let Some(scratch) = Scratch::for_test("xattrs", &["mke2fs", "debugfs", "e2fsck"]) else { return };
    // debugfs returns 0 for the ids that are not stored.
    let access = acl(&[(1, 6, 0), (2, 4, 1000), (4, 4, 0), (8, 5, 50), (0x10, 7, 0), (0x20, 0, 0)]);
    let default = acl(&[(1, 7, 0), (4, 5, 0), (0x20, 5, 0)]);
    let long = [b"user.".as_slice(), &[b'n'; 250]].concat();
    let lists: [&[(&[u8], &[u8])]; 4] = [
        &[SELINUX],
        &[SELINUX, CAPABILITY, (b"user.empty", b"")],
        &[
            (b"system.posix_acl_access", &access),
            (b"system.posix_acl_default", &default),
            SELINUX,
            (b"trusted.overlay.opaque", b"y"),
        ],
        &[(&long, &[7; 333]), (b"user.caf\xc3\xa9", b"12345"), (b"user.z", b""), CAPABILITY, SELINUX],
    ];
    for list in lists {
        judge(&scratch, list);
    }
}

const UUID: [u8; 16] = [0x5A; 16];

fn judge(scratch: &Scratch, list: &[(&[u8], &[u8])]) {
    let (a, b) = make_two_files(scratch);
    let mut image = std::fs::read(scratch.file("img")).unwrap();
    let seed = Checksum::of_filesystem(&UUID);
    let placement = place(&xattrs(list), 96, 1024).unwrap();
    if let Some(block) = &placement.block {
        let again = place(&xattrs(list), 96, 1024).unwrap().block.unwrap();
        assert_eq!(*block, again);
        let mut shared = SharedBlocks::new(1024);
        assert_eq!((shared.add(placement.block.unwrap()), shared.add(again)), (0, 0));
        let rendered = shared.render(0, u64::try_from(a.xattr_block).unwrap(), seed);
        image[a.xattr_block * 1024..][..1024].copy_from_slice(&rendered);
    } else {
        // Two files without attributes in a block: the one created by debugfs is empty, which is
        // legal.
        let mut empty = vec![0; 1024];
        write_header(&mut empty, 2, 0, u64::try_from(a.xattr_block).unwrap(), seed);
        image[a.xattr_block * 1024..][..1024].copy_from_slice(&empty);
    }
    for file in [&a, &b] {
        file.write_in_inode(&mut image, &placement.in_inode, seed);
    }
    let verdict = |image: &[u8]| {
        std::fs::write(scratch.file("judged"), image).unwrap();
        scratch.run("e2fsck", NO_SETTING, &["-fn", "judged"])
    };
    let judged = verdict(&image);
    assert_eq!(judged.status.code(), Some(0), "{judged:?}");
    for (name, value) in list {
        for file in ["a", "b"] {
            // Quoted, because some names contain bytes that are not ASCII.
            let command = [b"ea_get -f value ", file.as_bytes(), b" \"", name, b"\"\n"].concat();
            std::fs::write(scratch.file("value"), b"unread").unwrap();
            scratch.debugfs(Some("judged"), &command);
            let read = std::fs::read(scratch.file("value")).unwrap();
            assert_eq!(read, *value, "{}", name.escape_ascii());
        }
    }
    image[a.xattr_block * 1024 + 1023] ^= 1;
    assert_eq!(verdict(&image).status.code(), Some(4), "a wrong byte in the block goes unseen");
}

/// A file and its location.
struct FileInImage {
    number: u32,
    /// The offset of its inode in the image, in bytes.
    inode_at: usize,
    xattr_block: usize,
}

impl FileInImage {
    /// Writes bytes after `i_extra_isize` and updates the checksum of the inode.
    fn write_in_inode(&self, image: &mut [u8], bytes: &[u8], seed: Checksum) {
        let inode = &mut image[self.inode_at..][..256];
        inode[160..].fill(0);
        inode[160..160 + bytes.len()].copy_from_slice(bytes);
        let generation = u32_at(inode, 0x64);
        inode[0x7C..0x7E].fill(0);
        inode[0x82..0x84].fill(0);
        let checksum = seed.of_inode(self.number, generation).update(inode);
        inode[0x7C..0x7E].copy_from_slice(&checksum.low().to_le_bytes());
        inode[0x82..0x84].copy_from_slice(&checksum.high().to_le_bytes());
    }
}

/// Creates an image with two files `a` and `b` that share an xattr block.
fn make_two_files(scratch: &Scratch) -> (FileInImage, FileInImage) {
    std::fs::write(scratch.file("big"), [b'x'; 300]).unwrap();
    let uuid = "5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a";
    let arguments = [
        "-q",
        "-F",
        "-t",
        "ext4",
        "-b",
        "1024",
        "-O",
        "^has_journal,^resize_inode,metadata_csum",
        "-U",
        uuid,
        "img",
        "2M",
    ];
    assert!(scratch.run("mke2fs", NO_SETTING, &arguments).status.success());
    let made = scratch
        .debugfs(Some("img"), b"write big a\nwrite big b\nea_set -f big a user.x\nstat a\nimap a\nimap b\n");
    let made = String::from_utf8(made).unwrap();
    let after = |text: &str, label: &str| -> usize {
        let rest = &text[text.find(label).unwrap() + label.len()..];
        let digits = rest.split(|character: char| !character.is_ascii_hexdigit()).next().unwrap();
        usize::from_str_radix(digits, if label.ends_with('x') { 16 } else { 10 }).unwrap()
    };
    let xattr_block = after(&made, "File ACL: ");
    assert_ne!(xattr_block, 0);
    let command = format!("set_inode_field b file_acl {xattr_block}\nset_inode_field b blocks 4\n");
    scratch.debugfs(Some("img"), command.as_bytes());
    let file = |number| {
        let text = &made[made.find(&format!("Inode {number} is part")).unwrap()..];
        let inode_at = after(text, "located at block ") * 1024 + after(text, "offset 0x");
        FileInImage { number, inode_at, xattr_block }
    };
    (file(12), file(13))
}

#[test]
fn inline_data_is_placed_after_labels_and_displaces_no_attribute() {
    let all = xattrs(&[(b"user.s", b""), SELINUX, (b"security.apparmor", b"")]);
    let placement = place_with_data(&all, &[5; 16], 96, 4096).unwrap().unwrap();
    // 52 bytes for the label and 36 for the data leave nothing.
    let names: Vec<_> = read_inode(&placement).into_iter().map(|(index, name, _)| (index, name)).collect();
    assert_eq!(names, [(6, b"selinux".to_vec()), (7, b"data".to_vec())]);
    assert_eq!(read_block(placement.block.unwrap(), 4096).len(), 2);
    assert_eq!(place_with_data(&all, &[5; 17], 96, 4096), Ok(None));

    // 80 bytes in the inode and 988 in the block: with data in the inode, neither has space for the
    // 80.
    let full = xattrs(&[(b"user.a", &[1; 60]), (b"user.b", &[2; 968])]);
    assert!(place(&full, 96, 1024).is_ok());
    assert_eq!(place_with_data(&full, b"", 96, 1024), Ok(None));
    assert!(place_with_data(&full, b"", 96, 2048).unwrap().is_some());
    assert_eq!(max_inline_value_len(96), 68);
}
