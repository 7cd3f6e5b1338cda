//! Hashed directories: the index blocks above leaves of plain entries, and the hash of names.
//!
//! Kernel documentation, `filesystems/ext4/directory.rst`, "Hash Tree Directories"; the hash itself
//! is specified only by `fs/ext4/hash.c`.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{Immutable, IntoBytes, KnownLayout, Unaligned};

use super::checksum::Checksum;
use super::dir_entry::{DOT_REC_LEN, DirBlock, DirEntry2};
use crate::options::Signedness;

/// `struct dx_root_info`: the description of the tree in its root. It follows `.` and `..`, each of
/// 12 bytes.
#[derive(Clone, Copy, Debug, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DxRootInfo {
    /// Always 0, in the place of the inode number.
    pub(crate) reserved_zero: U32,
    /// The hash that orders the tree: [`DX_HASH_HALF_MD4`].
    pub(crate) hash_version: u8,
    /// The length of this structure: 8 bytes.
    pub(crate) info_length: u8,
    /// The number of levels of nodes between the root and the leaves: 0 or 1.
    pub(crate) indirect_levels: u8,
    /// Always 0.
    pub(crate) unused_flags: u8,
}
const _: () = assert!(size_of::<DxRootInfo>() == 8);

/// `struct dx_entry`: a key and the block with the hashes from it on.
#[derive(Clone, Copy, Debug, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DxEntry {
    /// The least hash of the block; its lowest bit is set if the previous block ends with the same
    /// hash.
    pub(crate) hash: U32,
    /// The block number within the directory.
    pub(crate) block: U32,
}
const _: () = assert!(size_of::<DxEntry>() == 8);

/// `struct dx_countlimit`: in the place of the hash of the first [`DxEntry`], which is not needed.
#[derive(Clone, Copy, Debug, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DxCountlimit {
    /// The maximum number of entries in the block.
    pub(crate) limit: U16,
    /// The number of entries: 1 to `limit`.
    pub(crate) count: U16,
}
const _: () = assert!(size_of::<DxCountlimit>() == 4);

/// `struct dx_tail`: the checksum of an index block.
#[derive(Clone, Copy, Debug, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DxTail {
    /// Always 0.
    pub(crate) dt_reserved: U32,
    /// The checksum of the block up to its last used entry, of `dt_reserved`, and of 0 in the place
    /// of this field.
    pub(crate) dt_checksum: U32,
}
const _: () = assert!(size_of::<DxTail>() == 8);

/// `hash_version` of trees in the order of [`half_md4`]. The signedness of characters is stored in
/// `s_flags` of the superblock, so the value for unsigned ones (4) is never stored here.
pub(crate) const DX_HASH_HALF_MD4: u8 = 1;

/// The number of bytes before the entries of a root: `.`, `..` and the info.
pub(crate) const ROOT_HEADER_LEN: usize = 2 * DOT_REC_LEN + size_of::<DxRootInfo>();
const _: () = assert!(ROOT_HEADER_LEN == 32);

/// The number of bytes before the entries of a node: an unused directory entry that covers the
/// whole block.
pub(crate) const NODE_HEADER_LEN: usize = size_of::<DirEntry2>();

/// Returns the maximum number of entries of a root: 507 in a block of 4096 bytes with a checksum.
pub(crate) const fn root_limit(block: DirBlock) -> usize {
    limit(block.len, ROOT_HEADER_LEN, block.has_checksum)
}

/// Returns the maximum number of entries of a node: 510 in a block of 4096 bytes with a checksum.
pub(crate) const fn node_limit(block: DirBlock) -> usize {
    limit(block.len, NODE_HEADER_LEN, block.has_checksum)
}

const fn limit(block_len: usize, header_len: usize, has_checksum: bool) -> usize {
    let tail = if has_checksum { size_of::<DxTail>() } else { 0 };
    (block_len - header_len - tail) / size_of::<DxEntry>()
}

