//! Changes of inputs by a generator of numbers.

use crate::random::Random;

/// The maximum length of an input in bytes.
const MAX_LEN: usize = 4096;
const BYTES: [u8; 10] = [0, 1, 0x7f, 0x80, 0xff, b'\n', b'/', b'.', b' ', b'"'];

/// Changes a copy of one of the seeds in one to eight places.
#[must_use]
pub fn mutate(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(8) {
        change(&mut input, seeds, random);
    }
    input.truncate(MAX_LEN);
    input
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = input.len().min(at + 1 + random.below(16));
    match (random.below(7), input.get_mut(at)) {
        (0, Some(byte)) => *byte ^= 1 << random.below(8),
        (1, Some(byte)) => *byte = BYTES[random.below(BYTES.len())],
        (2, Some(byte)) => *byte = byte.wrapping_add(random.byte() % 16).wrapping_sub(8),
        (3, Some(_)) => drop(input.drain(at..end)),
        (4, _) => {
            let copy = input[at..end].to_vec();
            let to = random.below(input.len() + 1);
            drop(input.splice(to..to, copy));
        }
        (5, _) => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len() + 1);
            let part = &other[from..other.len().min(from + 1 + random.below(64))];
            drop(input.splice(at..at, part.iter().copied()));
        }
        _ => {
            let byte = if random.below(2) == 0 { BYTES[random.below(BYTES.len())] } else { random.byte() };
            drop(input.splice(at..at, std::iter::repeat_n(byte, 1 + random.below(8))));
        }
    }
}
