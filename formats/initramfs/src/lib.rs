//! initramfs archives from a file tree.

mod append;
pub mod check;
mod checksums;
mod compression;
mod early;
mod error;
mod kernel_config;
mod layout;
mod lost;
mod newc;
mod options;
mod plan;

pub use append::gap;
pub use checksums::Checksums;
pub use compression::Compression;
pub use early::Early;
pub use error::{Error, Inexpressible};
pub use kernel_config::{KernelConfig, KernelConfigError};
pub use layout::{Layout, Segment, Storage, Summary};
pub use lost::{Lost, LostMetadata};
pub use options::{Options, Stored};
pub use plan::plan;
