//! ext4 filesystems from a file tree: a pure, deterministic `mkfs.ext4`.
//!
//! [`plan`] takes a [`Tree`](image_tree::Tree) and [`Options`] and gives a [`Layout`]: every byte of the filesystem has its
//! place, and none has been written. The layout is an [`Image`](image_runs::Image), so it can be written to a file by many
//! threads, streamed, hashed or served, and read at any offset.
//!
//! ```text
//! block 0       1          (1 and 2 with blocks of 1 KiB, whose block 0 is the boot area alone) blocks−1
//! ├────────────┬─────┬─────────┬──────────┬────────┬─────────┬────────┬──────┬─────────────────┬──────┤
//! │ boot area, │group│ reserve │ bitmaps, │journal │ directo-│ xattr  │ slow │ file data ……….  │ free │
//! │ superblock │desc.│ of more │ inode    │ (zeros │ ries,   │ blocks,│ sym- │ ……………… extent    │      │
//! │ at 1024    │     │ desc.   │ tables   │ but 1) │ htree   │ shared │ links│ blocks          │      │
//! └────────────┴─────┴─────────┴──────────┴────────┴─────────┴────────┴──────┴─────────────────┴──────┘
//!     groups 1, 3ⁿ, 5ⁿ, 7ⁿ (with sparse_super2: 1 and the last, or none) begin with copies of superblock, descriptors, reserve
//!
//! inode table   1 bad blocks │ 2 root │ 7 resize │ 8 journal │ 11 lost+found │ 12… files in the order of the walk
//!               or, with orphan_file:                       │ 11 lost+found │ 12 orphan file │ 13… files
//! inode         128 bytes │ 32 more: nanoseconds, epochs, checksum │ 96 of extended attributes
//!               with inline_data, up to 128 bytes of data are in i_block, and beyond 60 in the extended attribute system.data
//! ```
//!
//! All of the metadata lies at the front and file data behind it in the order of the tree's walk, in one piece between two
//! copies of the superblock. Numbers are little-endian but for the journal, which is big-endian. The structures are named
//! as in the kernel's documentation, `Documentation/filesystems/ext4`.
//!
//! # What is made
//!
//! What mke2fs 1.47 makes, as far as a tree can use it: `has_journal`, `ext_attr`, `resize_inode`, `dir_index`; `filetype`,
//! `extent`, `64bit`, `flex_bg`, `metadata_csum_seed`; `sparse_super`, `large_file`, `huge_file`, `dir_nlink`, `extra_isize`,
//! `metadata_csum`. Inodes are of 256 bytes. Every group has `INODE_ZEROED`, so a guest initialises nothing behind the
//! user's back. `64bit`, `metadata_csum` and `dir_index` can be left out, and with `ea_inode` long values of xattrs have
//! inodes of their own, behind those of files.
//!
//! Blocks are of 1, 2 or 4 KiB ([`BlockSize`]). Of the features, those in [`Features`] and the journal can be chosen; a
//! [`Profile`] is a choice of them for a purpose, and [`Options::of_profile`] what it stands for:
//!
//! ```text
//! profile   journal      copies of the superblock  can grow     directories     mounts
//! default   as mke2fs    sparse_super              1024-fold    full            any
//! kata      1024 blocks  sparse_super              no           full            any; made for ro,data=ordered, and for DAX
//! ro-min    none         none (sparse_super2)      no           full            for reading only, and without data=
//! rw        as mke2fs    sparse_super              1024-fold    20 % slack      any; as e2fsck -D would leave it, and
//!                                                                               with orphan_file
//! ```
//!
//! Beyond mke2fs: the exact size ([`Size::Smallest`]) instead of a guess, directories of any width with an index of up to two
//! levels, nanoseconds and times to 2446, owners, xattrs and ACLs of every file and of the root directory, hard links of
//! whatever can have them, blocks of xattrs shared by identical sets, blocks of data shared by identical files where the
//! filesystem is for reading only ([`plan_sharing`]), holes where contents say that nothing but zeros is
//! ([`Content::data_ranges`](image_tree::Content::data_ranges)), large files aligned to pages ([`DataAlignment`]), and an error for
//! everything that does not fit.
//!
//! # Same tree, same bytes
//!
//! Nothing but the arguments decides the bytes: there is no clock, no chance and no environment in this crate (a lint sees to
//! that), so identifiers and the time of creation are the caller's to give. Times of access, change and creation are those
//! of modification. How bytes are laid out is part of this crate's version.
//!
//! # Example
//!
//! ```
//! use image_runs::{Image, read_all};
//! use image_tree::{Inode, Kind, Metadata, Name, Tree};
//! use mkfs_ext4::{Options, Size, plan};
//! use uuid::Uuid;
//!
//! let mut tree: Tree<Vec<u8>> = Tree::new(Metadata::new(0o755));
//! let hello = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(b"hello\n".to_vec()) };
//! tree.insert(Tree::<Vec<u8>>::ROOT, Name::new("hello")?, hello)?;
//!
//! let options = Options { size: Size::Free { bytes: 1 << 20 }, ..Options::new(Uuid::from_u128(1), Uuid::from_u128(2)) };
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

pub use error::{Error, Inexpressible, LabelError, Unshareable};
pub use layout::{Layout, Summary, plan, plan_sharing};
pub use ondisk::acl::AclError;
pub use ondisk::htree::Signedness;
pub use options::{BlockSize, DataAlignment, Features, Journal, Label, LinearOrder, Options, Profile, Size};
pub use plan::directories::DirectoryError;
pub use plan::xattrs::XattrError;
