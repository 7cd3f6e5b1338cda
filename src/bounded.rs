//! Files that are read whole, up to a limit.

use std::fmt::Display;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use image_tree::Content;

use crate::error::{Error, ErrorKind, Result, classify_read_error};

/// Reads a content of at most `limit` bytes. `name` is its name in the error of a longer one.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) with the length and the limit if it is longer; that of
/// [`classify_read_error`] if it cannot be read.
pub(crate) fn read_content<C: Content>(content: &C, limit: u64, name: impl Display) -> Result<Vec<u8>> {
    let len = content.len();
    let Some(in_memory) = usize::try_from(len).ok().filter(|_| len <= limit) else {
        let message = format!("{name} has {len} bytes, more than {limit} are not read");
        return Err(Error::new(ErrorKind::BadInput, message));
    };
    let mut bytes = vec![0; in_memory];
    content.read_at(&mut bytes, 0).map_err(classify_read_error)?;
    Ok(bytes)
}

/// Reads an open file of the host, which may be a pipe, of at most `limit` bytes. `path` is its
/// name in errors.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) with the limit if it is longer; [`Io`](ErrorKind::Io) if it
/// cannot be read.
pub(crate) fn read_file(file: File, path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| Error::io(path, error))?;
    if bytes.len() as u64 > limit {
        return Err(Error::at(ErrorKind::BadInput, path, format!("is longer than {limit} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;

    #[test]
    fn reads_no_more_than_the_limit() {
        let bytes = b"0123456789".to_vec();
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(&bytes).expect("there is room");
        for limit in [10, 11, u64::MAX] {
            assert_eq!(read_content(&bytes, limit, "f").expect("it is short"), bytes);
            file.rewind().expect("it is a file");
            let file = file.try_clone().expect("it is open");
            assert_eq!(read_file(file, Path::new("f"), limit).expect("it is short"), bytes);
        }
        let error = read_content(&bytes, 9, "the tree's f").expect_err("it is longer");
        assert_eq!(error.to_string(), "the tree's f has 10 bytes, more than 9 are not read");
        assert_eq!(error.kind(), ErrorKind::BadInput);
        file.rewind().expect("it is a file");
        let error = read_file(file, Path::new("f"), 9).expect_err("it is longer");
        assert_eq!(error.to_string(), "f: is longer than 9 bytes");
        assert_eq!(error.kind(), ErrorKind::BadInput);
    }
}