/// Writes the entries of an index block, whose header of `header_len` bytes is already there, and
/// its tail, if it has one. `seed` is the checksum seed of the directory's inode. The hash of the
/// first entry is not stored.
///
/// # Panics
/// Panics if there are more entries than fit in the block: the plan is wrong then.
pub(crate) fn write_index(
    block: &mut [u8],
    header_len: usize,
    entries: impl Iterator<Item = DxEntry>,
    seed: Checksum,
) {
    const ENTRY: usize = size_of::<DxEntry>();
    let limit = limit(block.len(), header_len, seed.exists());
    let mut count = 0;
    for entry in entries {
        assert!(count < limit, "an index block has room for {limit} entries");
        let at = header_len + count * ENTRY;
        block[at..at + ENTRY].copy_from_slice(entry.as_bytes());
        count += 1;
    }
    let u16_of = |n: usize| U16::new(u16::try_from(n).expect("blocks are smaller than 64 KiB"));
    let countlimit = DxCountlimit { limit: u16_of(limit), count: u16_of(count) };
    block[header_len..header_len + size_of::<DxCountlimit>()].copy_from_slice(countlimit.as_bytes());

    if !seed.exists() {
        return;
    }
    let blank = DxTail { dt_reserved: U32::ZERO, dt_checksum: U32::ZERO };
    let checksum = seed.update(&block[..header_len + count * ENTRY]).update(blank.as_bytes());
    let tail = DxTail { dt_checksum: U32::new(checksum.value()), ..blank };
    let at = header_len + limit * ENTRY;
    block[at..at + size_of::<DxTail>()].copy_from_slice(tail.as_bytes());
}

/// The hash of a name. Hashed directories are in the order of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NameHash {
    /// An even number. The kernel maps the highest to the second highest ([`NameHash::major`]); the
    /// order distinguishes them, like e2fsck.
    unmapped: u32,
    /// The order of names with equal `major` when the directory is listed.
    pub(crate) minor: u32,
}

impl NameHash {
    /// The kernel's "end of directory" position, which a name must not have: `EXT4_HTREE_EOF_32BIT
    /// << 1`.
    const END_OF_DIRECTORY: u32 = 0xFFFF_FFFE;

    /// Returns the hash as stored in index keys: an even number below 0xFFFFFFFE.
    pub(crate) fn major(self) -> u32 {
        if self.unmapped == Self::END_OF_DIRECTORY { Self::END_OF_DIRECTORY - 2 } else { self.unmapped }
    }
}

/// Hashes a name of at most 255 bytes as `DX_HASH_HALF_MD4` does. `seed` is the superblock's
/// `s_hash_seed`; a seed of zeros means the initial state of MD4.
///
/// # Panics
/// Panics if the name is longer than 255 bytes.
pub(crate) fn half_md4(name: &[u8], seed: &[u32; 4], signedness: Signedness) -> NameHash {
    /// The initial state of RFC 1320, section 3.3.
    const INITIAL_STATE: [u32; 4] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476];
    const CHUNK_LEN: usize = 32;
    let mut state = if *seed == [0; 4] { INITIAL_STATE } else { *seed };
    for start in (0..name.len()).step_by(CHUNK_LEN) {
        half_md4_transform(&mut state, words(&name[start..], signedness));
    }
    NameHash { unmapped: state[1] & !1, minor: state[2] }
}

/// Returns the first 32 bytes of `rest` as words, the first byte highest. Missing bytes are
/// replaced by the number of bytes in `rest`, above the existing ones.
fn words(rest: &[u8], signedness: Signedness) -> [u32; 8] {
    let len = u8::try_from(rest.len()).expect("a name has at most 255 bytes");
    let mut words = [u32::from_le_bytes([len; 4]); 8];
    for (word, bytes) in words.iter_mut().zip(rest.chunks(4)) {
        for &byte in bytes {
            let character = match signedness {
                Signedness::Signed => i32::from(byte.cast_signed()).cast_unsigned(),
                Signedness::Unsigned => u32::from(byte),
            };
            // A negative character borrows from the bytes above it, so the two kinds differ.
            *word = (*word << 8).wrapping_add(character);
        }
    }
    words
}

/// One round of the transform: its function, its constant, the order of the words, and the
/// rotations in bits.
struct Round {
    function: fn(u32, u32, u32) -> u32,
    constant: u32,
    order: [usize; 8],
    rotations: [u32; 4],
}

/// MD4 (RFC 1320, section 3.4) over half a block: 8 words, each used once a round.
const ROUNDS: [Round; 3] = [
    Round {
        function: |x, y, z| z ^ (x & (y ^ z)),
        constant: 0,
        order: [0, 1, 2, 3, 4, 5, 6, 7],
        rotations: [3, 7, 11, 19],
    },
    Round {
        function: |x, y, z| (x & y) | ((x ^ y) & z),
        constant: 0x5A82_7999,
        order: [1, 3, 5, 7, 0, 2, 4, 6],
        rotations: [3, 5, 9, 13],
    },
    Round {
        function: |x, y, z| x ^ y ^ z,
        constant: 0x6ED9_EBA1,
        order: [3, 7, 2, 6, 1, 5, 0, 4],
        rotations: [3, 9, 11, 15],
    },
];

