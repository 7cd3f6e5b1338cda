//! The parity of all code words, accumulated block by block in any order.

use std::sync::{Mutex, PoisonError};

use super::gf256::{add_multiples, generator, multiples};
use crate::{Error, FecLayout};

/// The parity of the code words of one round: for each root, a byte for each byte of a block.
/// `None` as long as all blocks were zeros.
type Round = Option<Box<[u8]>>;

/// Adds up the parity of blocks that several threads give in any order.
///
/// The code is linear: the parity of a code word is the sum of the parities of words that are zeros
/// but for one byte. The byte at position i contributes itself times the remainder of x^(254 − i)
/// divided by the generator, so all that is kept is the parity.
#[derive(Debug)]
pub(crate) struct Accumulator {
    layout: FecLayout,
    /// The remainders for each position of a code word, from the highest power down.
    remainders: Vec<Box<[u8]>>,
    rounds: Vec<Mutex<Round>>,
}

/// The parity of all code words.
#[derive(Debug)]
pub(crate) struct Parity {
    pub(super) layout: FecLayout,
    rounds: Vec<Round>,
}

impl Accumulator {
    pub(crate) fn new(layout: FecLayout) -> Result<Self, Error> {
        let out_of_memory = || Error::OutOfMemory { data_blocks: layout.blocks() };
        let count = usize::try_from(layout.rounds()).map_err(|_| out_of_memory())?;
        let mut rounds = Vec::new();
        rounds.try_reserve_exact(count).map_err(|_| out_of_memory())?;
        rounds.resize_with(count, Mutex::default);
        Ok(Self { layout, remainders: remainders(layout), rounds })
    }

    /// Adds consecutive blocks, of which `first` is the index of the first one. Each block must be
    /// added once, blocks of zeros need not be.
    pub(crate) fn add(&self, first: u64, blocks: &[u8]) {
        let block_size = self.layout.block_size.as_usize();
        let round_count = self.rounds.len() as u64;
        for (index, block) in (first..).zip(blocks.chunks_exact(block_size)) {
            // OK to unwrap: both are less than the numbers of rounds and of positions, which are in
            // memory.
            let round = usize::try_from(index % round_count).expect("less than the rounds");
            let position = usize::try_from(index / round_count).expect("less than a code word");
            // OK to ignore poison: a thread that panics ends the whole computation.
            let mut round = self.rounds[round].lock().unwrap_or_else(PoisonError::into_inner);
            let remainder = &self.remainders[position];
            let parity =
                round.get_or_insert_with(|| vec![0; remainder.len() * block_size].into_boxed_slice());
            for (factor, parity) in remainder.iter().zip(parity.chunks_exact_mut(block_size)) {
                add_multiples(parity, block, *factor);
            }
        }
    }

    pub(crate) fn finish(self) -> Parity {
        let value = |round: Mutex<Round>| round.into_inner().unwrap_or_else(PoisonError::into_inner);
        Parity { layout: self.layout, rounds: self.rounds.into_iter().map(value).collect() }
    }
}

/// Returns the remainder of x^(254 − i) divided by the generator for each position i of data.
fn remainders(layout: FecLayout) -> Vec<Box<[u8]>> {
    let generator = generator(layout.roots().get().into());
    // From the last position, whose power is that of the generator, to the first.
    let mut remainder = generator.clone();
    let mut all = Vec::new();
    for _ in 0..layout.roots().data_bytes() {
        all.push(remainder.clone().into_boxed_slice());
        let multiples = multiples(remainder[0]);
        remainder.rotate_left(1);
        if let Some(last) = remainder.last_mut() {
            *last = 0;
        }
        for (coefficient, generator) in remainder.iter_mut().zip(&generator) {
            *coefficient ^= multiples[usize::from(*generator)];
        }
    }
    all.reverse();
    all
}

impl Parity {
    /// Writes the parity of consecutive code words, from the highest power down within each, to
    /// `out`, which is filled with zeros.
    pub(super) fn write(&self, first_word: u64, out: &mut [u8]) {
        let block_size = self.layout.block_size.as_usize();
        let roots = usize::from(self.layout.roots().get());
        let mut words = out.chunks_exact_mut(roots);
        // OK to unwrap: the rounds are in memory.
        let first_round = usize::try_from(first_word / block_size as u64).expect("less than the rounds");
        let mut skip = usize::try_from(first_word % block_size as u64).expect("less than a block");
        for round in &self.rounds[first_round..] {
            let words_of_round = words.by_ref().take(block_size - skip);
            match round {
                None => words_of_round.for_each(drop),
                Some(parity) => {
                    for (byte, word) in (skip..).zip(words_of_round) {
                        for (out, parity) in word.iter_mut().zip(parity.chunks_exact(block_size)) {
                            *out = parity[byte];
                        }
                    }
                }
            }
            skip = 0;
            if words.len() == 0 {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Accumulator;
    use crate::fec::gf256::{multiples, times_alpha};
    use crate::{BlockSize, FecLayout, FecRoots};

    /// A code word is one if all roots of the generator are roots of it.
    #[test]
    fn words_with_their_parity_vanish_at_every_root() {
        let block_size = BlockSize::new(512).expect("valid");
        for (roots, blocks) in [(2, 600), (3, 252), (24, 232), (7, 1)] {
            let roots = FecRoots::new(roots).expect("valid");
            let layout = FecLayout::new(roots, block_size, blocks);
            let bytes: Vec<u8> =
                (0..blocks * 512).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 13).to_le_bytes()[0]).collect();
            let accumulator = Accumulator::new(layout).expect("it is small");
            // In two parts, the later one first.
            let middle = bytes.len() / 512 / 2;
            accumulator.add(middle as u64, &bytes[middle * 512..]);
            accumulator.add(0, &bytes[..middle * 512]);
            let mut parity = vec![0; usize::try_from(layout.len()).expect("small")];
            accumulator.finish().write(0, &mut parity);

            let rounds = usize::try_from(layout.rounds()).expect("small");
            let count = usize::from(roots.get());
            for (round, byte) in [(0, 0), (0, 511), (rounds - 1, 17)] {
                let at =
                    |index: usize| bytes.get((round + index * rounds) * 512 + byte).copied().unwrap_or(0);
                let word = (0..usize::from(roots.data_bytes())).map(at);
                let parity = &parity[(round * 512 + byte) * count..][..count];
                let word: Vec<u8> = word.chain(parity.iter().copied()).collect();
                assert_eq!(word.len(), 255);
                let mut root = 1;
                for _ in 0..count {
                    let multiples = multiples(root);
                    assert_eq!(word.iter().fold(0, |value, c| multiples[usize::from(value)] ^ c), 0u8);
                    root = times_alpha(root);
                }
            }
        }
    }
}
