//! The longest prefix of a block of lz4 that fits into a number of bytes.
//!
//! A block is a row of sequences: literals, then a match. A prefix of the sequences, followed by
//! literals, is a block itself. So a cluster is filled by one call of the compressor, although the
//! library has no safe function that stops at a length of the output.
//!
//! The format ends each block with at least 5 literals, and has no match that begins in its last 12
//! bytes (`doc/lz4_Block_format.md`).

/// The minimum number of literals at the end of a block.
const LAST_LITERALS: usize = 5;
/// The minimum distance between the start of a match and the end of a block.
const MATCH_LIMIT: usize = 12;
/// The minimum length of a match.
const MIN_MATCH: usize = 4;
/// The greatest part of a length that is in the token.
const IN_TOKEN: usize = 15;

/// A sequence of a block.
struct Sequence {
    /// The offsets of its token and of the byte behind it, in the block.
    start: usize,
    end: usize,
    /// The offset of the literals in the block, and their number.
    literals: usize,
    literals_len: usize,
    match_len: usize,
}

/// A prefix of a block, up to `start`, with a possible shorter match of the sequence there, and
/// literals.
struct Prefix<'b> {
    sequence: &'b Sequence,
    /// The length of the match; 0 for a prefix that ends before the sequence.
    match_len: usize,
    /// The literals at the end, as a range of the source.
    from: usize,
    to: usize,
}

/// Returns the block of the longest prefix of `source` that fits into `room` bytes, and the length
/// of the prefix. `block` is `source` as compressed. `None` if a block has no valid prefix.
pub(super) fn cut(block: &[u8], source: &[u8], room: usize) -> Option<(usize, Vec<u8>)> {
    let mut best: Option<Prefix<'_>> = None;
    let sequences = sequences(block)?;
    let (mut position, mut last_match) = (0, None);
    for sequence in &sequences {
        let before = prefix(sequence, 0, position, last_match, room, source.len());
        let match_start = position + sequence.literals_len;
        let shortened = longest_match(sequence, room)
            .and_then(|len| prefix(sequence, len, match_start + len, Some(match_start), room, source.len()));
        for candidate in [before, shortened].into_iter().flatten() {
            if best.as_ref().is_none_or(|best| candidate.to > best.to) {
                best = Some(candidate);
            }
        }
        if sequence.end > room {
            break;
        }
        position = match_start + sequence.match_len;
        last_match = Some(match_start);
    }
    let best = best?;
    let mut bytes = Vec::with_capacity(room);
    bytes.extend_from_slice(block.get(..best.sequence.start)?);
    if best.match_len > 0 {
        let Sequence { literals, literals_len, .. } = *best.sequence;
        let literals = block.get(literals..literals + literals_len + 2)?;
        put_sequence(&mut bytes, literals, literals_len, best.match_len - MIN_MATCH);
    }
    let literals = source.get(best.from..best.to)?;
    put_sequence(&mut bytes, literals, literals.len(), 0);
    (bytes.len() <= room).then_some((best.to, bytes))
}

/// Returns the prefix that ends with as many literals as there is room for, if it is valid.
fn prefix<'b>(
    sequence: &'b Sequence,
    match_len: usize,
    from: usize,
    last_match: Option<usize>,
    room: usize,
    source_len: usize,
) -> Option<Prefix<'b>> {
    let taken =
        sequence.start + if match_len > 0 { sequence_len(sequence.literals_len, match_len) } else { 0 };
    let literals = most_literals(room.checked_sub(taken)?)?.min(source_len.checked_sub(from)?);
    let to = from + literals;
    let valid = last_match.is_none_or(|start| literals >= LAST_LITERALS && start + MATCH_LIMIT <= to);
    valid.then_some(Prefix { sequence, match_len, from, to })
}

/// Returns the length of the longest match with which a sequence, and the last literals, fit.
fn longest_match(sequence: &Sequence, room: usize) -> Option<usize> {
    let least = sequence.start + sequence_len(sequence.literals_len, MIN_MATCH) + 1 + LAST_LITERALS;
    let further = room.checked_sub(least)?;
    let most = MIN_MATCH + IN_TOKEN - 1 + further * 255;
    (sequence.match_len > 0).then(|| sequence.match_len.min(most))
}

/// Returns the length of a sequence in bytes.
fn sequence_len(literals: usize, match_len: usize) -> usize {
    1 + further_bytes(literals) + literals + 2 + further_bytes(match_len - MIN_MATCH)
}

/// Returns the number of bytes of a length that does not fit into the token.
fn further_bytes(len: usize) -> usize {
    if len < IN_TOKEN { 0 } else { (len - IN_TOKEN) / 255 + 1 }
}

