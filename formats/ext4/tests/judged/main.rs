//! Filesystems judged by other programs and readers.
//!
//! `e2fsck` and `resize2fs` are part of e2fsprogs; if one is missing, a line on standard error
//! names the skipped judge. The crate `ext4-view` always reads everything back.
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

mod block_sizes;
mod boundaries;
mod features;
mod judge;
mod kernel;
mod pattern;
mod profiles;
mod properties;
mod room;
mod trees;
