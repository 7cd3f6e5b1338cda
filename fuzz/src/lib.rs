//! The fuzz targets: checks on the bytes from libFuzzer.
//!
//! ```text
//! bytes ── choices ─┬─▶ tree ────────▶ ext4 image ──▶ read by the crate ext4-view ───▶ the same tree
//!                   ├─▶ tree ────────▶ dump ────────▶ parsed again ─────────────────▶ the same tree
//!                   ├─▶ table ───────▶ disk ────────▶ read by the crate gptman ─────▶ the same table
//!                   ├─▶ links, files ▶ architecture and paths
//!                   ├─▶ words ───────▶ command line
//!                   ├─▶ members ─────▶ tar archive ─▶ read in place and as a stream ▶ the same tree
//!                   ├─▶ layers, documents ▶ an image ▶ read as it is and compressed ▶ the same tree
//!                   ├─▶ programs ────▶ a tree ──────▶ closure ──────────────────────▶ a part of the tree
//!                   └─▶ words ───────▶ owners, edits ▶ a small tree ────────────────▶ a valid tree
//! bytes ── text ──────▶ tree ────────▶ dump ────────▶ parsed again ─────────────────▶ the same tree
//!       ── text ──────▶ manifest, file_contexts ────▶ a small tree ─────────────────▶ a valid tree
//!       ── text ──────▶ recipe ──────▶ command line
//!       ── text, keys ▶ signatures ────────────────────────────────────────────────▶ the text that was signed
//!       ── text ──────▶ dracut.conf ─▶ recipe
//!       ── text ──────▶ indices, versions ───────────▶ written and read again ─────▶ the same index
//!       ── packages ──▶ a small universe, selection ▶ all sets tried ─────────────▶ a consistent set
//!       ── text ──────▶ sysusers.d, tmpfiles.d, presets ▶ a small tree ───────────▶ a valid tree
//!       ── members ───▶ check of an initramfs by the kernel's rules
//!       ── text ──────▶ units, rules, notes ────────▶ dependencies ─────────────────▶ valid paths and names
//!       ──────────────▶ superblock, parameters, info block ▶ written again ───────▶ the same fields
//!       ── module, index, text ▶ indices, look-ups ────────────────────────────▶ every key found
//!       ── text, rpmdb ▶ packages ────▶ a small tree ─────────────────────────────▶ files of lists
//!       ──────────────▶ ld.so.cache ─▶ written and read again ──────────────────────▶ the same cache
//! ```
//!
//! A target makes a few lines of code reachable; [`Choices`] makes them likely to be reached, by
//! turning almost any bytes into something valid or nearly so. The program `seeds` counts how often
//! that succeeds.

pub mod architecture;
pub mod arguments;
pub mod closure;
pub mod dracut;
pub mod formats;
mod input;
pub mod mutate;
pub mod random;
pub mod recipe;
pub mod sources;
pub mod targets;
pub mod transforms;

pub use input::choices::Choices;

/// The outcome of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was rejected with an error, which is valid.
    Refused,
    /// It was accepted, and the result was checked.
    Checked,
}
