//! zstd (RFC 8878): frames with their length and a checksum, none to be skipped, windows of 8 MiB at most unless asked for.

use std::fmt;
use std::io;

use zstd::bulk::Compressor;
use zstd::stream::raw::{CParameter, Encoder, Operation};
use zstd::zstd_safe::{InBuffer, OutBuffer, compress_bound};

use super::{Codec, GoOn, Kind, Packed, SLICE, stopped};

/// From this level on a frame takes so long that it is asked in between whether to go on.
const SLOW: u8 = 10;

/// Room for output that is made at a time, in bytes.
const ROOM: usize = 128 << 10;

/// The usual length of a segment at a level, in bytes: about four times the windows of these levels.
pub(super) fn segment_len(level: u8) -> u64 {
    match level {
        ..=4 => 4 << 20,
        5..=15 => 8 << 20,
        16.. => 32 << 20,
    }
}

/// The longest segment that is held in memory, in bytes.
pub(super) const MAX_WHOLE: u64 = 64 << 20;

/// The jobs of a long frame at a level, in bytes.
fn job_len(level: u8) -> u64 {
    segment_len(level).max(8 << 20)
}

/// A segment as one frame.
pub(super) fn whole(codec: &Codec, bytes: &[u8], go_on: GoOn<'_>) -> io::Result<Packed> {
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
            if !go_on() {
                return Err(stopped());
            }
            frame.push(slice, &mut packed)?;
        }
        frame.finish(&mut packed)?;
    }
    packed.shrink_to_fit();
    Ok(Packed { bytes: packed, note: 0 })
}

fn parameters(codec: &Codec) -> impl Iterator<Item = CParameter> {
    let window = (codec.window_log() != 0).then(|| CParameter::WindowLog(u32::from(codec.window_log())));
    [CParameter::ContentSizeFlag(true), CParameter::ChecksumFlag(true)].into_iter().chain(window)
}

/// A frame that is too long for memory, made front to back by zstd's own threads.
///
/// zstd cuts it into jobs of a fixed length that refer to the end of the job before, whatever the number of its threads, so
/// that number does not show in the bytes. It takes about the memory of two jobs for each thread.
pub struct LongFrame {
    encoder: Encoder<'static>,
}

impl LongFrame {
    /// A frame of `len` bytes by `threads` threads, one at least.
    ///
    /// # Errors
    /// When the codec is not zstd, or zstd gets no memory or no thread.
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

    /// Takes the next bytes, and appends to `out` what is ready.
    ///
    /// # Errors
    /// What zstd says.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let mut input = InBuffer::around(bytes);
        while input.pos() < bytes.len() {
            self.with_room(out, |encoder, room| encoder.run(&mut input, room))?;
        }
        Ok(())
    }

    /// Appends the rest to `out`.
    ///
    /// # Errors
    /// When fewer bytes were pushed than were announced, or what zstd says.
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
