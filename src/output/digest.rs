//! The SHA-256 of an image that is not written.
//!
//! Hashing runs in one thread and is the bottleneck; the other threads read ahead of it.

use image_runs::Image;
use sha2::{Digest, Sha256};

use super::chunks::ordered;
use super::options::WriteOptions;
use crate::blob::ReadAhead;
use crate::error::Result;

/// Returns the SHA-256 of the whole image, holes included.
///
/// # Errors
/// The errors of reading the image's contents,
/// [`Verification`](crate::error::ErrorKind::Verification) if its runs violate the contract of
/// [`Image`], or [`Interrupted`](crate::error::ErrorKind::Interrupted).
pub fn sha256<C: ReadAhead>(image: &dyn Image<C>, options: &WriteOptions<'_>) -> Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    ordered::for_each_slice(image, options, None, &mut |bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    Ok(hasher.finalize().into())
}
