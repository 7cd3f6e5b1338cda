//! Whether a kernel takes an initramfs, by the kernel's own rules.
//!
//! The rules are those of `init/initramfs.c`, `lib/decompress*.c` and `lib/earlycpio.c` of Linux 6.12, and each is one of
//! [`Rule`]. Where kernels since 5.13 differ, the stricter one counts.

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

/// How much a check may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes that one compressed member may unpack to, and all of them together.
    pub unpacked_bytes: u64,
    /// About how many bytes are kept to follow paths and hard links. What is beyond is not followed.
    pub memory_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unpacked_bytes: 64 << 30, memory_bytes: 256 << 20 }
    }
}

/// Reads an initramfs to its end, or to the first byte where a kernel stops, and says what the kernel would not take.
///
/// Besides what is kept of the limits, memory is needed for the window of a decompressor: up to 512 MiB for xz, 128 MiB
/// for zstd. bzip2 and lzma are unpacked as the others are; of lzo nothing is looked into.
///
/// # Errors
/// When the reader fails. Whatever is wrong with the initramfs is in the report.
pub fn check(reader: &mut dyn Read, kernel: &KernelConfig) -> io::Result<Report> {
    check_within(reader, kernel, &Limits::default())
}

/// [`check`] with limits of one's own.
///
/// # Errors
/// When the reader fails.
pub fn check_within(reader: &mut dyn Read, kernel: &KernelConfig, limits: &Limits) -> io::Result<Report> {
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
