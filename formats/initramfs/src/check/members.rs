//! The parts of an initramfs: archives, compressed members, and zeros between them.

use std::io::{self, BufRead, BufReader, Read};

use super::entries::Entries;
use super::input::Input;
use super::limits::Limits;
use super::report::Rule;
use super::stream::{Stop, Stream};
use super::{xz, zstd};
use crate::compression::decode::{Format, Lz4, decoder, disabled_feature};
use crate::{Compression, KernelConfig};

/// The read size for unpacked bytes, in bytes.
const STEP: usize = 1 << 16;

/// A reader of a decompressor's output, up to a limit.
struct Limited<R> {
    reader: R,
    left: u64,
    /// True if there was more output.
    more: bool,
}

/// Reads the whole initramfs.
pub(super) fn read(
    input: &mut Input<'_>,
    kernel: &KernelConfig,
    limits: &Limits,
    entries: &mut Entries<'_>,
) -> Result<(), Stop> {
    if kernel.supports_initrd() == Some(false) {
        let detail =
            "the kernel has no CONFIG_BLK_DEV_INITRD, so it does not support an initramfs".to_owned();
        entries.found(Rule::Configured, (0, None), None, detail);
    }
    let mut left = limits.unpacked_bytes;
    let mut plain = false;
    loop {
        let position = input.position();
        let start: Vec<u8> = input.peek(8)?.to_vec();
        match start.first() {
            None => return Ok(()),
            Some(0) => {
                Stream::plain(input, position).skip_zeros()?;
                plain = false;
            }
            Some(b'0') if position.is_multiple_of(4) => {
                entries.report.members += u64::from(!plain);
                plain = true;
                let mut stream = Stream::plain(input, position);
                let result = entries.entry(&mut stream);
                entries.report.unpacked_bytes += stream.position() - position;
                result?;
            }
            Some(_) => {
                plain = false;
                let compression = detect_compression(&start, position, entries)?;
                if kernel.supports(compression) == Some(false) {
                    let option = compression.kernel_option();
                    let detail =
                        format!("it is compressed with {compression}, and the kernel has no {option}");
                    return entries.stop(Rule::Configured, (position, None), None, detail);
                }
                entries.report.members += 1;
                left = member(input, compression, left, entries)?;
            }
        }
    }
}

/// Returns the compression that begins with these bytes.
fn detect_compression(start: &[u8], position: u64, entries: &mut Entries<'_>) -> Result<Compression, Stop> {
    let place = (position, None);
    if start.starts_with(b"0707") {
        let detail = format!("an archive begins at byte {position}, which is not a multiple of 4");
        return entries.stop(Rule::Alignment, place, None, detail);
    }
    if start.len() >= 4 && start[0] & 0xf0 == 0x50 && start[1..4] == [0x2a, 0x4d, 0x18] {
        let detail = "the kernel does not support skippable frames of zstd".to_owned();
        return entries.stop(Rule::ZstdSkippable, place, None, detail);
    }
    if start.starts_with(&[0x04, 0x22, 0x4d, 0x18]) {
        let detail = "the kernel supports only the legacy format of lz4; compress with lz4 -l".to_owned();
        return entries.stop(Rule::Lz4Frame, place, None, detail);
    }
    let two = start.first_chunk::<2>().copied();
    two.and_then(Compression::from_magic).map_or_else(
        || {
            let shown = start.escape_ascii();
            let detail = format!("\"{shown}\" begins neither an archive nor anything compressed");
            entries.stop(Rule::Magic, place, None, detail)
        },
        Ok,
    )
}

/// Reads a compressed member and returns how many more bytes may be unpacked.
fn member(
    input: &mut Input<'_>,
    compression: Compression,
    left: u64,
    entries: &mut Entries<'_>,
) -> Result<u64, Stop> {
    let start = input.position();
    if let Some(feature) = disabled_feature(compression) {
        let detail = format!(
            "{compression} is not examined, nor is anything that follows: \
             this program was built without the feature {feature} of mkinitramfs-rs"
        );
        return entries.stop(Rule::Examined, (start, None), None, detail);
    }
    match compression {
        Compression::Gzip => gzip(input, start, left, entries),
        Compression::Zstd => {
            zstd::header(input, entries)?;
            unpack(decoder(Format::Zstd, input).map_err(Stop::Io)?, start, left, entries)
        }
        Compression::Xz => {
            xz::header(input, entries)?;
            unpack(decoder(Format::Xz, input).map_err(Stop::Io)?, start, left, entries)
        }
        Compression::Lzma => unpack(decoder(Format::Lzma, input).map_err(Stop::Io)?, start, left, entries),
        Compression::Bzip2 => unpack(decoder(Format::Bzip2, input).map_err(Stop::Io)?, start, left, entries),
        Compression::Lz4 => lz4(input, start, left, entries),
        Compression::Lzo => {
            let detail = "lzo is not examined, nor is anything that follows".to_owned();
            entries.stop(Rule::Examined, (start, None), None, detail)
        }
    }
}

