//! Pieces whose ends are chosen by the bytes before them, so that equal ranges of files are cut at
//! equal places, wherever they begin.
//!
//! The sum of a table's entries, shifted by one bit for each byte, depends on the last 64 bytes
//! ("Gear", in Xia et al., "FastCDC"). A piece ends where its upper bits are zero.

/// The table: pseudo-random numbers by SplitMix64.
const GEAR: [u64; 256] = {
    let mut table = [0; 256];
    let mut state = 0u64;
    let mut index = 0;
    while index < table.len() {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        table[index] = mixed ^ (mixed >> 31);
        index += 1;
    }
    table
};

/// The lengths of pieces, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    pub(super) least: usize,
    pub(super) most: usize,
}

impl Lengths {
    /// Returns the lengths of pieces of at most `most` bytes.
    pub(super) fn up_to(most: usize) -> Self {
        Self { least: most / 4, most }
    }

    /// Returns the length of the first piece of `bytes`.
    pub(super) fn first(self, bytes: &[u8]) -> usize {
        let bytes = &bytes[..bytes.len().min(self.most)];
        // On average, a piece ends at half of its maximum.
        let mask = !(u64::MAX >> (self.least.max(2).ilog2()));
        let mut sum = 0u64;
        let start = self.least.saturating_sub(64).min(bytes.len());
        for (index, byte) in bytes.iter().enumerate().skip(start) {
            sum = (sum << 1).wrapping_add(GEAR[usize::from(*byte)]);
            if index >= self.least && sum & mask == 0 {
                return index;
            }
        }
        bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    fn ends(lengths: Lengths, bytes: &[u8]) -> Vec<usize> {
        let (mut ends, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            at += lengths.first(&bytes[at..]);
            ends.push(at);
        }
        ends
    }

    #[test]
    fn equal_ranges_are_cut_at_equal_places() {
        let lengths = Lengths::up_to(16 << 10);
        let bytes = noise(1 << 20);
        let plain = ends(lengths, &bytes);
        assert!((70..170).contains(&plain.len()), "{}", plain.len());
        let shifted = [&[7; 1001][..], &bytes].concat();
        let back: Vec<usize> =
            ends(lengths, &shifted).into_iter().filter_map(|end| end.checked_sub(1001)).collect();
        let equal = plain.iter().filter(|end| back.contains(end)).count();
        assert!(equal + 4 >= plain.len(), "{equal} of {}", plain.len());
    }

    #[test]
    fn pieces_are_within_their_limits() {
        let lengths = Lengths::up_to(16 << 10);
        for bytes in [noise(100_000), vec![0; 100_000]] {
            let mut last = 0;
            for end in ends(lengths, &bytes) {
                assert!(end - last <= lengths.most && (end - last >= lengths.least || end == bytes.len()));
                last = end;
            }
        }
    }
}
