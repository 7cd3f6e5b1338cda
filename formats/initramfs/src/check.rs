//! Checks an initramfs by the kernel's rules.
//!
//! The rules are those of `init/initramfs.c`, `lib/decompress*.c` and `lib/earlycpio.c` of Linux
//! 6.12, and each is a variant of [`Rule`]. Where kernels since 5.13 differ, the stricter rule
//! applies.

mod entries;
mod input;
mod limits;
mod members;
mod names;
mod report;
mod stream;
mod unpack;
mod xz;
mod zstd;

use std::io::{self, Read};

use crate::KernelConfig;
use entries::Entries;
use input::Input;
pub use limits::Limits;
pub use report::{Finding, Report, Rule, Severity};
use stream::Stop;
pub use unpack::{Unpack, UnpackedFile};

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
    check_and_unpack(reader, kernel, limits, &mut unpack::Nowhere)
}

/// Like [`check_with_limits`], and passes on every file that the kernel would create.
///
/// # Errors
/// Returns an error if the reader fails.
pub fn check_and_unpack(
    reader: &mut dyn Read,
    kernel: &KernelConfig,
    limits: &Limits,
    into: &mut dyn Unpack,
) -> io::Result<Report> {
    let mut entries = Entries::new(kernel, limits, into);
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
