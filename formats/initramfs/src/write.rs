//! Writing of a compressed archive, front to back, by one thread.

mod padding;

use std::io::{self, Write};

use image_runs::{Image, write_to};
use image_tree::Content;

use crate::codec::{Codec, Division, Member, Piece};
use crate::{Compression, Layout, Storage};
pub use padding::archive_padding;

/// Writes an archive to `out` as an initramfs: its segments compressed with `codec`, those of files
/// that are already compressed as they are. The memory needed is that of the longest piece
/// ([`Codec::max_piece_len`]) and of the library.
///
/// [`Options::segmented`](crate::Options::segmented) with [`Codec::segment_len`] gives segments of
/// a good length. With [`Codec::NONE`] the result is the archive itself. A program that compresses
/// with several threads, or caches members, uses [`Layout::segments`] and [`codec`](crate::codec),
/// and gets the same bytes.
///
/// # Errors
/// The first error of `out`, of a content, or of the library, which runs out of memory.
pub fn write_compressed<C: Content>(
    layout: &Layout<'_, C>,
    codec: &Codec,
    out: impl Write,
) -> io::Result<()> {
    let mut out = Counted { out, position: 0 };
    let mut previous: Option<Compression> = None;
    for segment in layout.segments() {
        let compression = codec.compression().filter(|_| segment.storage() == Storage::Compressed);
        if compression.is_none() {
            let zeros = usize::try_from(archive_padding(out.position, previous)).expect("at most 7");
            out.write_all(&[0; 7][..zeros])?;
            write_to(&segment, &mut out)?;
        } else {
            write_member(&segment, codec, &mut out)?;
        }
        previous = compression;
    }
    out.flush()
}

fn write_member<C: Content>(segment: &dyn Image<C>, codec: &Codec, out: &mut impl Write) -> io::Result<()> {
    match codec.division(segment.len()) {
        Division::Uncompressed => write_to(segment, out),
        Division::Pieces { piece_len, context_len } => {
            let [piece_len, context_len] =
                [piece_len, context_len].map(|len| usize::try_from(len).expect("pieces are held in memory"));
            let member = Member::new(codec, segment.len());
            out.write_all(member.head())?;
            let is_whole = segment.len() <= piece_len as u64;
            let buffer = Vec::new();
            let mut pieces =
                Pieces { codec, member, piece_len, context_len, is_whole, buffer, start: 0, out };
            write_to(segment, &mut pieces)?;
            pieces.finish()
        }
        #[cfg(feature = "zstd")]
        Division::Long => {
            let frame = crate::codec::LongFrame::new(codec, segment.len(), 1)?;
            let mut long = Long { frame, ready: Vec::new(), out };
            write_to(segment, &mut long)?;
            let Long { frame, mut ready, out } = long;
            frame.finish(&mut ready)?;
            out.write_all(&ready)
        }
        #[cfg(not(feature = "zstd"))]
        Division::Long => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// A writer that counts bytes.
struct Counted<W> {
    out: W,
    position: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.out.write(bytes)?;
        self.position += len as u64;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A writer that compresses pieces of equal length.
struct Pieces<'c, W> {
    codec: &'c Codec,
    member: Member,
    piece_len: usize,
    context_len: usize,
    is_whole: bool,
    /// The context of the next piece, and its bytes so far.
    buffer: Vec<u8>,
    /// The length of the context in `buffer`.
    start: usize,
    out: &'c mut W,
}

impl<W: Write> Pieces<'_, W> {
    fn compress(&mut self) -> io::Result<()> {
        let (context, bytes) = self.buffer.split_at(self.start);
        let piece = Piece { context, bytes, is_whole: self.is_whole };
        let packed = self.codec.compress(piece, &|| true)?;
        self.out.write_all(&packed.bytes)?;
        self.member.add(bytes.len() as u64, packed.note);
        self.buffer.drain(..self.buffer.len().saturating_sub(self.context_len));
        self.start = self.buffer.len();
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        if self.buffer.len() > self.start {
            self.compress()?;
        }
        self.out.write_all(&self.member.tail())
    }
}

impl<W: Write> Write for Pieces<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.start + self.piece_len - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..len]);
        if self.buffer.len() == self.start + self.piece_len {
            self.compress()?;
        }
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that compresses a frame of zstd.
#[cfg(feature = "zstd")]
struct Long<'c, W> {
    frame: crate::codec::LongFrame,
    ready: Vec<u8>,
    out: &'c mut W,
}

#[cfg(feature = "zstd")]
impl<W: Write> Write for Long<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.push(bytes, &mut self.ready)?;
        self.out.write_all(&self.ready)?;
        self.ready.clear();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
