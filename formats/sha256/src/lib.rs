//! SHA-256 of many messages of one length at once.
//!
//! SHA-256 is a chain of operations that wait for each other, so one message leaves most of a
//! processor idle. Hash trees, chunk stores and the like hash many blocks of one length that do not
//! depend on each other. A [`BlockHasher`] takes as many of them at once as the processor can:
//!
//! | instructions | messages at once |
//! |---|---|
//! | AVX-512 (F, BW) | 16, one in each lane of the vectors |
//! | SHA extensions | 2, interleaved |
//! | AVX2 | 8, one in each lane of the vectors |
//! | others | 1, by the crate `sha2` |
//!
//! The processor is asked when the program runs; the digests are the same everywhere. All messages
//! may have a common prefix and suffix, such as a salt; whole blocks of 64 bytes of the prefix are
//! hashed once.
//!
//! ```
//! use sha256_lanes::BlockHasher;
//!
//! let hasher = BlockHasher::new(b"salt", b"");
//! let blocks = [&b"first"[..], b"other", b"third"];
//! let mut digests = [[0; 32]; 3];
//! hasher.hash(&blocks, |index, digest| digests[index] = digest);
//! assert_eq!(digests[1], hasher.hash_one(b"other"));
//! ```
//!
//! The only unsafe code is in the private module `x86`, which calls functions that are compiled for
//! instructions after it has asked the processor for them.

mod engine;
mod fips;
mod hasher;
mod message;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use engine::Engine;
pub use fips::Digest;
pub use hasher::BlockHasher;

/// The program of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
