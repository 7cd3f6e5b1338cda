//! tar archives from a file tree: a pure, deterministic `tar --format=posix`.
//!
//! [`plan`] takes a [`Tree`](image_tree::Tree) and [`Options`] and returns a [`Layout`]: the offset
//! of every byte of the archive is known, and no byte has been written. The layout is an
//! [`Image`](image_runs::Image) of the archive, and its [`segments`](Layout::segments) are images
//! of consecutive parts of it, for compressors with several threads.
//!
//! ```text
//! entry     x header ┼ records, zeros to 512 ┼ header ┼ map of holes, zeros to 512 ┼ data ┼ zeros to 512
//!           └──── only where needed ───────┘          └─ only of sparse files ───┘
//! archive   ./ ┼ bin/ ┼ bin/sh ┼ … ┼ 1024 zeros
//! ```
//!
//! # Archive contents
//!
//! Paths are bytes, without a leading `/` or `./`. Parents come before children and siblings are in
//! byte order; the path of a directory ends in `/`. The root directory is `./`, and has an entry
//! only if its metadata is not that of [`Metadata::new(0o755)`](image_tree::Metadata::new), which
//! is what it has in an archive without one. The first name of a file has its data, further names
//! are hard links to it.
//!
//! Headers are ustar (POSIX.1-1988) without names of users and groups. Records (POSIX.1-2001, pax)
//! precede a header only where a value needs them, sorted by keyword: paths and link targets of
//! more than 100 bytes, lengths of 8 GiB and more, ids above 2,097,151, times with fractions,
//! before 1970 or after 2242, xattrs as `SCHILY.xattr.NAME` (`LIBARCHIVE.xattr.NAME` if the name
//! has a `=`), and the holes of files as `GNU.sparse.*`, version 1.0. POSIX ACLs are xattrs. There
//! are no times of access and no global headers.
//!
//! # Same tree, same bytes
//!
//! The bytes depend only on the arguments: this crate uses no clock, no randomness, no environment
//! and no threads. The byte layout is part of the version of this crate.
//!
//! # Example
//!
//! ```
//! use tar_archive::image_runs::read_all;
//! use tar_archive::image_tree::{Inode, InodeId, Kind, Metadata, Name, Tree};
//! use tar_archive::{Options, plan};
//!
//! let mut tree: Tree<Vec<u8>> = Tree::new(Metadata::new(0o755));
//! let file = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(b"guest\n".to_vec()) };
//! tree.insert(InodeId::ROOT, Name::new("hostname")?, file)?;
//!
//! let archive = read_all(&plan(&tree, &Options::archive())?)?;
//! assert!(archive.starts_with(b"hostname\0"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod head;
mod header;
mod layout;
mod options;
mod plan;
mod records;
mod sparse;

/// The crate that defines the [`Image`](image_runs::Image) trait of layouts and segments.
pub use image_runs;
/// The crate that defines the [`Tree`](image_tree::Tree) that an archive is made from.
pub use image_tree;

pub use error::{Error, Unrepresentable};
pub use layout::{Layout, Segment, Summary};
pub use options::{Holes, Options, Purpose};
pub use plan::plan;

/// The name of the byte layout: the same name means the same bytes for the same tree and options.
pub const BYTE_LAYOUT: &str = "tar-1";

/// The program of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
