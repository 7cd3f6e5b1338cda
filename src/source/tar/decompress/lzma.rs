//! One stream of .xz or .lzma.

use std::io::{self, BufRead, Read};

use liblzma::stream::{Action, Error, Status, Stream};

pub(super) struct Lzma<R> {
    source: R,
    stream: Stream,
    has_ended: bool,
}

impl<R> Lzma<R> {
    pub(super) fn new(source: R, stream: Stream) -> Self {
        Self { source, stream, has_ended: false }
    }

    pub(super) fn into_inner(self) -> R {
        self.source
    }
}

impl<R: BufRead> Read for Lzma<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.has_ended || buffer.is_empty() {
                return Ok(0);
            }
            let input = self.source.fill_buf()?;
            let is_last = input.is_empty();
            let (taken, made) = (self.stream.total_in(), self.stream.total_out());
            let action = if is_last { Action::Finish } else { Action::Run };
            let status = self.stream.process(input, buffer, action);
            let count = |now: u64, before: u64| usize::try_from(now - before).map_err(io::Error::other);
            let made = count(self.stream.total_out(), made)?;
            self.source.consume(count(self.stream.total_in(), taken)?);
            match status {
                Ok(Status::StreamEnd) => self.has_ended = true,
                Ok(_) if made == 0 && is_last => {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the stream is cut off"));
                }
                Ok(_) => {}
                Err(Error::MemLimit) => return Err(too_much(&mut self.stream)),
                Err(error) => return Err(error.into()),
            }
            if made > 0 {
                return Ok(made);
            }
        }
    }
}

/// Returns the error that states how much memory a stream takes. The library does not report it,
/// but refuses every limit below it.
fn too_much(stream: &mut Stream) -> io::Error {
    let limit = stream.memlimit();
    let (mut low, mut high) = (limit, u64::MAX);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match stream.set_memlimit(middle) {
            Ok(()) => high = middle,
            Err(_) => low = middle,
        }
    }
    io::Error::other(format!(
        "its dictionary takes {high} bytes of memory, the limit is {limit}; --decoder-memory sets the limit"
    ))
}

/// Returns true for the header of an .lzma file: properties, the size of the dictionary and that of
/// the contents.
///
/// It has no magic number. As in xz, the size of the dictionary must be one that some program uses,
/// 2^n or 2^n + 2^(n-1) bytes, and that of the contents unknown or below 256 GiB.
pub(super) fn is_start(start: &[u8]) -> bool {
    const UNKNOWN: u64 = u64::MAX;
    let [properties, d0, d1, d2, d3, s0, s1, s2, s3, s4, s5, s6, s7, ..] = *start else { return false };
    let dictionary = u32::from_le_bytes([d0, d1, d2, d3]);
    let size = u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
    let is_usual = match dictionary.count_ones() {
        1 => true,
        2 => dictionary.trailing_zeros() + 1 == dictionary.ilog2(),
        _ => dictionary == u32::MAX,
    };
    properties < 9 * 5 * 5 && dictionary >= 1 << 12 && is_usual && (size == UNKNOWN || size < 1 << 38)
}
