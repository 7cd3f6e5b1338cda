//! rootcast casts a root file tree into what a virtual machine boots from.
//!
//! Everything before planning is a [`Tree`](image_tree::Tree); everything after planning is an
//! [`Image`](image_runs::Image).
//!
//! ```text
//!  directory ─┐ source, stack     transform              plan (pure)         place              write
//!  tar ───────┼───────▶ Tree<Blob> ───────▶ Tree<Blob> ─┬───────────▶ Image ───────▶ Image ──────────▶ sparse file
//!  dump ──────┘           ownership, edits, closure,    │ mkfs_ext4         gpt, mbr, bare     ▲       stream
//!                         labels, times                 └───────────▶ Layout ────▶ segments ───┘       digest only
//!                                                         initramfs         compressed
//! ```
//!
//! * A source says what files there are and where their bytes lie ([`blob::Blob`]); it keeps none of them.
//! * The [`stack`] adds sources one over another, by rules for what meets what.
//! * Transforms make the tree what the [`recipe`] says. It knows all that the command line can say.
//! * Planning is a pure function of the tree and the options. It decides every offset before a byte is written.
//! * Writers read the bytes, in parallel, and write, stream or hash them.
//!
//! # Invariants
//!
//! 1. Format crates know no command line, source, host path, clock, chance or environment (`formats/.clippy.toml`).
//! 2. No format crate depends on another but `image-tree` and `image-runs`, which depend on nothing of ours
//!    (`tests/invariants.rs`).
//! 3. `unsafe` is forbidden in every crate of the workspace (its lints).
//! 4. The same tree and options give the same runs: no thread count, order of listing, time zone, umask, user or
//!    filesystem of the host shows in the bytes (`tests/reproducible.rs`).
//! 5. Runs cover the image exactly once, in order, and nothing overlaps: planning checks its pieces, writers count.
//! 6. A file that is not what it was when it was scanned is an error that names it; a failed or killed run leaves no
//!    file behind (`tests/failures.rs`). Only a block device is written in place (`tests/devices.rs`).
//! 7. Identifiers derive from one seed ([`seed`]), never from chance.
//! 8. The layout of bytes has a name ([`recipe::BYTE_LAYOUT`], [`recipe::initrd::INITRAMFS_LAYOUT`]) and is pinned by
//!    digests (`tests/reproducible.rs`); other bytes are another name.

#![cfg_attr(
    not(test),
    deny(clippy::print_stdout, clippy::print_stderr, reason = "the macros panic where the reader went away")
)]

pub mod cli;
pub mod recipe;
pub mod run;

pub mod blob;
pub mod closure;
pub mod source;
pub mod stack;
pub mod transform;

pub mod architecture;
pub mod resolve;
pub mod seed;

pub mod disk;
pub mod output;

pub mod error;
pub mod interrupt;
pub mod report;
