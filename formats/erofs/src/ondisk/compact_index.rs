//! Compact indexes: packs of 2 logical clusters in 8 bytes, and of 16 in 32 bytes
//! (`Z_EROFS_ADVISE_COMPACTED_2B`).
//!
//! ```text
//! header │ packs of 2, up to a multiple of 32 bytes │ packs of 16 │ packs of 2
//! pack     entry 0 │ entry 1 │ … │ block (32 bits)
//! ```
//!
//! An entry is `type << 12 | number`, of 16 bits in a small pack and of 14 in a large one, from the
//! least significant bit. The block is that of the next physical cluster at this point of the file;
//! without big physical clusters, minus 1. So those of a file have to be consecutive.

use super::lcluster::{CBLKCNT, HEAD1, Lcluster, NONHEAD, PLAIN};

/// The bits of the number of an entry, for logical clusters of up to 4 KiB.
const LOW_BITS: u32 = 12;

/// The form of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pack {
    /// The number of entries, and of bytes.
    entries: usize,
    bytes: usize,
}

const SMALL: Pack = Pack { entries: 2, bytes: 8 };
const LARGE: Pack = Pack { entries: 16, bytes: 32 };

/// The packs of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packs {
    /// The numbers of logical clusters in small packs, large packs, and small packs again.
    parts: [u64; 3],
}

impl Packs {
    /// Returns the packs of a number of logical clusters. `first` is the offset of the byte behind
    /// the header of the map, a multiple of 8.
    pub(crate) fn of(lclusters: u64, first: u64) -> Self {
        let before = (32 - first % 32) / 4 % 8;
        if before >= lclusters {
            return Self { parts: [lclusters, 0, 0] };
        }
        let large = (lclusters - before) / LARGE.entries as u64 * LARGE.entries as u64;
        Self { parts: [before, large, lclusters - before - large] }
    }

    /// True if there are packs of 16.
    pub(crate) fn has_large(self) -> bool {
        self.parts[1] > 0
    }

    /// Returns the number of bytes.
    pub(crate) fn len(self) -> u64 {
        let [before, large, after] = self.parts;
        before.div_ceil(2) * 8 + large * 2 + after.div_ceil(2) * 8
    }

    /// Appends the packs. `block` is the first block of the physical clusters.
    pub(crate) fn put(self, lclusters: &[Lcluster], block: u32, big: bool, out: &mut Vec<u8>) {
        let mut cursor = Cursor::new(block, big);
        let mut rest = lclusters;
        for (count, pack) in self.parts.into_iter().zip([SMALL, LARGE, SMALL]) {
            let count = usize::try_from(count).unwrap_or(usize::MAX).min(rest.len());
            let (part, behind) = rest.split_at(count);
            rest = behind;
            for entries in part.chunks(pack.entries) {
                cursor.put(entries, pack, out);
            }
        }
    }
}

/// The place in the physical clusters, between two packs.
struct Cursor {
    block: u32,
    big: bool,
    /// True if the block of the last head is not counted yet.
    head: bool,
}

impl Cursor {
    fn new(block: u32, big: bool) -> Self {
        if big {
            Self { block, big, head: false }
        } else {
            Self { block: block.wrapping_sub(1), big, head: true }
        }
    }

