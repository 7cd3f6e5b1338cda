//! Checks an initramfs by the kernel's rules.
//!
//! The rules are those of `init/initramfs.c`, `lib/decompress*.c` and `lib/earlycpio.c` of Linux
//! 6.12, and each is a variant of [`Rule`]. Where kernels since 5.13 differ, the stricter rule
//! applies.

mod entries;
mod input;
mod lz4;
mod members;
mod names;
mod report;
mod stream;
mod xz;
mod zstd;

use std::io::{self, Read};

use crate::KernelConfig;
use entries::Entries;
use input::Input;
pub(crate) use lz4::Lz4;
pub use report::{Finding, Report, Rule, Severity};
use stream::Stop;

/// The limits of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The maximum number of bytes that all compressed members together may unpack to.
    pub unpacked_bytes: u64,
    /// The approximate number of bytes used to track paths and hard links. Those beyond it are not
    /// tracked.
    pub memory_bytes: usize,
}

impl Limits {
    /// Creates limits of unpacked bytes and of the memory for paths and hard links, in bytes.
    #[must_use]
    pub const fn new(unpacked_bytes: u64, memory_bytes: usize) -> Self {
        Self { unpacked_bytes, memory_bytes }
    }
}

/// 64 GiB unpacked, and 256 MiB of memory.
impl Default for Limits {
    fn default() -> Self {
        Self::new(64 << 30, 256 << 20)
    }
}

/// Reads an initramfs to its end, or to the first byte at which a kernel stops, and reports what
/// the kernel would not accept.
///
/// In addition to [`Limits::memory_bytes`], memory is needed for the window of a decompressor: up
/// to 512 MiB for xz, 128 MiB for zstd. bzip2 and lzma are unpacked like the others; lzo is not
/// examined.
///
/// # Errors
/// Returns an error if the reader fails. Problems of the initramfs are in the report.
pub fn check(reader: &mut dyn Read, kernel: &KernelConfig) -> io::Result<Report> {
    check_with_limits(reader, kernel, &Limits::default())
}

/// Like [`check`], with the given limits.
///
/// # Errors
/// Returns an error if the reader fails.
pub fn check_with_limits(
    reader: &mut dyn Read,
    kernel: &KernelConfig,
    limits: &Limits,
) -> io::Result<Report> {
    let mut entries = Entries::new(kernel, limits);
    let mut input = Input::new(reader);
    let ended = members::read(&mut input, kernel, limits, &mut entries);
    if let Some(error) = input.take_error() {
        return Err(error);
    }
    match ended {
        Ok(()) => entries.finish(),
        Err(Stop::Io(error)) => return Err(error),
        Err(Stop::Found) => {}
    }
    Ok(entries.report)
}
