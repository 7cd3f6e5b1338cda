//! Compression of files, before planning.
//!
//! ```text
//! tree ─▶ Packing ─▶ units ─▶ threads: read, compress ─▶ store ─▶ assemble ─▶ Packed ─▶ plan_packed
//!         from lengths alone  in any order               caller's
//! ```
//!
//! The length of compressed data is known only after compression, so it precedes planning. The
//! result for a unit depends on its bytes and the options alone; threads, the place of stored bytes
//! and a cache are the caller's, and cannot change it.

mod assemble;
mod by_content;
mod clusters;
mod codec;
pub(crate) mod compress;
mod fill;
mod lz4_cut;
mod options;
mod packed;
mod packing;
mod stored_form;
mod unit;

pub use crate::ondisk::algorithm::Algorithm;
pub use assemble::PackedUnit;
pub use clusters::{ClusterSize, ClusterSizeError};
pub use codec::{Codec, CodecError, LIBRARIES};
pub use compress::{Compressed, Extents};
pub use options::PackOptions;
pub use packed::Packed;
#[cfg(test)]
pub(crate) use packed::{Cluster, PackedExtent};
pub(crate) use packed::{PackedFile, Source};
pub use packing::Packing;
pub use unit::{Range, Unit};

#[cfg(all(test, feature = "lz4", feature = "deflate", feature = "zstd"))]
mod tests;
