//! Clusters that are filled: as many bytes as fit into one, when compressed.

use std::io;

use super::codec::{Codec, Kind};
use super::lz4_cut;

/// The maximum number of bytes that are compressed into one cluster: it keeps the memory small
/// that the kernel needs to decode zeros.
pub(super) const MAX_DECODED: usize = 1 << 20;

/// The maximum number of calls of a compressor whose output cannot be cut.
const TRIES: usize = 8;

/// The next bytes of a file, as a cluster.
pub(super) struct Filled {
    /// The number of bytes of the file.
    pub(super) len: usize,
    /// The compressed bytes.
    pub(super) bytes: Vec<u8>,
}

/// Compresses the bytes of a file into clusters, one after the other.
pub(super) struct Filler {
    codec: Codec,
    /// The length of a cluster, in bytes.
    room: usize,
    /// The number of bytes that is expected to fill the next cluster.
    expected: usize,
}

impl Filler {
    pub(super) fn new(codec: Codec, room: usize) -> Self {
        Self { codec, room, expected: room * 3 }
    }

    /// Returns as many of the bytes as fit into one cluster; `None` if they do not get shorter.
    pub(super) fn next(&mut self, rest: &[u8]) -> io::Result<Option<Filled>> {
        let rest = &rest[..rest.len().min(MAX_DECODED)];
        let mut window = self.expected.min(rest.len());
        let (too_long, block) = loop {
            let block = self.codec.compress(&rest[..window])?;
            if block.len() > self.room {
                break (window, block);
            }
            if window == rest.len() {
                return Ok(self.shorter(Filled { len: window, bytes: block }));
            }
            window = (window * 2).min(rest.len());
        };
        let filled = match self.codec.kind() {
            Kind::Lz4 | Kind::Lz4hc => {
                lz4_cut::cut(&block, &rest[..too_long], self.room).map(|(len, bytes)| Filled { len, bytes })
            }
            Kind::Deflate | Kind::Zstd => self.search(rest, too_long, block.len())?,
        };
        Ok(filled.and_then(|filled| self.shorter(filled)))
    }

    /// Remembers the length of a cluster, if it saves a block.
    fn shorter(&mut self, filled: Filled) -> Option<Filled> {
        // A window somewhat longer than needed is cheaper than a second call.
        self.expected = (filled.len + filled.len / 8).max(self.room * 2);
        (filled.len > self.room).then_some(filled)
    }

    /// Searches the longest prefix that fits; `too_long` bytes are compressed to `packed` bytes,
    /// which do not fit.
    fn search(&self, rest: &[u8], too_long: usize, packed: usize) -> io::Result<Option<Filled>> {
        let (mut long, mut packed) = (too_long, packed);
        let mut best: Option<Filled> = None;
        for _ in 0..TRIES {
            let short = best.as_ref().map_or(self.room, |best| best.len);
            // By the rate of the last try, a little less; but nearer to neither end than a
            // sixteenth of what is between them.
            let guess = long * self.room / packed;
            let margin = (long - short.min(long)) / 16 + 1;
            let guess = guess.clamp(short + margin, (long - margin).max(short + margin));
            if guess >= long {
                break;
            }
            let bytes = self.codec.compress(&rest[..guess])?;
            if bytes.len() > self.room {
                (long, packed) = (guess, bytes.len());
            } else {
                let full = bytes.len() + self.room / 64 >= self.room;
                best = Some(Filled { len: guess, bytes });
                if full {
                    break;
                }
            }
        }
        Ok(best)
    }
}