/// Returns the greatest number of literals that fit into `room` with their token.
fn most_literals(room: usize) -> Option<usize> {
    let mut literals = room.checked_sub(1)?;
    while 1 + further_bytes(literals) + literals > room {
        literals -= 1;
    }
    Some(literals)
}

/// Appends a sequence; `bytes` are its literals and the distance of its match, if any.
fn put_sequence(out: &mut Vec<u8>, bytes: &[u8], literals: usize, match_len: usize) {
    let nibble = |len: usize| u8::try_from(len.min(IN_TOKEN)).unwrap_or(15);
    out.push(nibble(literals) << 4 | nibble(match_len));
    put_length(out, literals);
    out.extend_from_slice(bytes);
    put_length(out, match_len);
}

fn put_length(out: &mut Vec<u8>, len: usize) {
    if let Some(mut rest) = len.checked_sub(IN_TOKEN) {
        while rest >= 255 {
            out.push(255);
            rest -= 255;
        }
        out.push(u8::try_from(rest).unwrap_or(254));
    }
}

/// Returns the sequences of a block; the last one has no match. `None` if it is not a block.
fn sequences(block: &[u8]) -> Option<Vec<Sequence>> {
    let mut sequences = Vec::new();
    let mut at = 0;
    while at < block.len() {
        let start = at;
        let token = usize::from(block[at]);
        at += 1;
        let literals_len = length(block, &mut at, token >> 4)?;
        let literals = at;
        at = at.checked_add(literals_len).filter(|end| *end <= block.len())?;
        let mut match_len = 0;
        if at < block.len() {
            at += 2;
            match_len = length(block, &mut at, token & 15)? + MIN_MATCH;
        }
        sequences.push(Sequence { start, end: at, literals, literals_len, match_len });
    }
    Some(sequences)
}

fn length(block: &[u8], at: &mut usize, in_token: usize) -> Option<usize> {
    let mut len = in_token;
    if len == IN_TOKEN {
        loop {
            let byte = *block.get(*at)?;
            *at += 1;
            len += usize::from(byte);
            if byte != 255 {
                break;
            }
        }
    }
    Some(len)
}

#[cfg(all(test, feature = "lz4"))]
mod tests {
    use super::*;
    use crate::pack::Codec;

    fn decode(block: &[u8], len: usize) -> Vec<u8> {
        lz4::block::decompress(block, Some(i32::try_from(len).unwrap())).expect("a valid block")
    }

    /// Bytes with matches of various lengths and distances.
    pub(crate) fn text(len: usize, seed: u32) -> Vec<u8> {
        let mut state = seed | 1;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize
        };
        let mut bytes: Vec<u8> = Vec::new();
        while bytes.len() < len {
            let (run, back) = (next() % 40 + 1, next() % 3000 + 1);
            for _ in 0..run {
                let byte = match bytes.len().checked_sub(back) {
                    Some(at) if run > 8 => bytes[at],
                    _ => u8::try_from(next() % 64).unwrap(),
                };
                bytes.push(byte);
            }
        }
        bytes.truncate(len);
        bytes
    }

    #[test]
    fn a_cut_block_decodes_to_a_prefix_and_fills_its_room() {
        for codec in ["lz4", "lz4hc:9", "lz4hc:12"] {
            let codec: Codec = codec.parse().unwrap();
            for seed in 1..20 {
                let source = text(20_000, seed);
                let block = codec.compress(&source).unwrap();
                for room in [40, 100, 1000, 4095, 4096, block.len() - 1] {
                    let (len, bytes) = cut(&block, &source, room).expect("a prefix");
                    assert!(bytes.len() <= room && bytes.len() + 12 >= room, "{} of {room}", bytes.len());
                    assert_eq!(decode(&bytes, len), source[..len]);
                }
            }
        }
    }

    #[test]
    fn a_match_is_shortened_where_it_ends_the_prefix() {
        let source = vec![0; 1 << 20];
        let block = "lz4hc".parse::<Codec>().unwrap().compress(&source).unwrap();
        for room in [64, 255, 256, 1000, 4096] {
            let (len, bytes) = cut(&block, &source, room).expect("a prefix");
            assert!(len > (room - 20) * 255 && bytes.len() <= room, "{len} in {room}");
            assert_eq!(decode(&bytes, len), source[..len]);
        }
        assert!(cut(&block, &source, 0).is_none());
    }

    #[test]
    fn what_is_not_a_block_has_no_prefix() {
        for block in [&[0xF0u8, 255][..], &[0x20, 1], &[0x1F, 1, 1, 0, 255]] {
            assert!(cut(block, &[0; 9000], 4096).is_none());
        }
    }
}
