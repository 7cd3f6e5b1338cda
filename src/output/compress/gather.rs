//! Parts of runs, and reading them.

use image_runs::{Run, Source};
use image_tree::Content;

use crate::blob::classify_read_error;
use crate::error::Result;
use crate::output::chunks::buffer::grow;
use crate::output::chunks::in_memory;
use crate::output::chunks::runs::read;

/// A range of a run.
pub(super) struct Part<'a, C> {
    run: Run<'a, C>,
    /// The offset in the run, in bytes.
    from: u64,
    /// The length in bytes; never 0.
    pub(super) len: u64,
}

// Runs are references, so parts copy whatever `C` is.
impl<C> Clone for Part<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<C> Copy for Part<'_, C> {}

impl<'a, C> Part<'a, C> {
    pub(super) fn whole(run: Run<'a, C>) -> Self {
        Self { run, from: 0, len: run.len }
    }

    /// Splits off the first `at` bytes, and returns them and the rest, if any.
    pub(super) fn split(self, at: u64) -> (Self, Option<Self>) {
        if self.len <= at {
            return (self, None);
        }
        (Self { len: at, ..self }, Some(Self { from: self.from + at, len: self.len - at, ..self }))
    }

    /// Returns the last `len` bytes, or all if there are fewer.
    pub(super) fn last(self, len: u64) -> Self {
        let len = len.min(self.len);
        Self { from: self.from + self.len - len, len, ..self }
    }

    /// Returns the run of exactly these bytes; `None` for a part of a run that is only computed as
    /// a whole.
    pub(super) fn run(&self) -> Option<Run<'a, C>> {
        let source = match self.run.source {
            Source::Zeros => Source::Zeros,
            Source::Bytes(bytes) => Source::Bytes(&bytes[in_memory(self.from)..][..in_memory(self.len)]),
            Source::Rendered { .. } if self.len < self.run.len => return None,
            Source::Rendered { .. } => self.run.source,
            Source::Content { content, offset } => Source::Content { content, offset: offset + self.from },
        };
        Some(Run { len: self.len, source })
    }
}

impl<C: Content> Part<'_, C> {
    /// Fills `out`, which is as long as the part.
    fn read(&self, out: &mut [u8]) -> Result<()> {
        match self.run() {
            Some(run) => read(&run, out),
            None => {
                // Such runs have at most 1 MiB.
                let mut whole = vec![0; in_memory(self.run.len)];
                let result = read(&self.run, &mut whole);
                out.copy_from_slice(&whole[in_memory(self.from)..][..out.len()]);
                result
            }
        }
        .map_err(classify_read_error)
    }
}

/// Fills `buffer` with the bytes of some parts, `len` in total.
pub(super) fn gather<C: Content>(parts: &[Part<'_, C>], len: u64, buffer: &mut Vec<u8>) -> Result<()> {
    // Every byte is written below, so the buffer is only zeroed as it grows.
    grow(buffer, in_memory(len))?;
    buffer.truncate(in_memory(len));
    let mut rest = &mut buffer[..];
    for part in parts {
        let (out, tail) = rest.split_at_mut(in_memory(part.len));
        part.read(out)?;
        rest = tail;
    }
    Ok(())
}

/// Calls `sink` with the bytes of some parts in slices of `slice_len` bytes, the last of which may
/// be shorter.
pub(super) fn for_each_slice<C: Content>(
    parts: &[Part<'_, C>],
    slice_len: u64,
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut buffer = Vec::new();
    let mut slice = Vec::new();
    let mut room = slice_len;
    for part in parts {
        let mut rest = Some(*part);
        while let Some(part) = rest {
            let (head, tail) = part.split(room);
            room -= head.len;
            slice.push(head);
            rest = tail;
            if room == 0 {
                gather(&slice, slice_len, &mut buffer)?;
                sink(&buffer)?;
                slice.clear();
                room = slice_len;
            }
        }
    }
    if room < slice_len {
        gather(&slice, slice_len - room, &mut buffer)?;
        sink(&buffer)?;
    }
    Ok(())
}