fn half_md4_transform(state: &mut [u32; 4], words: [u32; 8]) {
    let [mut a, mut b, mut c, mut d] = *state;
    for Round { function, constant, order, rotations } in &ROUNDS {
        for (&word, &rotation) in order.iter().zip(rotations.iter().cycle()) {
            let sum = a.wrapping_add(function(b, c, d)).wrapping_add(words[word]).wrapping_add(*constant);
            (a, b, c, d) = (d, sum.rotate_left(rotation), b, c);
        }
    }
    for (old, new) in state.iter_mut().zip([a, b, c, d]) {
        *old = old.wrapping_add(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2fsprogs::{Lcg, Scratch};

    const SEED_TEXT: &str = "01020304-0506-0708-090a-0b0c0d0e0f10";
    const SEED: [u32; 4] = [0x0403_0201, 0x0807_0605, 0x0C0B_0A09, 0x100F_0E0D];

    fn check(name: &[u8], seed: [u32; 4], signedness: Signedness, major: u32, minor: u32) {
        let hash = half_md4(name, &seed, signedness);
        assert_eq!((hash.major(), hash.minor), (major, minor), "{}", name.escape_ascii());
    }

    /// Recorded from debugfs 1.47.0, `dx_hash -h 1` (signed) or `-h 4` (unsigned), with and without
    /// `-s` and [`SEED_TEXT`].
    #[test]
    fn hashes_equal_those_of_debugfs() {
        check(b"hello", [0; 4], Signedness::Signed, 0x1746_da32, 0x4200_13b5);
        check(b"hello", [0; 4], Signedness::Unsigned, 0x1746_da32, 0x4200_13b5);
        check(b"hello", SEED, Signedness::Signed, 0xe2dd_f968, 0xc8bc_0924);
        check(b"a b\xe9\\n", [0; 4], Signedness::Signed, 0xdcc0_3f06, 0xce58_6da6);
        check(b"a b\xe9\\n", [0; 4], Signedness::Unsigned, 0xae48_a91e, 0x784e_44f8);
    }

    #[test]
    fn the_hash_of_the_end_of_a_directory_is_not_used_for_names() {
        let last = NameHash { unmapped: 0xFFFF_FFFE, minor: 0 };
        let before = NameHash { unmapped: 0xFFFF_FFFC, minor: 1 };
        assert_eq!((last.major(), before.major()), (0xFFFF_FFFC, 0xFFFF_FFFC));
        assert!(before < last, "e2fsck sees a difference, so order must");
    }

    #[test]
    fn index_blocks_hold_as_many_entries_as_in_the_kernel() {
        let blocks = |has_checksum| [1024, 2048, 4096].map(|len| DirBlock { len, has_checksum });
        assert_eq!(blocks(true).map(root_limit), [123, 251, 507]);
        assert_eq!(blocks(true).map(node_limit), [126, 254, 510]);
        assert_eq!(blocks(false).map(root_limit), [124, 252, 508]);
        assert_eq!(blocks(false).map(node_limit), [127, 255, 511]);
    }

    /// Compares with hashes by debugfs of names of every length, many of them not ASCII.
    #[test]
    fn debugfs_computes_the_same_hashes() {
        let Some(scratch) = Scratch::for_test("hashes", &["debugfs"]) else { return };
        let mut lcg = Lcg(1);
        let mut names: Vec<Vec<u8>> = Vec::new();
        for len in (1..=255).chain(1..=70) {
            // debugfs ends commands at a newline and interprets quotes.
            let plain = |byte: &u8| !matches!(byte, b'\n' | b'"' | b'\r');
            names
                .push(lcg.name(len).into_iter().map(|byte| if plain(&byte) { byte } else { b'_' }).collect());
        }
        for (signedness, version) in [(Signedness::Signed, "1"), (Signedness::Unsigned, "4")] {
            for (seed, seed_text) in [([0; 4], None), (SEED, Some(SEED_TEXT))] {
                let mut commands = Vec::new();
                for name in &names {
                    let seed = seed_text.map_or(String::new(), |text| format!("-s {text} "));
                    commands.extend_from_slice(format!("dx_hash -h {version} {seed}-- \"").as_bytes());
                    commands.extend_from_slice(name);
                    commands.extend_from_slice(b"\"\n");
                }
                let printed = scratch.debugfs(None, &commands);
                for name in &names {
                    let hash = half_md4(name, &seed, signedness);
                    let mut line = b"Hash of ".to_vec();
                    line.extend_from_slice(name);
                    let numbers = format!(" is 0x{:0x} (minor 0x{:0x})\n", hash.unmapped, hash.minor);
                    line.extend_from_slice(numbers.as_bytes());
                    assert!(
                        printed.windows(line.len()).any(|window| window == line),
                        "debugfs -h {version} does not print {}",
                        line.escape_ascii()
                    );
                }
            }
        }
    }
}
