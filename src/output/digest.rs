//! The SHA-256 of an image that is never written.
//!
//! Hashing is one thread's work, so it is the limit; the other threads read ahead of it.

use image_runs::Image;
use sha2::{Digest, Sha256};

use super::{WriteOptions, in_order};
use crate::blob::ReadAhead;
use crate::error::Result;

/// The SHA-256 of the whole image, holes included.
///
/// # Errors
/// What reading the image's contents gives, [`Verification`](crate::error::ErrorKind::Verification) when its
/// runs are not what [`Image`] promises, or [`Interrupted`](crate::error::ErrorKind::Interrupted).
pub fn sha256<C: ReadAhead>(image: &dyn Image<C>, options: &WriteOptions<'_>) -> Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    in_order::for_each_slice(image, options, &mut |bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    Ok(hasher.finalize().into())
}
