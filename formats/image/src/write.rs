//! Writing of an image, front to back, by one thread.
#![expect(clippy::disallowed_types, reason = "the caller opened the file, to be written")]

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use image_tree::Content;

use crate::{Image, MAX_RENDERED, Run, Source};

/// The number of bytes of a file that are read at a time: also the longest run that is rendered.
const CHUNK: usize = 1 << 20;
const _: () = assert!(CHUNK as u64 == MAX_RENDERED);

/// Writes every byte of an image to `out`, in order. The memory needed does not depend on the
/// image: 1 MiB.
///
/// # Errors
/// The first error of `out`, or of a content.
///
/// # Panics
/// Panics if the runs violate the contract of [`Image`].
pub fn write_to<C: Content>(image: &dyn Image<C>, mut out: impl Write) -> io::Result<()> {
    const ZEROS: &[u8] = &[0; 1 << 16];
    let mut buffer = Vec::new();
    for_each_run(image, |_, run| {
        if matches!(run.source, Source::Zeros) {
            let mut rest = run.len;
            while rest > 0 {
                let zeros = &ZEROS[..at_most(rest, ZEROS.len())];
                out.write_all(zeros)?;
                rest -= zeros.len() as u64;
            }
            return Ok(());
        }
        for_each_chunk(run, &mut buffer, |_, bytes| out.write_all(bytes))
    })?;
    out.flush()
}

/// Writes an image to a regular file, with holes in place of zeros. The file is emptied first, and
/// then has the length of the image; its position in the file is not used, and is undefined
/// afterwards. The memory needed is that of [`write_to`].
///
/// Holes are runs of zeros, the ranges outside of [`Content::data_ranges`], and pieces of 64 KiB of
/// other runs in which every byte is zero. If the call fails, the file has some of the bytes.
///
/// # Errors
/// The first error of the file, which must be open for writing, or of a content.
///
/// # Panics
/// Panics if the runs violate the contract of [`Image`].
pub fn write_sparse<C: Content>(image: &dyn Image<C>, file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.set_len(image.len())?;
    let mut buffer = Vec::new();
    for_each_run(image, |start, run| {
        for_each_data_run(run, |offset, run| {
            let start = start + offset;
            for_each_chunk(run, &mut buffer, |offset, bytes| write_data(file, start + offset, bytes))
        })
    })
}

/// Writes bytes at an offset, except pieces of zeros.
fn write_data(mut file: &File, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    /// The length in bytes of the shortest hole made of bytes that a content or renderer gave.
    const PIECE: usize = 1 << 16;
    let is_zeros = |piece: &[u8]| piece.iter().all(|byte| *byte == 0);
    while let Some(first) = bytes.chunks(PIECE).next() {
        let zeros = is_zeros(first);
        let len = bytes.chunks(PIECE).take_while(|piece| is_zeros(piece) == zeros).map(<[u8]>::len).sum();
        let (same, rest) = bytes.split_at(len);
        if !zeros {
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(same)?;
        }
        offset += same.len() as u64;
        bytes = rest;
    }
    Ok(())
}

/// Calls `each` with the parts of a run that are not known to be zero, each with its offset in the
/// run.
fn for_each_data_run<'i, C: Content>(
    run: Run<'i, C>,
    mut each: impl FnMut(u64, Run<'i, C>) -> io::Result<()>,
) -> io::Result<()> {
    let Source::Content { content, offset } = run.source else { return each(0, run) };
    let Some(ranges) = content.data_ranges() else { return each(0, run) };
    let end = offset + run.len;
    let first = ranges.partition_point(|data| data.end <= offset);
    for data in ranges[first..].iter().take_while(|data| data.start < end) {
        let start = data.start.max(offset);
        let source = Source::Content { content, offset: start };
        each(start - offset, Run { len: data.end.min(end) - start, source })?;
    }
    Ok(())
}

/// Calls `each` with each run and its offset in the image.
fn for_each_run<'i, C>(
    image: &'i dyn Image<C>,
    mut each: impl FnMut(u64, Run<'i, C>) -> io::Result<()>,
) -> io::Result<()> {
    let mut position = 0u64;
    for run in image.runs() {
        assert!(run.len > 0, "a run has no bytes at {position}");
        let end = position.checked_add(run.len).filter(|end| *end <= image.len());
        let end = end.expect("the runs are no longer than the image");
        each(position, run)?;
        position = end;
    }
    assert_eq!(position, image.len(), "the runs do not add up to the image's length");
    Ok(())
}

/// Calls `each` with the bytes of a run, except one of zeros, in chunks with their offsets in the
/// run. Those that have to be computed or read are at most [`CHUNK`] bytes long.
fn for_each_chunk<C: Content>(
    run: Run<'_, C>,
    buffer: &mut Vec<u8>,
    mut each: impl FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    match run.source {
        Source::Zeros => Ok(()),
        Source::Bytes(bytes) => {
            assert_eq!(bytes.len() as u64, run.len, "a run is as long as its bytes");
            each(0, bytes)
        }
        Source::Rendered { by, key } => {
            assert!(run.len <= MAX_RENDERED, "a run of {} bytes is too long to be rendered", run.len);
            buffer.clear();
            buffer.resize(at_most(run.len, CHUNK), 0);
            by.render(key, buffer);
            each(0, buffer)
        }
        Source::Content { content, offset } => {
            buffer.resize(CHUNK, 0);
            let mut done = 0;
            while done < run.len {
                let chunk = &mut buffer[..at_most(run.len - done, CHUNK)];
                content.read_at(chunk, offset + done)?;
                each(done, chunk)?;
                done += chunk.len() as u64;
            }
            Ok(())
        }
    }
}

fn at_most(len: u64, limit: usize) -> usize {
    usize::try_from(len).map_or(limit, |len| len.min(limit))
}
