//! The pfn info block, with which a disk image is persistent memory that a guest mounts with DAX.
//!
//! ```text
//! device   0       4096              8192              dataoff, a multiple of align
//!          ├ any ──┼ pfn info block ─┼ any ────────────┼ contents, as the kernel shows them ─┤
//!                   of 4096 bytes                       /dev/pmem0, from its first byte
//! ```
//!
//! Linux reads the block at [`InfoBlock::OFFSET`] of an NVDIMM namespace (`struct nd_pfn_sb` in the
//! kernel's `drivers/nvdimm/pfn.h`, checked by `nd_pfn_validate` in `pfn_devs.c`). If the block is
//! valid, the kernel makes a device of what follows `dataoff`, with page structures in RAM, as DAX
//! needs them. Without a valid one, the device is the whole namespace. So one image can be both: a
//! disk for a virtual machine without NVDIMM, whose partition table is at 0, and persistent memory
//! with a table of its own at `dataoff`.
//!
//! Numbers are little-endian. The last eight bytes are a Fletcher-64 checksum of the block, with
//! these bytes as zeros.
//!
//! ```
//! use dax_header::InfoBlock;
//! use image_runs::{Image, read_all};
//!
//! // 2 MiB for the headers of both kinds of disk, then 126 MiB of contents.
//! let block = InfoBlock::in_ram(2 << 20);
//! block.check_device(128 << 20)?;
//! let bytes = block.to_bytes();
//! assert!(bytes.starts_with(b"NVDIMM_PFN_INFO\0"));
//! assert_eq!(InfoBlock::parse(&bytes)?, block);
//!
//! let image = block.image();
//! assert_eq!(read_all::<Vec<u8>>(&image)?, bytes);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The bytes depend on the fields only. [`InfoBlock::parse`] takes any bytes.

mod checksum;
mod error;
mod image;
mod info_block;

pub use error::Error;
pub use image::InfoBlockImage;
/// The crate that defines the `Image` trait.
pub use image_runs;
pub use info_block::{InfoBlock, Mode};
/// The crate that defines the `Uuid` type of the block.
pub use uuid;

/// The program of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