/// Reads the output of a decoder, entry by entry, to its end.
fn unpack(decoder: impl Read, start: u64, left: u64, entries: &mut Entries<'_>) -> Result<u64, Stop> {
    let mut limited = Limited { reader: decoder, left, more: false };
    let mut reader = BufReader::with_capacity(STEP, &mut limited);
    let mut stream = Stream::unpacked(&mut reader, start);
    let result = entries.member(&mut stream);
    let unpacked = stream.position();
    entries.report.unpacked_bytes += unpacked;
    match result {
        Err(Stop::Io(_)) if limited.more => {
            let detail = "more is unpacked than the limit of this check allows".to_owned();
            entries.stop(Rule::Examined, (start, Some(unpacked)), None, detail)
        }
        Err(Stop::Io(error)) => report_corrupt(&error, start, unpacked, entries),
        Err(Stop::Found) => Err(Stop::Found),
        Ok(()) if unpacked == 0 && entries.report.entries == 0 => {
            let detail = "it unpacks to no bytes, which the kernel treats as a truncated entry";
            entries.stop(Rule::MemberEnd, (start, None), None, detail.to_owned())
        }
        Ok(()) => Ok(limited.left),
    }
}

/// Reports an error of a decompressor. If it is one of the underlying reader, the report is
/// discarded.
fn report_corrupt<T>(
    error: &io::Error,
    start: u64,
    unpacked: u64,
    entries: &mut Entries<'_>,
) -> Result<T, Stop> {
    let detail = format!("it cannot be decompressed: {error}");
    entries.stop(Rule::Corrupt, (start, Some(unpacked)), None, detail)
}

fn gzip(input: &mut Input<'_>, start: u64, left: u64, entries: &mut Entries<'_>) -> Result<u64, Stop> {
    gzip_header(input, start, entries)?;
    let mut sums = Sums::default();
    let left = {
        let reader = decoder(Format::Deflate, &mut *input).map_err(Stop::Io)?;
        unpack(Summed { reader, sums: &mut sums }, start, left, entries)?
    };
    let at = input.position();
    let mut end = [0; 8];
    if let Err(error) = input.read_exact(&mut end) {
        return report_corrupt(&error, start, sums.len, entries);
    }
    let (crc, len) = end.split_at(4);
    // ISIZE: the length modulo 2^32.
    if crc != sums.crc.finalize().to_le_bytes() || len != &sums.len.to_le_bytes()[..4] {
        let detail = "the sum or length at the end of the gzip member is not that of its data".to_owned();
        entries.found(Rule::GzipChecksum, (at, None), None, detail);
    }
    Ok(left)
}

/// Checks a gzip header (RFC 1952, section 2.3) as far as the kernel supports it.
fn gzip_header(input: &mut Input<'_>, start: u64, entries: &mut Entries<'_>) -> Result<(), Stop> {
    const FHCRC: u8 = 2;
    const FEXTRA: u8 = 4;
    const FNAME: u8 = 8;
    const FCOMMENT: u8 = 16;
    let header = input.peek(10)?;
    let Some(&header) = header.first_chunk::<10>() else {
        let detail = "the initramfs ends within a gzip header".to_owned();
        return entries.stop(Rule::GzipHeader, (start, None), None, detail);
    };
    if header[..3] != [0x1f, 0x8b, 8] {
        let detail = "the magic of gzip is not followed by 8, its one method".to_owned();
        return entries.stop(Rule::GzipHeader, (start, None), None, detail);
    }
    let flags = header[3];
    for (flag, name) in [(FEXTRA, "an extra field"), (FCOMMENT, "a comment"), (FHCRC, "a sum of its own")] {
        if flags & flag != 0 {
            let detail = format!("the gzip header has {name}, which the kernel takes for compressed data");
            return entries.stop(Rule::GzipHeader, (start + 3, None), None, detail);
        }
    }
    input.consume(10);
    if flags & FNAME != 0 {
        let at = input.position();
        let mut name = Stream::plain(input, at);
        loop {
            let next = name.peek()?;
            if name.pass(1, |_| {})? && next != Some(0) {
                continue;
            }
            break;
        }
    }
    Ok(())
}

fn lz4(input: &mut Input<'_>, start: u64, left: u64, entries: &mut Entries<'_>) -> Result<u64, Stop> {
    let mut decoder = Lz4::new(input);
    let result = unpack_lz4(&mut decoder, start, left, entries);
    match (decoder.followed_at(), result) {
        (Some(at), Err(Stop::Found)) => {
            // The finding so far is corrupt data or a truncated entry; this is the cause.
            let detail = "lz4 is followed by data that is not a chunk of it; put at least 4 bytes of zeros between them";
            entries.found(Rule::Lz4Followed, (at, None), None, detail.to_owned());
            Err(Stop::Found)
        }
        (_, result) => result,
    }
}

fn unpack_lz4(
    decoder: &mut Lz4<&mut Input<'_>>,
    start: u64,
    left: u64,
    entries: &mut Entries<'_>,
) -> Result<u64, Stop> {
    unpack(decoder, start, left, entries)
}

/// The CRC-32 and the length of bytes.
#[derive(Default)]
struct Sums {
    crc: crc32fast::Hasher,
    len: u64,
}

/// A reader that sums its bytes.
struct Summed<'s, R> {
    reader: R,
    sums: &'s mut Sums,
}

impl<R: Read> Read for Summed<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.reader.read(out)?;
        self.sums.crc.update(&out[..len]);
        self.sums.len += len as u64;
        Ok(len)
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.reader.read(out)?;
        match self.left.checked_sub(len as u64) {
            Some(left) => self.left = left,
            None => {
                self.more = true;
                return Err(io::Error::other("the limit"));
            }
        }
        Ok(len)
    }
}
