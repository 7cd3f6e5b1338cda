//! Random access to the bytes of an image, which is not written.

use std::sync::{Arc, Mutex, PoisonError};

use image_runs::{Image, Run, Source};
use image_tree::Content;

use super::chunks::in_memory;
use super::chunks::runs::{Runs, read};
use crate::error::{Error, ErrorKind, Result, classify_read_error};

/// The number of rendered runs that are kept, of at most 1 MiB each: reads of blocks in order render
/// each run once.
const KEPT: usize = 8;

/// The bytes of images at increasing offsets, with zeros between them.
pub struct Blocks<'a, C> {
    len: u64,
    /// The runs that are not zeros, with their offsets in bytes, in order.
    runs: Vec<(u64, Run<'a, C>)>,
    /// The end of the last image, in bytes.
    end: u64,
    /// The rendered runs that were read last, the latest at the end, by their indices.
    rendered: Mutex<Vec<(usize, Arc<[u8]>)>>,
}

impl<'a, C> Blocks<'a, C> {
    /// Returns `len` zeros, in which images are to be placed.
    #[must_use]
    pub fn new(len: u64) -> Self {
        Self { len, runs: Vec::new(), end: 0, rendered: Mutex::default() }
    }

    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns true if there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Places an image at an offset in bytes, at or behind the end of the previous one.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`] if it is not within the free bytes, or if its runs violate the
    /// contract of [`Image`].
    pub fn place(&mut self, offset: u64, image: &'a dyn Image<C>) -> Result<()> {
        let end = offset.checked_add(image.len()).filter(|end| *end <= self.len && offset >= self.end);
        let Some(end) = end else {
            let message =
                format!("an image of {} bytes at {offset} is not within the free bytes", image.len());
            return Err(Error::new(ErrorKind::Verification, message));
        };
        let (mut runs, mut position) = (Runs::of(image), offset);
        while let Some(run) = runs.next()? {
            if !matches!(run.source, Source::Zeros) {
                self.runs.push((position, run));
            }
            position += run.len;
        }
        self.end = end;
        Ok(())
    }

    /// Returns the ranges that may hold other bytes than zeros, in order, as offsets and lengths in
    /// bytes.
    pub fn data(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.runs.iter().map(|(offset, run)| (*offset, run.len))
    }
}

impl<C: Content> Blocks<'_, C> {
    /// Reads the bytes at an offset; several threads may read at once.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if the range is not within the image, and the errors of reading a
    /// file's contents. The buffer holds any bytes then.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let end = offset.checked_add(buffer.len() as u64).filter(|end| *end <= self.len);
        let Some(end) = end else {
            let message = format!(
                "{} bytes at {offset} are not within the {} bytes of the image",
                buffer.len(),
                self.len
            );
            return Err(Error::new(ErrorKind::Usage, message));
        };
        let mut position = offset;
        let first = self.runs.partition_point(|(start, run)| start + run.len <= offset);
        for (index, (start, run)) in self.runs.iter().enumerate().skip(first) {
            if *start >= end {
                break;
            }
            let from = position.max(*start);
            let to = end.min(start + run.len);
            buffer[in_memory(position - offset)..in_memory(from - offset)].fill(0);
            let out = &mut buffer[in_memory(from - offset)..in_memory(to - offset)];
            self.read_run(index, run, from - start, out)?;
            position = to;
        }
        buffer[in_memory(position - offset)..].fill(0);
        Ok(())
    }

    /// Fills `out` with the bytes at an offset of a run.
    fn read_run(&self, index: usize, run: &Run<'_, C>, at: u64, out: &mut [u8]) -> Result<()> {
        match run.source {
            Source::Zeros => out.fill(0),
            Source::Bytes(bytes) => out.copy_from_slice(&bytes[in_memory(at)..][..out.len()]),
            Source::Content { content, offset } => {
                content.read_at(out, offset + at).map_err(classify_read_error)?;
            }
            Source::Rendered { .. } => {
                let bytes = self.render(index, run)?;
                out.copy_from_slice(&bytes[in_memory(at)..][..out.len()]);
            }
        }
        Ok(())
    }

    /// Returns the bytes of a rendered run.
    fn render(&self, index: usize, run: &Run<'_, C>) -> Result<Arc<[u8]>> {
        let kept = || self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = kept().iter().find(|(kept, _)| *kept == index) {
            return Ok(Arc::clone(bytes));
        }
        let mut bytes = vec![0; in_memory(run.len)];
        read(run, &mut bytes).map_err(classify_read_error)?;
        let bytes: Arc<[u8]> = bytes.into();
        let mut kept = kept();
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((index, Arc::clone(&bytes)));
        Ok(bytes)
    }
}
