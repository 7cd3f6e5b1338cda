//! Filesystems judged by other programs.
//!
//! `fsck.erofs` is part of erofs-utils, and the kernel mounts filesystems for root; if one is
//! missing, a line on standard error names the skipped judge.
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "judges run programs on files")]

/// Evaluates to `$base` with the given values of some fields: structs of options are
/// non-exhaustive, so a literal cannot name them.
macro_rules! with {
    ($base:expr, $($field:ident: $value:expr),+ $(,)?) => {{
        let mut options = $base;
        $(options.$field = $value;)+
        options
    }};
}

mod boundaries;
mod judge;
mod kernel;
mod limits;
mod packed;
mod pattern;
mod properties;
mod trees;
