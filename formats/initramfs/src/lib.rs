//! initramfs archives from a file tree: a pure, deterministic `find | cpio -H newc`, and a check by
//! the kernel's rules.
//!
//! [`plan`] takes a [`Tree`](image_tree::Tree) and [`Options`] and returns a [`Layout`]: the offset
//! of every byte of the archive is known, and no byte has been written. The layout is an
//! [`Image`](image_runs::Image) of the uncompressed archive, and has [`segments`](Layout::segments)
//! that can be compressed independently, by any number of threads: a kernel accepts consecutive
//! members, as long as each ends at the end of an entry. [`check`](mod@check) reports whether a
//! kernel accepts an initramfs.
//!
//! ```text
//!          plain                      plain                             compressed
//! ├───────────────────────────┬──────────────────────────────┬───────────┬───────────┬─ … ────────────────┤
//! │ kernel/x86/microcode/…    │ . usr usr/lib … a.ko.xz      │ bin  etc  │ etc/…     │ … var    TRAILER!!! │
//! │ TRAILER!!!, zeros to 512  │ TRAILER!!!, zeros to 512     │           │           │                    │
//! └─── EarlyCpio, if any ─────┴─ compressed already, if any ─┴─ segments, cut at entries ─────────────────┘
//!
//! entry    header of 110 bytes ┼ name, NUL ┼ zeros to 4 ┼ data ┼ zeros to 4
//! ```
//!
//! Every number is in hexadecimal digits, so there is no byte order. The format is described in
//! `Documentation/driver-api/early-userspace/buffer-format.rst` in the kernel.
//!
//! # Archive contents
//!
//! Names are bytes, without a leading `/`; the root directory is `.`, parents come before children
//! and siblings are in byte order. Files that are already compressed are in a separate archive,
//! which also contains their parent directories. Inodes are numbered from 1 in the order of the
//! walk. Hard links share a number, and the last of them has the data, as GNU cpio and libarchive
//! write it. The end of an archive is padded to 4 bytes, as the kernel requires, and not to tape
//! blocks, unless another uncompressed archive follows.
//!
//! A time before 1970 or after 2106, a file of 4 GiB, a path of 4096 bytes and a device number of
//! more than 12 and 20 bits are errors: a caller that wants to clamp times does so in the tree.
//! Metadata that the format cannot represent is listed in [`Layout::unsupported_metadata`].
//!
//! # Same tree, same bytes
//!
//! The bytes depend only on the arguments: this crate uses no clock, no randomness, no environment
//! and no threads. The byte layout is part of the version of this crate.
//!
//! # Example
//!
//! ```
//! use initramfs::image_runs::read_all;
//! use initramfs::image_tree::{Inode, InodeId, Kind, Metadata, Name, Tree};
//! use initramfs::{EarlyCpio, KernelConfig, Options, check::check, plan};
//!
//! let mut tree: Tree<Vec<u8>> = Tree::new(Metadata::new(0o755));
//! let init = Inode { metadata: Metadata::new(0o755), kind: Kind::Regular(b"#!/bin/sh\n".to_vec()) };
//! tree.insert(InodeId::ROOT, Name::new("init")?, init)?;
//!
//! let layout = plan(&tree, &EarlyCpio::none(), &Options::plain())?;
//! let archive = read_all(&layout)?;
//! assert!(archive.starts_with(b"070701"));
//!
//! let report = check(&mut &*archive, &KernelConfig::parse(b"CONFIG_BLK_DEV_INITRD=y\n")?)?;
//! assert!(report.is_accepted() && report.findings.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod check;
pub mod codec;
pub mod compressed_file;
mod compression;
mod early_cpio;
mod error;
mod kernel_config;
mod layout;
pub mod microcode;
mod newc;
mod options;
mod plan;
mod write;

/// The crate that defines the [`Image`](image_runs::Image) trait of layouts and segments.
pub use image_runs;
/// The crate that defines the [`Tree`](image_tree::Tree) that an archive is made from.
pub use image_tree;

pub use compression::Compression;
pub use early_cpio::EarlyCpio;
pub use error::{Error, Unrepresentable};
pub use kernel_config::{KernelConfig, KernelConfigError};
pub use layout::{Layout, MetadataKind, Segment, Storage, Summary, UnsupportedMetadata};
pub use options::{Checksums, Options, Precompressed};
pub use plan::plan;
pub use write::{archive_padding, write_compressed};

/// The program of the README, as a test.
#[cfg(all(doctest, feature = "zstd"))]
#[doc = include_str!("../README.md")]
struct Readme;
