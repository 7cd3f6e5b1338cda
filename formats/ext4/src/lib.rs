//! ext4 filesystems from a file tree: a pure, deterministic `mkfs.ext4`.
//!
//! [`plan`] takes a [`Tree`](image_tree::Tree) and [`Options`] and returns a [`Layout`]: the offset
//! of every byte of the filesystem is known, and no byte has been written. The layout is an
//! [`Image`](image_runs::Image), so it can be written to a file by several threads, streamed,
//! hashed or served, and read at any offset.
//!
//! ```text
//! block 0       1                                                                               blocks−1
//! ├────────────┬─────┬─────────┬──────────┬────────┬─────────┬────────┬──────┬─────────────────┬──────┤
//! │ boot area, │group│ reserve │ bitmaps, │journal │ directo-│ xattr  │ slow │ file data ……….  │ free │
//! │ superblock │desc.│ of more │ inode    │ (zeros │ ries,   │ blocks,│ sym- │ ……………… extent    │      │
//! │ at 1024    │     │ desc.   │ tables   │ but 1) │ htree   │ shared │ links│ blocks          │      │
//! └────────────┴─────┴─────────┴──────────┴────────┴─────────┴────────┴──────┴─────────────────┴──────┘
//!   blocks of 1 KiB   block 0 is only the boot area, block 1 the superblock
//!   groups 1, 3ⁿ, 5ⁿ, 7ⁿ (with sparse_super2: 1 and the last, or none)
//!                     begin with copies of superblock, descriptors and reserve
//!
//! inode table   1 bad blocks │ 2 root │ 7 resize │ 8 journal │ 11 lost+found │ 12… files of the walk
//!               or, with orphan_file:                       │ 11 lost+found │ 12 orphan file │ 13… files
//! inode         128 bytes │ 32 more: nanoseconds, epochs, checksum │ 96 of extended attributes
//!               with inline_data, up to 128 bytes of data: 60 in i_block, the others in the
//!               extended attribute system.data
//! ```
//!
//! All metadata is at the front, followed by file data in the order of the tree's walk, contiguous
//! between two copies of the superblock. Numbers are little-endian, except in the journal, which is
//! big-endian. The structures are named as in the kernel's documentation,
//! `Documentation/filesystems/ext4`.
//!
//! # Features
//!
//! The features that mke2fs 1.47 enables, as far as they apply to a tree: `has_journal`,
//! `ext_attr`, `resize_inode`, `dir_index`; `filetype`, `extent`, `64bit`, `flex_bg`,
//! `metadata_csum_seed`; `sparse_super`, `large_file`, `huge_file`, `dir_nlink`, `extra_isize`,
//! `metadata_csum`. Inodes have 256 bytes. Every group has `INODE_ZEROED`, so a guest does no lazy
//! initialisation. `64bit`, `metadata_csum` and `dir_index` can be disabled, and with `ea_inode`
//! long xattr values are stored in separate inodes after those of files.
//!
//! Blocks have 1, 2 or 4 KiB ([`BlockSize`]). The features in [`Features`] and the journal can be
//! chosen; a [`Profile`] is a preset for a purpose, and [`Options::from_profile`] returns its
//! options:
//!
//! ```text
//! profile   journal      copies of the superblock  can grow     directories     mounts
//! default   as mke2fs    sparse_super              1024-fold    full            any
//! ro-min    none         none (sparse_super2)      no           full            read-only, no data=
//! rw        as mke2fs    sparse_super              1024-fold    20 % slack      any
//! ```
//!
//! The directories of `rw` are as `e2fsck -D` would leave them, and it has `orphan_file`.
//!
//! Beyond mke2fs: the exact size ([`Size::Smallest`]) instead of a guess, directories of any width
//! with an index of up to two levels, nanoseconds and times to 2446, owners, xattrs and ACLs of
//! every file and of the root directory, hard links of all kinds of files that can have them, xattr
//! blocks shared by identical sets, data blocks shared by identical files in read-only filesystems
//! ([`plan_sharing`]), holes outside of the data ranges of contents
//! ([`Content::data_ranges`](image_tree::Content::data_ranges)), large files aligned to pages
//! ([`DataAlignment`]), and an error for everything that cannot be represented.
//!
//! # Same tree, same bytes
//!
//! The bytes depend only on the arguments: this crate uses no clock, no randomness and no
//! environment (enforced by a lint), so identifiers and the time of creation are given by the
//! caller. The times of access, change and creation of files are their mtime. The byte layout is
//! part of the version of this crate.
//!
//! # Example
//!
//! ```
//! use mkfs_ext4::image_runs::{Image, read_all};
//! use mkfs_ext4::image_tree::{Inode, InodeId, Kind, Metadata, Name, Tree};
//! use mkfs_ext4::uuid::Uuid;
//! use mkfs_ext4::{Options, Size, plan};
//!
//! let mut tree: Tree<Vec<u8>> = Tree::new(Metadata::new(0o755));
//! let hello = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(b"hello\n".to_vec()) };
//! tree.insert(InodeId::ROOT, Name::new("hello")?, hello)?;
//!
//! let mut options = Options::new(Uuid::from_u128(1), Uuid::from_u128(2));
//! options.size = Size::Free { bytes: 1 << 20 };
//! let layout = plan(&tree, &options)?;
//! assert!(layout.summary().available_blocks >= 256);
//!
//! let image = read_all(&layout)?;
//! assert_eq!(image.len() as u64, layout.len());
//! assert_eq!(image[1024 + 0x38..][..2], 0xEF53u16.to_le_bytes(), "s_magic");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod emit;
mod error;
mod layout;
mod ondisk;
mod options;
mod plan;

#[cfg(test)]
mod e2fsprogs;

/// The crate that defines the [`Image`](image_runs::Image) trait of the layout.
pub use image_runs;
/// The crate that defines the [`Tree`](image_tree::Tree) that a filesystem is made from.
pub use image_tree;
/// The crate that defines the `Uuid` type of the options.
pub use uuid;

pub use error::{DirectoryError, Error, LabelError, Unrepresentable, Unshareable, XattrError};
pub use layout::{Layout, Summary, plan, plan_sharing};
pub use options::{
    BlockSize, DataAlignment, Features, Journal, Label, LinearOrder, Options, Profile, Signedness, Size,
};

/// The program of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
