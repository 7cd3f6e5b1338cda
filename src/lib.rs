//! rootcast converts a root file tree into what a virtual machine boots from.
//!
//! Everything before planning is a [`Tree`](image_tree::Tree); everything after planning is an
//! [`Image`](image_runs::Image).
//!
//! ```text
//!  directory ─┐ source, stack     transform              plan (pure)         place              write
//!  tar ───────┼───────▶ Tree<Blob> ───────▶ Tree<Blob> ─┬───────────▶ Image ───────▶ Image ──────────▶ sparse file
//!  dump ──────┘           ownership, edits, closure,    │ filesystem        disk: gpt, mbr,    ▲       stream
//!                         labels, times                 │                   bare               │       digest only
//!                                                       └───────────▶ Layout ────▶ segments ───┘
//!                                                         initramfs         compressed
//! ```
//!
//! * A source lists the files and the locations of their bytes ([`blob::Blob`]); it stores no
//!   bytes.
//! * The [`stack`] merges sources one over another, by rules for conflicts.
//! * Transforms apply the [`recipe`] to the tree. It holds all that the command line can express.
//! * Planning is a pure function of the tree and the options. It decides every offset before a byte
//!   is written. A [`filesystem`] maps the recipe to a format crate, a [`disk`] adds a partition
//!   table.
//! * Writers ([`output`]) read the bytes in parallel, and write, stream or hash them. A measured disk
//!   is written in two stages: its hash tree follows once the bytes before it were observed.
//!
//! The modules form layers, each of which uses only those below it; `CONTRIBUTING.md` has their
//! picture, and `docs/glossary.md` the words.
//!
//! # Invariants
//!
//! 1. Format crates use no command line, source, host path, clock, randomness or environment
//!    (`formats/.clippy.toml`).
//! 2. Format crates depend on no crate of the workspace but `image-tree` and `image-runs`; modules
//!    use lower layers only; no files and no folders use each other in a circle
//!    (`tests/invariants.rs`).
//! 3. `unsafe` is forbidden in every crate of the workspace (its lints).
//! 4. The same tree and options give the same runs: no thread count, listing order, time zone,
//!    umask, user or filesystem of the host affects the bytes (`tests/images/reproducible.rs`).
//! 5. Runs cover the image exactly once, in order and without overlap: planning checks its pieces,
//!    writers count.
//! 6. A file that changed since it was scanned is an error that names it; a failed or killed run
//!    leaves no file behind (`tests/output/failures.rs`). Only a block device is written in place
//!    (`tests/output/devices.rs`).
//! 7. Identifiers derive from one seed ([`seed`]), never from randomness.
//! 8. The byte layout has a name ([`filesystem::ext4::BYTE_LAYOUT`],
//!    [`recipe::initrd::INITRAMFS_LAYOUT`]) and is pinned by digests
//!    (`tests/images/reproducible.rs`); different bytes need a different name.

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
pub mod seed;

pub mod disk;
pub mod filesystem;
pub mod output;

pub mod report;

pub mod accounts;
pub mod xattr_filter;

pub mod error;
pub mod interrupt;
pub mod log;
pub mod named;
pub mod progress;
pub mod shown;
pub mod threads;

mod bounded;
mod quantity;
mod zeros;
