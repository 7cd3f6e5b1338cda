//! Messages of one length as blocks of the compression function.
//!
//! ```text
//! prefix                     data                               suffix   padding
//! ├──────────────────┬───────┴──┬──────────────────────┬────────┴────────┤
//!  compressed once     head       middle: read in place  tail
//! ```

use crate::fips::{BLOCK_LEN, INITIAL, Parts};

/// The common parts of messages.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// The state after the whole blocks of the prefix.
    start: [u32; 8],
    /// The length of the prefix in bytes.
    prefix_len: u64,
    /// The bytes of the prefix after its whole blocks.
    rest: Vec<u8>,
    suffix: Vec<u8>,
}

/// The lengths of the parts of messages with data of one length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths {
    /// The number of bytes of the data in the head.
    in_head: usize,
    /// The number of bytes of the data in the middle, whole blocks.
    middle: usize,
    /// The length of the head, 0 or 64 bytes.
    head: usize,
    /// The length of the tail, whole blocks.
    tail: usize,
    /// The length of the whole message in bits.
    bits: u64,
}

impl Frame {
    pub(crate) fn new(prefix: &[u8], suffix: &[u8]) -> Self {
        let (whole, rest) = prefix.as_chunks::<BLOCK_LEN>();
        let mut start = INITIAL;
        sha2::block_api::compress256(&mut start, whole);
        Self { start, prefix_len: prefix.len() as u64, rest: rest.to_owned(), suffix: suffix.to_owned() }
    }

    /// The state at the start of the head.
    pub(crate) fn start(&self) -> &[u32; 8] {
        &self.start
    }

    /// Returns the parts of messages with `len` bytes of data.
    pub(crate) fn lengths(&self, len: usize) -> Lengths {
        let missing = (BLOCK_LEN - self.rest.len()) % BLOCK_LEN;
        let (head, in_head) = if missing > 0 && missing <= len { (BLOCK_LEN, missing) } else { (0, 0) };
        let rest = if head > 0 { 0 } else { self.rest.len() };
        // Without a head behind a rest the data is shorter than a block, so it is all in the tail.
        let middle = (len - in_head) / BLOCK_LEN * BLOCK_LEN;
        // A byte with the first bit of the padding, and the length.
        let tail = (rest + (len - in_head - middle) + self.suffix.len() + 9).next_multiple_of(BLOCK_LEN);
        let bytes = self.prefix_len.wrapping_add(len as u64).wrapping_add(self.suffix.len() as u64);
        // A message of more than 2^61 bytes does not fit in memory.
        Lengths { in_head, middle, head, tail, bits: bytes.wrapping_mul(8) }
    }

    /// Appends the head and the tail of the message with some data to `out`.
    pub(crate) fn ends(&self, lengths: &Lengths, data: &[u8], out: &mut Vec<u8>) {
        let end = out.len() + lengths.head + lengths.tail;
        out.extend_from_slice(&self.rest);
        out.extend_from_slice(&data[..lengths.in_head]);
        out.extend_from_slice(&data[lengths.in_head + lengths.middle..]);
        out.extend_from_slice(&self.suffix);
        out.push(0x80);
        out.resize(end - 8, 0);
        out.extend_from_slice(&lengths.bits.to_be_bytes());
    }
}

impl Lengths {
    /// The length of what [`Frame::ends`] appends.
    pub(crate) fn ends(&self) -> usize {
        self.head + self.tail
    }

    /// Returns the three parts of a message, each of whole blocks. `ends` is what [`Frame::ends`]
    /// appended.
    pub(crate) fn parts<'d>(&self, data: &'d [u8], ends: &'d [u8]) -> Parts<'d> {
        let (head, tail) = ends.split_at(self.head);
        [head, &data[self.in_head..][..self.middle], tail]
    }
}
