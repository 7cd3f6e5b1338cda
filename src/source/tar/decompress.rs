//! Decompression of archives.

mod buffered;
mod lzma;
mod zstd_frame;

use std::io::{self, Read};

use liblzma::stream::Stream;

use self::buffered::Buffered;
use self::lzma::Lzma;

/// A compression, recognized by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// The .xz format.
    Xz,
    /// The .lzma format, which .xz replaced.
    Lzma,
    /// bzip2's own format.
    Bzip2,
    /// The frame format of lz4.
    Lz4,
}

/// The default limit on the window of zstd, in bytes: that of the zstd program without `--long`.
const ZSTD_WINDOW: u64 = 128 << 20;

/// The default limit on the memory of xz, in bytes: enough for every preset, whose dictionaries are
/// at most 64 MiB, and for eight times that.
const XZ_MEMORY: u64 = 576 << 20;

/// The most zeros behind compressed data, in bytes: 64 MiB.
const MAX_PADDING: u64 = 64 << 20;

/// The number of bytes that identify a format: the header of .lzma is the longest.
const START: usize = 13;

impl Compression {
    /// Returns the compression of data that begins with these bytes, of which 13 are enough.
    #[must_use]
    pub fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // The second pattern is a skippable frame, which may come first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Self::Bzip2),
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Self::Lz4),
            _ if lzma::is_start(start) => Some(Self::Lzma),
            _ => None,
        }
    }

    /// Returns the first bytes that `start`, the start of compressed data, unpacks to: at most
    /// `len`, and fewer if they cannot be unpacked or `start` is too short.
    pub(crate) fn decompress_start(self, start: &[u8], len: usize) -> Vec<u8> {
        /// Twice the memory of xz -9, in bytes. A reader of the whole reports what needs more.
        const MEMORY: u64 = 128 << 20;
        let mut unpacked = Vec::new();
        let reader = Decompressed::new(start, Some(self), Some(MEMORY)).take(len as u64);
        // OK to ignore: what was read before an error is there.
        let _ = { reader }.read_to_end(&mut unpacked);
        unpacked
    }

    /// Returns what a stream unpacks to.
    ///
    /// # Errors
    /// An error without [`io::Error::raw_os_error`] if the bytes are invalid, unpack to more than
    /// `max` bytes, or need more memory than `memory`, in bytes.
    pub(in crate::source) fn unpack(
        self,
        stream: impl Read,
        max: u64,
        memory: Option<u64>,
    ) -> io::Result<Vec<u8>> {
        let mut unpacked = Vec::new();
        let mut reader = Decompressed::new(stream, Some(self), memory).take(max.saturating_add(1));
        reader.read_to_end(&mut unpacked)?;
        if unpacked.len() as u64 > max {
            return Err(io::Error::other(format!("it has more than {max} bytes, which is the limit")));
        }
        Ok(unpacked)
    }

    /// Returns its name, for messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Lzma => "lzma",
            Self::Bzip2 => "bzip2",
            Self::Lz4 => "lz4",
        }
    }
}

/// The unpacked bytes of an archive that comes as a stream.
pub(super) enum Decompressed<'a> {
    /// An uncompressed stream.
    Plain(Box<dyn Read + 'a>),
    /// A compressed stream.
    Compressed(Box<Decompressor<'a>>),
}

impl<'a> Decompressed<'a> {
    /// Returns the unpacked bytes of a stream: all members, frames or streams in it, one after the
    /// other.
    ///
    /// Reading fails with an error without [`io::Error::raw_os_error`] if the bytes are invalid, or
    /// if unpacking takes more memory than `memory`, in bytes; the default is 128 MiB for the
    /// window of zstd, and 576 MiB in all for xz and lzma. The other formats never take more than a
    /// few MiB.
    pub(super) fn new(stream: impl Read + 'a, compression: Option<Compression>, memory: Option<u64>) -> Self {
        let stream: Box<dyn Read + 'a> = Box::new(stream);
        match compression {
            None => Self::Plain(stream),
            Some(compression) => {
                let state = State::BetweenStreams(Buffered::new(stream));
                Self::Compressed(Box::new(Decompressor { compression, memory, state, parts: 0, padding: 0 }))
            }
        }
    }

    /// Returns the number of zeros behind the last part, in bytes, once all is read.
    pub(super) fn padding(&self) -> u64 {
        match self {
            Self::Plain(_) => 0,
            Self::Compressed(decompressor) => decompressor.padding,
        }
    }
}

impl Read for Decompressed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Compressed(decompressor) => decompressor.read(buffer),
        }
    }
}

type Source<'a> = Buffered<Box<dyn Read + 'a>>;

pub(super) struct Decompressor<'a> {
    compression: Compression,
    memory: Option<u64>,
    state: State<'a>,
    /// The number of members, frames or streams that were read.
    parts: u64,
    padding: u64,
}

