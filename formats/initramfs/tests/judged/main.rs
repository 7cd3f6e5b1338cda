//! Tests of archives with programs and readers independent of this crate, and of invalid archives
//! with [`initramfs::check`].
//!
//! GNU cpio, bsdtar and `lsinitramfs` are called where they are installed; where they are missing,
//! a line on standard error names the skipped judge. The crate `cpio-archive` always reads
//! everything back.
#![expect(clippy::disallowed_methods, reason = "judges run programs on files")]

/// Evaluates to `$base` with the given values of some fields: structs of options are
/// non-exhaustive, so a literal cannot name them.
macro_rules! with {
    ($base:expr, $($field:ident: $value:expr),+ $(,)?) => {{
        let mut options = $base;
        $(options.$field = $value;)+
        options
    }};
}

mod compress;
mod extracted;
mod fixtures;
mod judge;
mod kernels;
mod layouts;
mod properties;
mod rules;
mod written;
