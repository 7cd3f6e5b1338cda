//! A planned byte string: its exact length and, in order, the source of each of its bytes.
//!
//! ```text
//! Image    0                                                                                     len
//!          ├── Zeros ──┬── Rendered ──┬── Content ──────────────┬─ Zeros ─┬── Content ──┬── … ──┤
//!            not written  computed when  a range of a file's      padding
//!            to a sparse  asked for      bytes, read when asked
//!            file
//! ```
//!
//! A filesystem is an image; a disk is an image made of images, see [`Placed`]. Planning decides every offset
//! before a byte is read or written; writers then turn the runs into a sparse file, a stream or a
//! digest, with any number of threads, and always get the same bytes.
//!
//! [`write_sparse`], [`write_to`] and [`read_all`] are writers of one thread. A program that needs
//! more, such as progress or several threads, iterates over [`Image::runs`] itself.
//!
//! ```
//! use image_runs::{Image, Run, Source, read_all};
//!
//! struct Padded(Vec<u8>);
//!
//! impl Image<Vec<u8>> for Padded {
//!     fn len(&self) -> u64 {
//!         4096
//!     }
//!     fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Vec<u8>>> + Send + '_> {
//!         let len = self.0.len() as u64;
//!         let data = Run { len, source: Source::Content { content: &self.0, offset: 0 } };
//!         Box::new([data, Run::zeros(4096 - len)].into_iter())
//!     }
//! }
//!
//! assert!(read_all(&Padded(b"guest".to_vec()))?.starts_with(b"guest\0"));
//! # Ok::<(), std::io::Error>(())
//! ```

mod image;
mod placed;
mod read;
mod write;

/// The crate that defines the [`Content`](image_tree::Content) of files.
pub use image_tree;

pub use image::{Image, MAX_RENDERED, Render, Run, Source};
pub use placed::{PlaceError, Placed};
pub use read::read_all;
pub use write::{write_sparse, write_to};

/// The program of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