enum State<'a> {
    /// Before a part, or behind the last one.
    BetweenStreams(Source<'a>),
    InStream(Box<Decoder<'a>>),
    Ended,
}

enum Decoder<'a> {
    Gzip(flate2::bufread::GzDecoder<Source<'a>>),
    Zstd(zstd::stream::read::Decoder<'static, Source<'a>>),
    Lzma(Lzma<Source<'a>>),
    Bzip2(bzip2::bufread::BzDecoder<Source<'a>>),
    Lz4(lz4_flex::frame::FrameDecoder<Source<'a>>),
}

impl<'a> Decompressor<'a> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match &mut self.state {
                State::Ended => return Ok(0),
                State::InStream(decoder) => {
                    let count = decoder.reader().read(buffer)?;
                    if count > 0 {
                        return Ok(count);
                    }
                    if let State::InStream(decoder) = std::mem::replace(&mut self.state, State::Ended) {
                        self.parts += 1;
                        self.state = State::BetweenStreams(decoder.end()?);
                    }
                }
                State::BetweenStreams(source) => {
                    if self.parts > 0 {
                        self.padding += zeros(source)?;
                    }
                    let start = source.peek(START)?;
                    if start.is_empty() {
                        return Ok(0);
                    }
                    let found = Compression::of(start);
                    self.check_start(found)?;
                    if let State::BetweenStreams(source) = std::mem::replace(&mut self.state, State::Ended) {
                        self.state = State::InStream(Box::new(self.decoder(source)?));
                    }
                }
            }
        }
    }

    /// Refuses bytes that follow a part and are not another one.
    fn check_start(&mut self, found: Option<Compression>) -> io::Result<()> {
        // A stream of xz may be padded to a multiple of four bytes, and then another one may
        // follow.
        let may_follow =
            self.padding == 0 || self.compression == Compression::Xz && self.padding.is_multiple_of(4);
        if found != Some(self.compression)
            || !may_follow
            || self.compression == Compression::Lzma && self.parts > 0
        {
            let name = self.compression.name();
            return Err(io::Error::other(format!("bytes that are neither {name} nor zeros follow its end")));
        }
        self.padding = 0;
        Ok(())
    }

    fn decoder(&self, mut source: Source<'a>) -> io::Result<Decoder<'a>> {
        let memory = self.memory.unwrap_or(XZ_MEMORY);
        Ok(match self.compression {
            Compression::Gzip => Decoder::Gzip(flate2::bufread::GzDecoder::new(source)),
            Compression::Zstd => {
                let limit = self.memory.unwrap_or(ZSTD_WINDOW);
                let log = zstd_frame::check_window(source.peek(zstd_frame::HEADER)?, limit)?;
                let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?.single_frame();
                decoder.window_log_max(log)?;
                Decoder::Zstd(decoder)
            }
            Compression::Xz => {
                let stream = Stream::new_stream_decoder(memory, 0).map_err(io::Error::from)?;
                Decoder::Lzma(Lzma::new(source, stream))
            }
            Compression::Lzma => {
                let stream = Stream::new_lzma_decoder(memory).map_err(io::Error::from)?;
                Decoder::Lzma(Lzma::new(source, stream))
            }
            Compression::Bzip2 => Decoder::Bzip2(bzip2::bufread::BzDecoder::new(source)),
            Compression::Lz4 => Decoder::Lz4(lz4_flex::frame::FrameDecoder::new(source)),
        })
    }
}

impl<'a> Decoder<'a> {
    fn reader(&mut self) -> &mut dyn Read {
        match self {
            Self::Gzip(decoder) => decoder,
            Self::Zstd(decoder) => decoder,
            Self::Lzma(decoder) => decoder,
            Self::Bzip2(decoder) => decoder,
            Self::Lz4(decoder) => decoder,
        }
    }

    /// Returns the source behind the part that was read.
    fn end(self) -> io::Result<Source<'a>> {
        Ok(match self {
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
            Self::Lzma(decoder) => decoder.into_inner(),
            Self::Bzip2(decoder) => decoder.into_inner(),
            Self::Lz4(decoder) => {
                let source = decoder.into_inner();
                if source.has_ended() {
                    // The library takes the end of its input between two blocks for the end mark of
                    // a frame.
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the frame is cut off"));
                }
                source
            }
        })
    }
}

/// Skips the zeros that come next and returns their number.
fn zeros(source: &mut Source<'_>) -> io::Result<u64> {
    use std::io::BufRead;
    let mut count = 0;
    loop {
        let bytes = source.fill_buf()?;
        let zeros = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
        let all = zeros > 0 && zeros == bytes.len();
        source.consume(zeros);
        count += zeros as u64;
        if count > MAX_PADDING {
            return Err(io::Error::other(format!("more than {MAX_PADDING} bytes of zeros follow its end")));
        }
        if !all {
            return Ok(count);
        }
    }
}

#[cfg(test)]
mod tests;
