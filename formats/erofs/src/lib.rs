//! EROFS filesystems from a file tree: a pure, deterministic `mkfs.erofs`.
//!
//! [`plan`] takes a [`Tree`](image_tree::Tree) and [`Options`] and returns a [`Layout`]: the offset
//! of every byte of the filesystem is known, and no byte has been read or written. The layout is an
//! [`Image`](image_runs::Image), so it can be written to a file by several threads, streamed,
//! hashed or served, and read at any offset.
//!
//! ```text
//! 0      1024         1152                                         block                     blocks
//! ├──────┼────────────┼──────┬──────┬─────┬──────┬────────┬────────┼────────────┬──────┬──────┤
//! │ zeros│ superblock │ root │ inode│ tail│ inode│ …      │ shared │ directories│ long │ file │
//! │      │ (records)  │ inode│      │     │      │        │ xattrs │            │ links│ data │
//! └──────┴────────────┴──────┴──────┴─────┴──────┴────────┴────────┴────────────┴──────┴──────┘
//!                     └─ inodes in the order of the walk ─┘
//!
//! inode   32 bytes (compact) or 64 (extended) │ xattrs │ chunk map or index of compressed data │ tail
//! ```
//!
//! All metadata is at the front, followed by file data in the order of the tree's walk. The tail of
//! a file, which fills less than a block, is behind its inode if it fits into the block; later
//! inodes fill the gaps that remain. Numbers are little-endian. The structures are named as in the
//! kernel, `fs/erofs/erofs_fs.h`.
//!
//! Compact inodes have no time of their own, so they are used only for files with exactly the time
//! of the superblock: the most frequent one. Files with the same data share blocks if the caller
//! names them ([`plan_sharing`]); no kernel needs a feature for that. Files with holes
//! ([`Content::data_ranges`](image_tree::Content::data_ranges)) are stored in chunks. A feature is
//! in the superblock only if a file needs it; [`Summary::needs`] lists what the kernel has to
//! support.
//!
//! # Compressed data
//!
//! Planning reads no file, but the length of compressed data is known only after compression. The
//! caller compresses first, with any number of threads, and passes the result:
//!
//! ```text
//! tree ─▶ Packing::units ─▶ Unit::read ─▶ PackOptions::compress ─▶ caller's store ─┐
//!         from lengths alone └ any threads, any order, or a cache ┘                │
//! Layout ◀─ plan_packed ◀─ Packed ◀─ Packing::assemble ◀─ Vec<PackedUnit> ◀────────┘
//! ```
//!
//! The result for a unit depends on its bytes and the options alone. The codecs, lz4, DEFLATE and
//! zstd, are behind cargo features of the same names, all of them enabled by default.
//!
//! Files are cut at multiples of [`ClusterSize`], and each piece takes as many blocks as it needs
//! when compressed, or is stored as it is. With [`ClusterSize::FILLED`] a piece is what fills one
//! block instead. With [`PackOptions::fragments`] small files and tails are compressed together;
//! with [`PackOptions::dedupe`] equal pieces are stored once, wherever they begin.
//!
//! # Same tree, same bytes
//!
//! The bytes depend only on the arguments: this crate uses no clock, no randomness and no
//! environment. The byte layout is part of the version of this crate.
//!
//! # Example
//!
//! ```
//! use mkfs_erofs::image_runs::{Image, read_all};
//! use mkfs_erofs::image_tree::{Inode, InodeId, Kind, Metadata, Name, Tree};
//! use mkfs_erofs::uuid::Uuid;
//! use mkfs_erofs::{Options, plan};
//!
//! let mut tree: Tree<Vec<u8>> = Tree::new(Metadata::new(0o755));
//! let hello = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(b"hello\n".to_vec()) };
//! tree.insert(InodeId::ROOT, Name::new("hello")?, hello)?;
//!
//! let layout = plan(&tree, &Options::new(Uuid::from_u128(1)))?;
//! let image = read_all(&layout)?;
//! assert_eq!(image.len() as u64, layout.len());
//! assert_eq!(image[1024..][..4], 0xE0F5_E1E2u32.to_le_bytes(), "magic");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod emit;
mod error;
mod kernel;
mod layout;
mod ondisk;
mod options;
mod pack;
mod plan;

/// The crate that defines the [`Image`](image_runs::Image) trait of the layout.
pub use image_runs;
/// The crate that defines the [`Tree`](image_tree::Tree) that a filesystem is made from.
pub use image_tree;
/// The crate that defines the `Uuid` type of the options.
pub use uuid;

pub use error::{Error, LabelError, Unrepresentable, Unshareable, XattrError};
pub use kernel::{KernelVersion, KernelVersionError, Need};
pub use layout::{Layout, Summary, plan, plan_packed, plan_sharing};
pub use options::{BlockSize, Inline, Label, Options};
pub use pack::{
    Algorithm, ClusterSize, ClusterSizeError, Codec, CodecError, Compressed, Extents, LIBRARIES, PackOptions,
    Packed, PackedUnit, Packing, Range, Unit,
};

/// The program of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
