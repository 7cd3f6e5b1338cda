//! An image as bytes in memory, for tests and small images.

use std::io;

use image_tree::Content;

use crate::{Image, Source};

/// Reads a whole image into memory.
///
/// # Errors
/// The first error returned by a content, or [`io::ErrorKind::OutOfMemory`] if the image does not
/// fit in memory.
///
/// # Panics
/// Panics if the runs do not add up to the image's length.
pub fn read_all<C: Content>(image: &dyn Image<C>) -> io::Result<Vec<u8>> {
    let too_long = |_| io::Error::from(io::ErrorKind::OutOfMemory);
    let len = usize::try_from(image.len()).map_err(too_long)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    bytes.resize(len, 0);
    let mut position = 0;
    for run in image.runs() {
        assert!(run.len > 0, "a run has no bytes at {position}");
        let end = position + usize::try_from(run.len).map_err(too_long)?;
        let out = &mut bytes[position..end];
        match run.source {
            Source::Zeros => {}
            Source::Bytes(source) => out.copy_from_slice(source),
            Source::Rendered { by, key } => by.render(key, out),
            Source::Content { content, offset } => content.read_at(out, offset)?,
        }
        position = end;
    }
    assert_eq!(position, len, "the runs do not add up to the image's length");
    Ok(bytes)
}
