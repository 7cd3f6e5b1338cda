//! Compression of a unit.

use std::io;

use sha256_lanes::{BlockHasher, Digest};

use super::by_content::Lengths;
use super::fill::Filler;
use super::options::{Cutting, PackOptions};
use super::unit::{Segment, Target, Unit, in_memory};

/// The length of a block, in bytes: compressed files have no other.
pub(crate) const BLOCK: u64 = BLOCK_LEN as u64;
const BLOCK_LEN: usize = 4096;

/// The maximum length of the stored bytes of an extent (`Z_EROFS_PCLUSTER_MAX_SIZE`).
const MAX_STORED: usize = 1 << 20;

/// The result for a unit: its extents, and their stored bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compressed {
    pub(super) extents: Vec<Extent>,
    /// The stored bytes of all extents, one after the other.
    pub(super) bytes: Vec<u8>,
}

/// The extents of a unit, without the stored bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extents(pub(super) Vec<Extent>);

/// A range of a segment that is decoded as a whole, or that is not compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) len: u32,
    /// The number of stored bytes: 0 if they are those of the file.
    pub(super) stored: u32,
    pub(super) plain: bool,
    /// The digest of the decoded bytes, if equal ones are searched.
    pub(super) digest: Option<Digest>,
}

impl Compressed {
    /// Takes the stored bytes, and leaves what is known about them.
    #[must_use]
    pub fn split(self) -> (Extents, Vec<u8>) {
        (Extents(self.extents), self.bytes)
    }
}

impl PackOptions {
    /// Compresses the bytes of a unit. The result depends on them and the options alone.
    ///
    /// # Errors
    /// The error of the compression library, which runs out of memory.
    pub fn compress(&self, unit: &Unit, bytes: &[u8]) -> io::Result<Compressed> {
        let mut out = Compressed::default();
        let mut rest = bytes;
        for segment in &unit.segments {
            let (bytes, behind) = rest
                .split_at_checked(in_memory(segment.len))
                .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
            rest = behind;
            Compressor { options: self, segment, out: &mut out }.compress(bytes)?;
        }
        Ok(out)
    }
}

/// The compression of one segment.
struct Compressor<'o> {
    options: &'o PackOptions,
    segment: &'o Segment,
    out: &'o mut Compressed,
}

impl Compressor<'_> {
    fn compress(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.options.cutting() {
            // Fragments are found equal as a whole, before.
            Cutting::ByContent(lengths) if self.segment.target != Target::Fragments => {
                self.by_content(bytes, lengths)
            }
            Cutting::ByContent(_) | Cutting::Pieces => self.piece(bytes),
            Cutting::Filled => self.filled(bytes),
        }
    }

    fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        let packed = self.options.codec.compress(bytes)?;
        if self.saves(bytes, packed.len(), self.segment.may_be_inline) {
            self.put(bytes, packed);
        } else {
            self.put_plain(bytes);
        }
        Ok(())
    }

    fn by_content(&mut self, bytes: &[u8], lengths: Lengths) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = &rest[..lengths.first(rest)];
            let is_last = piece.len() == rest.len();
            let packed = self.options.codec.compress(piece)?;
            if self.saves(piece, packed.len(), is_last && self.segment.may_be_inline) {
                self.put(piece, packed);
                rest = &rest[piece.len()..];
                continue;
            }
            // Whole blocks, so that no two extents begin in one logical cluster.
            let blocks = piece.len() / BLOCK_LEN * BLOCK_LEN;
            let len = if is_last { piece.len() } else { blocks };
            self.put_plain(&piece[..len]);
            rest = &rest[len..];
        }
        Ok(())
    }

    fn filled(&mut self, bytes: &[u8]) -> io::Result<()> {
        let block = BLOCK_LEN;
        let mut filler = Filler::new(self.options.codec, block);
        let mut rest = bytes;
        while rest.len() > block {
            let len = match filler.next(rest)? {
                Some(filled) => {
                    self.put(&rest[..filled.len], filled.bytes);
                    filled.len
                }
                None => {
                    self.put_plain(&rest[..block]);
                    block
                }
            };
            rest = &rest[len..];
        }
        if rest.is_empty() { Ok(()) } else { self.piece(rest) }
    }

    /// Returns true if an extent takes fewer blocks when compressed, or is behind the inode and
    /// shorter.
    fn saves(&self, bytes: &[u8], packed: usize, may_be_inline: bool) -> bool {
        let block = BLOCK_LEN;
        let saves_blocks = packed <= MAX_STORED && packed.next_multiple_of(block) < bytes.len();
        saves_blocks || (may_be_inline && packed < block && packed < bytes.len())
    }

    fn put(&mut self, bytes: &[u8], packed: Vec<u8>) {
        let stored = narrow(packed.len());
        self.push(bytes, stored, false);
        if self.out.bytes.is_empty() {
            self.out.bytes = packed;
        } else {
            self.out.bytes.extend_from_slice(&packed);
        }
    }

    fn put_plain(&mut self, bytes: &[u8]) {
        // The packed inode is not a file of the tree that could be read.
        let kept = self.segment.target == Target::Fragments;
        self.push(bytes, if kept { narrow(bytes.len()) } else { 0 }, true);
        if kept {
            self.out.bytes.extend_from_slice(bytes);
        }
    }

    fn push(&mut self, bytes: &[u8], stored: u32, plain: bool) {
        let searched = self.options.dedupe && self.segment.target != Target::Fragments;
        let digest = searched.then(|| BlockHasher::new(b"", b"").hash_one(bytes));
        self.out.extents.push(Extent { len: narrow(bytes.len()), stored, plain, digest });
    }
}

/// Returns a length of at most some MiB.
fn narrow(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