    fn put(&mut self, lclusters: &[Lcluster], pack: Pack, out: &mut Vec<u8>) {
        let bits = (pack.bytes * 8 - 32) / pack.entries;
        let start = out.len();
        out.resize(start + pack.bytes, 0);
        let (mut packed, mut filled) = (0u64, 0);
        let mut at = start;
        let mut base = self.block;
        let mut first_head = self.big;
        for (index, lcluster) in lclusters.iter().enumerate() {
            let (kind, low) = match *lcluster {
                Lcluster::Within { back, .. } if back & CBLKCNT != 0 => {
                    self.block = self.block.wrapping_add(u32::from(back & !CBLKCNT));
                    self.head = false;
                    (NONHEAD, back)
                }
                Lcluster::Within { ahead, .. } if index + 1 == pack.entries => {
                    (NONHEAD, ahead.min((1 << LOW_BITS) - 1))
                }
                Lcluster::Within { back, .. } => (NONHEAD, back),
                Lcluster::Head { plain, offset, .. } => {
                    if self.head {
                        self.block = self.block.wrapping_add(1);
                        if first_head {
                            base = self.block;
                        }
                    }
                    self.head = true;
                    first_head = false;
                    (if plain { PLAIN } else { HEAD1 }, offset)
                }
            };
            packed |= (u64::from(kind) << LOW_BITS | u64::from(low)) << filled;
            filled += bits;
            while filled >= 8 {
                out[at] = packed.to_le_bytes()[0];
                (packed, filled, at) = (packed >> 8, filled - 8, at + 1);
            }
        }
        if filled > 0 {
            out[at] = packed.to_le_bytes()[0];
        }
        out[start + pack.bytes - 4..].copy_from_slice(&base.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::lcluster::tests::{big, single};
    use super::super::lcluster::{Mapped, lclusters};
    use super::*;

    /// The packs of the files of [`super::super::lcluster::tests`], behind the header, as
    /// mkfs.erofs writes them.
    const BIG: [&str; 5] = [
        "001010280100000002201b2011000000042019201100000006e001880026800ae002c80036800ee0",
        "030801468012e004480126801100000016e005880166801ae006c8017680e615042a000e80046001",
        "6800428011000000086002a8002e800c6003e8003e8010600428014e801460056801724e21000000",
        "07280c202100000003200a2028000000052008202800000007200620280000000920042028000000",
        "0b200220280000000d20380228000000",
    ];
    const SINGLE: [&str; 5] = [
        "001001200000000087180220010000000220df1a0200000001a000c8d1058002a000058fad790160",
        "c00488a5790120ddf488e97603000000016087b46a416f01a02214ef0580cb9338b6d50580ae52cf",
        "55c905800d0000005fd16ad5a7058030d0b235c205803013e00038000e8003e01400966d18000000",
        "0120012025000000461c0220250000000220551e26000000012001202700000036170f1c27000000",
        "01209a11290000006a0638022a000000",
    ];

    fn put(lclusters: &[Lcluster], first: u64, big: bool) -> Vec<u8> {
        let packs = Packs::of(lclusters.len() as u64, first);
        let mut out = Vec::new();
        packs.put(lclusters, 1, big, &mut out);
        assert_eq!(out.len() as u64, packs.len());
        out
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn packs_are_those_of_mkfs_erofs() {
        assert_eq!(hex(&put(&big(), 40, true)), BIG.concat());
        assert_eq!(hex(&put(&single(), 40, false)), SINGLE.concat());
    }

    #[test]
    fn large_packs_begin_at_multiples_of_32_bytes() {
        for first in (0..64).step_by(8) {
            for count in 0..80 {
                let Packs { parts: [before, large, after] } = Packs::of(count, first);
                assert_eq!(before + large + after, count);
                assert!(large == 0 || (first + before * 4) % 32 == 0 && after < 16);
                assert!(before <= 6 || large == 0);
            }
        }
    }

    /// Reads the block of each head, as the kernel does (`z_erofs_load_compact_lcluster`).
    fn heads(packs: Packs, bytes: &[u8], big: bool) -> Vec<u32> {
        let mut heads = Vec::new();
        let mut rest = bytes;
        for (count, pack) in packs.parts.into_iter().zip([SMALL, LARGE, SMALL]) {
            let bits = (pack.bytes * 8 - 32) / pack.entries;
            for first in (0..usize::try_from(count).unwrap()).step_by(pack.entries) {
                let (bytes, behind) = rest.split_at(pack.bytes);
                rest = behind;
                let entry = |index: usize| {
                    let number = (0..bits).fold(0u16, |number, bit| {
                        let at = index * bits + bit;
                        number | u16::from(bytes[at / 8] >> (at % 8) & 1) << bit
                    });
                    (number >> LOW_BITS & 3, number & 0xFFF)
                };
                let base = u32::from_le_bytes(bytes[pack.bytes - 4..].try_into().unwrap());
                for index in 0..pack.entries.min(usize::try_from(count).unwrap() - first) {
                    if entry(index).0 == NONHEAD {
                        continue;
                    }
                    let (mut blocks, mut at) = (u32::from(!big), index);
                    while at > 0 {
                        at -= 1;
                        let (kind, low) = entry(at);
                        match (kind, big) {
                            (NONHEAD, false) => match at.checked_sub(usize::from(low)) {
                                Some(head) => (at, blocks) = (head, blocks + 1),
                                None => break,
                            },
                            (NONHEAD, true) if low & CBLKCNT != 0 => {
                                blocks += u32::from(low & !CBLKCNT);
                                at = at.saturating_sub(1);
                            }
                            (NONHEAD, true) => {
                                assert!(low > 1, "a distance of 1 has the number of blocks");
                                match at.checked_sub(usize::from(low) - 2) {
                                    Some(head) => at = head,
                                    None => break,
                                }
                            }
                            _ => blocks += 1,
                        }
                    }
                    heads.push(base + blocks);
                }
            }
        }
        heads
    }

    #[test]
    fn the_kernel_finds_the_block_of_every_head() {
        let mut state = 1u32;
        let mut next = |limit: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % limit
        };
        for round in 0..2000u64 {
            let big = round % 2 == 0;
            let mut block = 1;
            let mut extents = Vec::new();
            for _ in 0..next(60) {
                let plain = next(3) == 0;
                let blocks = if big && !plain { 1 + next(30) } else { 1 };
                let len = if plain { 4096 } else { u64::from(blocks * 4096 + 4096 + next(20_000)) };
                let blocks = u16::try_from(blocks).unwrap();
                extents.push(Mapped { len, plain, partial: false, block, blocks });
                block += u32::from(blocks);
            }
            let lclusters = lclusters(extents.iter().copied(), 4096, big);
            let first = round % 4 * 8;
            let packs = Packs::of(lclusters.len() as u64, first);
            let found = heads(packs, &put(&lclusters, first, big), big);
            let expected: Vec<u32> = extents.iter().map(|extent| extent.block).collect();
            // Behind them, there may be the head that ends the file.
            assert_eq!(found[..expected.len()], expected, "round {round}");
        }
    }
}
