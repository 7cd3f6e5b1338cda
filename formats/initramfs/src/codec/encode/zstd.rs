//! Frames of zstd by libzstd.

use std::fmt;
use std::io;

use zstd::bulk::Compressor;
use zstd::stream::raw::{CParameter, Encoder, Operation};
use zstd::zstd_safe::{InBuffer, OutBuffer, compress_bound};

use super::slices::{SLICE, stopped};
use crate::codec::zstd::segment_len;
use crate::codec::{Codec, CompressedPiece, Kind, ShouldContinue};

/// The lowest level that is so slow that [`ShouldContinue`] is called during the compression of a
/// frame.
const SLOW: u8 = 10;

/// The increment of the output buffer, in bytes.
const ROOM: usize = 128 << 10;

/// The job size of a long frame at a level, in bytes.
fn job_len(level: u8) -> u64 {
    segment_len(level).max(8 << 20)
}

/// Compresses a segment into one frame.
pub(super) fn whole(
    codec: &Codec,
    bytes: &[u8],
    should_continue: ShouldContinue<'_>,
) -> io::Result<CompressedPiece> {
    let mut packed = Vec::with_capacity(compress_bound(bytes.len()));
    if codec.level() < SLOW {
        let mut compressor = Compressor::new(i32::from(codec.level()))?;
        for parameter in parameters(codec) {
            compressor.set_parameter(parameter)?;
        }
        compressor.compress_to_buffer(bytes, &mut packed)?;
    } else {
        let mut frame = LongFrame::with(codec, bytes.len() as u64, &[])?;
        for slice in bytes.chunks(SLICE) {
            if !should_continue() {
                return Err(stopped());
            }
            frame.push(slice, &mut packed)?;
        }
        frame.finish(&mut packed)?;
    }
    packed.shrink_to_fit();
    Ok(CompressedPiece { bytes: packed, note: 0 })
}

fn parameters(codec: &Codec) -> impl Iterator<Item = CParameter> {
    let window = (codec.window_log() != 0).then(|| CParameter::WindowLog(u32::from(codec.window_log())));
    [CParameter::ContentSizeFlag(true), CParameter::ChecksumFlag(true)].into_iter().chain(window)
}

/// A frame that is too long for memory, compressed sequentially by zstd's own threads.
///
/// zstd divides it into jobs of a fixed length that refer to the end of the previous job,
/// regardless of the number of threads, so that number does not affect the bytes. Each thread needs
/// about the memory of two jobs.
pub struct LongFrame {
    encoder: Encoder<'static>,
}

impl LongFrame {
    /// Begins a frame of `len` bytes, compressed by `threads` threads, 1 to 64.
    ///
    /// # Errors
    /// Returns an error if the codec is not zstd, or zstd cannot allocate memory or start a thread.
    pub fn new(codec: &Codec, len: u64, threads: u32) -> io::Result<Self> {
        if codec.kind() != Kind::Zstd {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "only zstd makes long frames"));
        }
        let job_size = u32::try_from(job_len(codec.level())).map_err(io::Error::other)?;
        Self::with(codec, len, &[CParameter::NbWorkers(threads.clamp(1, 64)), CParameter::JobSize(job_size)])
    }

    fn with(codec: &Codec, len: u64, further: &[CParameter]) -> io::Result<Self> {
        let mut encoder = Encoder::new(i32::from(codec.level()))?;
        for parameter in parameters(codec).chain(further.iter().copied()) {
            encoder.set_parameter(parameter)?;
        }
        encoder.set_pledged_src_size(Some(len))?;
        Ok(Self { encoder })
    }

    /// Compresses the next bytes, and appends the output that is ready to `out`.
    ///
    /// # Errors
    /// The error of zstd.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let mut input = InBuffer::around(bytes);
        while input.pos() < bytes.len() {
            self.with_room(out, |encoder, room| encoder.run(&mut input, room))?;
        }
        Ok(())
    }

    /// Ends the frame and appends the rest of the output to `out`.
    ///
    /// # Errors
    /// Returns an error if fewer bytes were pushed than announced, or zstd fails.
    pub fn finish(mut self, out: &mut Vec<u8>) -> io::Result<()> {
        while self.with_room(out, |encoder, room| encoder.finish(room, true))? > 0 {}
        Ok(())
    }

    fn with_room(
        &mut self,
        out: &mut Vec<u8>,
        step: impl FnOnce(&mut Encoder<'static>, &mut OutBuffer<'_, Vec<u8>>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if out.capacity() - out.len() < ROOM {
            out.reserve(ROOM);
        }
        let position = out.len();
        let mut room = OutBuffer::around_pos(out, position);
        step(&mut self.encoder, &mut room)
    }
}

impl fmt::Debug for LongFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LongFrame").finish_non_exhaustive()
    }
}
