//! dm-verity hash trees, as `veritysetup format` makes them: a pure, deterministic library that
//! hashes the data while somebody else writes it.
//!
//! ```text
//! data       block 0 │ block 1 │ block 2 │ …                                      data_blocks − 1
//!
//! hash area  superblock (512 bytes, padded │ root  │ level n−2 │ … │ level 0: the digests of the
//!            to a hash block); optional    │ block │           │   │ data blocks, in order
//!                                          └ hash start
//!
//! FEC area   the parity of Reed–Solomon code words, which interleave all blocks of the data and
//!            of the hash tree; optional
//! ```
//!
//! A hash block holds as many digests as fit, and the rest of the last block of a level is zeros.
//! The digest of the block of the top level is the root hash. The tree of a single data block has
//! no hash block: its root hash is the digest of that block. Numbers in the superblock are
//! little-endian. The formats are described by the kernel's
//! `Documentation/admin-guide/device-mapper/verity.rst`, sections "Hash Tree" and "On-disk format",
//! and by the wiki of cryptsetup, page DMVerity, section "Verity superblock format".
//!
//! # Hashing while writing
//!
//! [`plan`] derives all lengths from the length of the data. A [`DataHasher`] then takes the bytes
//! of the data in any order, in pieces of any length and from several threads; runs of zeros cost
//! nothing. It keeps the digests of the data blocks (with SHA-256 and blocks of 4096 bytes 1/128 of
//! the data that is not zeros) and, with forward error correction, the parity.
//! [`DataHasher::finish`] returns a [`HashTree`]: the root hash, and the hash area and the FEC area
//! as [`Image`](image_runs::Image)s.
//!
//! ```
//! use dm_verity::{DataHasher, Options, Salt, plan};
//! use image_runs::{Image, read_all};
//!
//! let data = vec![7; 3 * 4096];
//! let layout = plan(&Options::new("00ff".parse()?), data.len() as u64)?;
//! let hasher = DataHasher::new(&layout)?;
//! // Pieces need not be whole blocks, nor in order.
//! hasher.write_at(5000, &data[5000..])?;
//! hasher.write_at(0, &data[..5000])?;
//! let tree = hasher.finish()?;
//!
//! let area = tree.hash_area();
//! assert_eq!(Image::<Vec<u8>>::len(&area), layout.hash_area_len());
//! let bytes = read_all::<Vec<u8>>(&area)?;
//! assert_eq!(bytes.len(), 4096, "one hash block, as there is no superblock");
//! assert!(tree.parameters().to_string().starts_with("root_hash="));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Reading
//!
//! [`Superblock::parse`] and the `FromStr` of [`Parameters`] read what others wrote and take any
//! bytes. A [`Verifier`] checks data against a hash area and a trusted root hash, and reports the
//! first bad block and its offset.
//!
//! # Same data, same bytes
//!
//! The bytes depend only on the data and the options: there is no clock, no randomness and no
//! environment, so salt and UUID are given by the caller, and the order of the pieces and the
//! number of threads have no effect.

mod block_hasher;
mod data_blocks;
mod error;
mod fec;
mod hasher;
mod layout;
mod limits;
mod options;
mod superblock;
mod text;
mod tree;
mod verify;

pub use error::Error;
pub use fec::{FecArea, FecLayout};
pub use hasher::DataHasher;
pub use layout::{Layout, Level, largest_data_len, plan};
pub use options::{BlockSize, FecRoots, HashAlgorithm, HashType, Options, Salt};
pub use superblock::{Superblock, SuperblockError};
pub use text::{FecDevice, OnCorruption, Parameters, RootHash, Table};
pub use tree::{HashArea, HashTree};
pub use verify::{Verifier, VerifyError};

/// The crate that defines the `Image` trait of the areas.
pub use image_runs;
/// The crate that defines the contents that a [`Verifier`] reads.
pub use image_tree;
/// The crate that defines the `Uuid` type of the superblock.
pub use uuid;

/// The program of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
