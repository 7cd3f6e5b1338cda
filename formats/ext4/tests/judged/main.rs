//! Filesystems judged by programs and readers that this crate has nothing to do with.
//!
//! `e2fsck` and `resize2fs` come from e2fsprogs; where they are missing, a line on standard error
//! says which judge was left out. The crate `ext4-view` always reads everything back.
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

mod aligned;
mod block_sizes;
mod boundaries;
mod ea_inode;
mod holes;
mod inline;
mod judge;
mod kernel;
mod old;
mod orphan;
mod pattern;
mod profiles;
mod properties;
mod room;
mod shared;
mod trees;
