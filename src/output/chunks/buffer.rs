//! The large buffers, of which each thread has several.

use std::io;

use crate::error::{Error, ErrorKind, Result};

/// Extends a buffer to at least `len` bytes. The new part is zeroed.
///
/// # Errors
/// [`Io`](ErrorKind::Io) if there is not enough memory for it, which fails first under a memory
/// limit.
pub(in crate::output) fn grow(buffer: &mut Vec<u8>, len: usize) -> Result<()> {
    let missing = len.saturating_sub(buffer.len());
    if missing == 0 {
        return Ok(());
    }
    if buffer.try_reserve_exact(missing).is_err() {
        let message =
            format!("no memory for a buffer of {len} bytes: lower -j, or raise the limit (ulimit -v)");
        return Err(Error::new(ErrorKind::Io, io::Error::new(io::ErrorKind::OutOfMemory, message)));
    }
    buffer.resize(len, 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_grows_or_names_its_length() {
        let mut buffer = vec![7; 3];
        grow(&mut buffer, 2).expect("it is longer");
        grow(&mut buffer, 5).expect("there is memory");
        assert_eq!(buffer, [7, 7, 7, 0, 0]);
        let error = grow(&mut buffer, usize::MAX).expect_err("nobody has as much");
        assert!(
            error.to_string().contains("no memory for a buffer of 18446744073709551615 bytes"),
            "{error}"
        );
        assert_eq!(buffer.len(), 5);
    }
}
