//! initramfs archives from a file tree.

mod append;
mod checksums;
mod compression;
mod early;
mod error;
mod layout;
mod lost;
mod options;

pub use append::gap;
pub use checksums::Checksums;
pub use compression::Compression;
pub use early::{Early, EarlyFile};
pub use error::{Error, Inexpressible};
pub use layout::{Layout, Segment, Storage, Summary};
pub use lost::{Lost, LostMetadata};
pub use options::{Options, Stored};
