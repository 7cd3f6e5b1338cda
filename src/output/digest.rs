//! The SHA-256 of an image, without writing it or while it is written.
//!
//! Hashing runs in one thread and is the bottleneck; the other threads read ahead of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use image_runs::Image;
use sha2::{Digest, Sha256};

use super::chunks::ordered;
use super::observer::Observer;
use super::options::WriteOptions;
use crate::blob::ReadAhead;
use crate::error::Result;
use crate::zeros;

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

/// An observer that computes the SHA-256 of all bytes. Those that come before their turn are kept
/// until then.
#[derive(Default)]
pub struct OrderedSha256(Mutex<State>);

#[derive(Default)]
struct State {
    hasher: Sha256,
    /// The number of bytes that were hashed.
    position: u64,
    /// The bytes behind those, by offset.
    later: BTreeMap<u64, Vec<u8>>,
}

impl State {
    fn hash(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.position += bytes.len() as u64;
    }
}

impl OrderedSha256 {
    /// Returns the SHA-256 of all bytes, which must be consecutive.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).hasher.finalize().into()
    }
}

impl Observer for OrderedSha256 {
    fn bytes_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if offset > state.position {
            state.later.insert(offset, bytes.to_vec());
            return Ok(());
        }
        state.hash(bytes);
        loop {
            let position = state.position;
            let Some(next) = state.later.remove(&position) else { return Ok(()) };
            state.hash(&next);
        }
    }

    fn zeros_at(&self, offset: u64, len: u64) -> Result<()> {
        let mut at = offset;
        zeros::pieces(len).try_for_each(|piece| {
            let here = at;
            at += piece.len() as u64;
            self.bytes_at(here, piece)
        })
    }
}
