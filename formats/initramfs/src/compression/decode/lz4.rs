//! The legacy format of lz4, as `lib/decompress_unlz4.c` reads it.
//!
//! ```text
//! 0x184C2102 ┼ length of a chunk ┼ chunk ┼ length ┼ chunk … ┼ end of input, fewer than 4 bytes, or 4 zeros
//! ```
//!
//! Numbers are little-endian. Each chunk is one lz4 block that unpacks to at most 8 MiB. The magic
//! may occur again in the place of any length.

use std::io::{self, BufRead, Read};

use super::lz4_block;

const MAGIC: [u8; 4] = 0x184c_2102u32.to_le_bytes();

/// The maximum number of bytes that a chunk unpacks to.
const CHUNK: usize = 8 << 20;

/// The maximum compressed length of a chunk, in bytes: incompressible data grows by this much.
const MAX_COMPRESSED: usize = CHUNK + CHUNK / 255 + 16;

/// A decoder of everything that the kernel treats as one member.
pub(crate) struct Lz4<R> {
    input: R,
    chunk: Vec<u8>,
    out: Vec<u8>,
    /// The offset of the first unread byte of `out`.
    next: usize,
    begun: bool,
    ended: bool,
    followed_at: Option<u64>,
}

/// An input of the decoder, with lookahead.
pub(crate) trait Lookahead: BufRead {
    /// Returns the next 4 bytes, or fewer at the end, without consuming them.
    fn next_word(&mut self) -> io::Result<Vec<u8>>;
    /// Returns their offset.
    fn at(&self) -> u64;
}

impl Lookahead for &[u8] {
    fn next_word(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.iter().take(4).copied().collect())
    }

    fn at(&self) -> u64 {
        0
    }
}

impl<R: Lookahead> Lz4<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            chunk: Vec::new(),
            out: Vec::new(),
            next: 0,
            begun: false,
            ended: false,
            followed_at: None,
        }
    }

    /// Returns the offset of other data after the chunks, if it was the cause of an error.
    pub(crate) fn followed_at(&self) -> Option<u64> {
        self.followed_at
    }

    /// Unpacks the next chunk; returns false at the end.
    fn chunk(&mut self) -> io::Result<bool> {
        loop {
            let word = self.input.next_word()?;
            let Some(&word) = word.first_chunk::<4>() else { return Ok(false) };
            if word == MAGIC {
                self.input.consume(4);
                self.begun = true;
                continue;
            }
            if !self.begun {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the magic of lz4 is truncated"));
            }
            // The zeros are left to the next reader.
            if word == [0; 4] {
                return Ok(false);
            }
            let at = self.input.at();
            let unpacked = self.unpack(u32::from_le_bytes(word));
            if unpacked.is_err() && begins_member(word) {
                self.followed_at = Some(at);
            }
            return unpacked.map(|()| true);
        }
    }

    fn unpack(&mut self, len: u32) -> io::Result<()> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let limit = u64::try_from(MAX_COMPRESSED).unwrap_or(u64::MAX);
        if u64::from(len) > limit {
            return Err(invalid("a chunk of lz4 is longer than 8 MiB of data can take"));
        }
        self.input.consume(4);
        self.chunk.clear();
        self.out.clear();
        self.next = 0;
        let read = (&mut self.input).take(len.into()).read_to_end(&mut self.chunk)?;
        if read as u64 != u64::from(len) {
            return Err(invalid("a chunk of lz4 is cut short"));
        }
        self.out.resize(CHUNK, 0);
        let unpacked = lz4_block(&self.chunk, &mut self.out)?;
        self.out.truncate(unpacked);
        Ok(())
    }
}

/// Returns true if these bytes may begin an archive or compressed data.
fn begins_member(word: [u8; 4]) -> bool {
    word == *b"0707"
        || word[..3] == [0x1f, 0x8b, 8]
        || word == [0x28, 0xb5, 0x2f, 0xfd]
        || word == [0xfd, b'7', b'z', b'X']
        || word[..3] == *b"BZh"
        || word[..3] == [0x5d, 0, 0]
        || word == [0x89, b'L', b'Z', b'O']
}

impl<R: Lookahead> Read for Lz4<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.next == self.out.len() {
            if self.ended || !self.chunk()? {
                self.ended = true;
                return Ok(0);
            }
        }
        let len = out.len().min(self.out.len() - self.next);
        out[..len].copy_from_slice(&self.out[self.next..][..len]);
        self.next += len;
        Ok(len)
    }
}
