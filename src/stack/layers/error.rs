//! Errors of layers.

use image_tree::{InsertError, Shown};
use thiserror::Error;

/// A tree that layers cannot make up.
#[derive(Debug, Error)]
pub enum LayerError {
    /// A file has the name of a whiteout.
    #[error("{}: a name that begins with .wh. is that of a whiteout in a layer; --remove takes the file away", Shown(.0))]
    Reserved(Vec<u8>),
    /// The name of a hidden file is too long for one of a whiteout.
    #[error(
        "{}: a later source hides it, and its name is too long for that of a whiteout, .wh. and at most 251 bytes; \
         without --split there is one layer",
        Shown(.0)
    )]
    LongName(Vec<u8>),
    /// There are too many files.
    #[error(transparent)]
    Insert(#[from] InsertError),
}
