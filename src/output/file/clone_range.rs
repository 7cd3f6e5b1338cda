//! Ranges of source files that the output shares instead of copying: reflinks.
//!
//! ```text
//! source file        0      4096                                    40960   41000
//!                    ├───────┼── … whole blocks …─────────────────────┤ tail ┤
//!                            │   FICLONERANGE: the extents are shared │ written
//! image     … ──┼────────────┼────────────────────────────────────────┼──────┼ padding ┼ …
//!               multiples of the output filesystem's block size
//! ```
//!
//! btrfs, XFS and bcachefs share blocks between files of one filesystem until one of the files is
//! written to, so the image stays unchanged when the source changes later. Only an attempt shows if
//! two files can share blocks: subvolumes of one btrfs have device numbers of their own, and
//! overlayfs passes the request on. So cloning is attempted for each source device, and abandoned
//! after the first error that concerns all its files.
//!
//! Zeros within a cloned range are blocks or holes as in the source.
//!
//! Short ranges are copied, since a clone costs the same whatever its length: the
//! measurements are in `docs/performance.md`, section "Cloning".
//!
//! The members of an archive that is read in place are not cloned: they start at multiples of 512
//! bytes, so seven of eight are not block-aligned. Those that were unpacked into an unnamed file are
//! aligned there (`blob::spool`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use image_runs::{Run, Source};
use reflink_copy::ReflinkBlockBuilder;
use rustix::io::Errno;

use crate::blob::CloneSource;
use crate::blob::classify_read_error;
use crate::error::{Error, ErrorKind, Result};
use crate::output::Reflink;
use crate::output::chunks::CHUNK_SIZE;
use crate::shown;

/// The minimum length of a clone in bytes, unless everything is to be cloned.
pub(super) const MIN_CLONE: u64 = 32 << 10;

/// The maximum length of one clone in bytes, so that threads share a large file which cannot be
/// cloned after all, and signals are checked in between.
const MAX_CLONE: u64 = 64 << 20;

/// The minimum block size; clones of several smaller blocks work as well.
const MIN_BLOCK_SIZE: u64 = 4096;

/// The maximum block size. Network filesystems report their transfer size, which is not a block
/// size.
const MAX_BLOCK_SIZE: u64 = 64 << 10;

/// A device is abandoned after this many failures without a success in between. A single file may
/// have reasons of its own, such as btrfs's `nodatacow`.
const MAX_FAILURES: u32 = 8;

/// Selects the ranges to clone into one output, and clones them.
pub(super) struct Cloner<'w> {
    /// The final path of the output.
    path: &'w Path,
    policy: Reflink,
    /// The alignment of clones in the output, in bytes.
    block_size: u64,
    devices: Mutex<BTreeMap<u64, Device>>,
}

/// The results of cloning from a device.
#[derive(Clone, Copy, Debug, Default)]
struct Device {
    succeeded: bool,
    /// The number of failures since the last success.
    failures: u32,
    abandoned: bool,
}

/// The result of an attempt to clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cloned {
    /// The output shares the bytes.
    Shared,
    /// It does not, and the bytes have to be copied.
    Refused,
}

impl<'w> Cloner<'w> {
    pub(super) fn new(output: &File, path: &'w Path, policy: Reflink) -> Self {
        Self { path, policy, block_size: block_size(output), devices: Mutex::default() }
    }

    /// The range of the image within `run`, which begins at `position`, to clone next, if any.
    pub(super) fn range<C: CloneSource>(&self, run: &Run<'_, C>, position: u64) -> Option<Range<u64>> {
        let least = match self.policy {
            Reflink::Auto => MIN_CLONE,
            Reflink::Always => self.block_size,
            Reflink::Never => return None,
        };
        let Source::Content { content, offset } = run.source else { return None };
        if run.len < least {
            return None;
        }
        let range = whole_blocks(position, run.len, self.block_size)?;
        if range.end - range.start < least {
            return None;
        }
        let (file, offset) = content.file(offset)?;
        let most = self.max_len(file.device(), position, offset)?;
        Some(range.start..range.end.min(range.start + most))
    }

    /// The maximum number of bytes to clone at once from a device, from an offset in a file to a
    /// position in the image; `None` if they are to be copied.
    fn max_len(&self, device: u64, position: u64, offset: u64) -> Option<u64> {
        // With `always`, cloning is attempted in any case, so that the kernel's error is reported.
        if self.policy == Reflink::Always {
            return Some(MAX_CLONE);
        }
        let device = self.devices().get(&device).copied().unwrap_or_default();
        let aligned = position.abs_diff(offset).is_multiple_of(self.block_size);
        (aligned && !device.abandoned).then_some(if device.succeeded { MAX_CLONE } else { CHUNK_SIZE })
    }

    /// Clones `run`, which was cut by [`Cloner::range`], to `position` in the output behind
    /// `output`. The kernel allows only one thread at a time to change a file.
    ///
    /// # Errors
    /// If the file has changed, or everything is to be cloned and this cannot be.
    pub(super) fn clone_run<C: CloneSource>(
        &self,
        run: &Run<'_, C>,
        position: u64,
        output: &Mutex<&File>,
    ) -> Result<Cloned> {
        let (Source::Content { content, offset }, Some(len)) = (run.source, NonZeroU64::new(run.len)) else {
            return Ok(Cloned::Refused);
        };
        let Some((source, offset)) = content.file(offset) else { return Ok(Cloned::Refused) };
        let mut result = Ok(());
        let lent = source.with_open_file(&mut |file| {
            // OK to unwrap: neither writing nor cloning panics.
            let output = output.lock().expect("the file can be written to");
            let clone = ReflinkBlockBuilder::new(file, *output, len);
            result = clone.from_offset(offset).to_offset(position).reflink_block();
        });
        lent.map_err(classify_read_error)?;
        self.record(source.device(), result.as_ref().err());
        match result {
            Ok(()) => Ok(Cloned::Shared),
            Err(error) if self.policy == Reflink::Always => Err(self.refuse(&source.host_path(), &error)),
            // If the error is not limited to cloning, copying reports it.
            Err(_) => Ok(Cloned::Refused),
        }
    }

    fn refuse(&self, source: &Path, error: &io::Error) -> Error {
        let message = format!(
            "cannot be cloned into {}: {error}; --reflink=auto copies what cannot be cloned",
            shown::path(self.path)
        );
        Error::at(ErrorKind::Io, source, message)
    }

    fn record(&self, device: u64, error: Option<&io::Error>) {
        let mut devices = self.devices();
        let device = devices.entry(device).or_default();
        match error {
            None => *device = Device { succeeded: true, failures: 0, ..*device },
            Some(error) => {
                device.failures += 1;
                device.abandoned |= is_about_the_device(error) || device.failures >= MAX_FAILURES;
            }
        }
    }

    fn devices(&self) -> MutexGuard<'_, BTreeMap<u64, Device>> {
        // The results of another thread stay valid even if that thread panicked later.
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The block size of the filesystem of `output`, if it is in the supported range.
fn block_size(output: &File) -> u64 {
    let named = rustix::fs::fstatvfs(output).map_or(MIN_BLOCK_SIZE, |found| found.f_bsize);
    if named.is_power_of_two() && (MIN_BLOCK_SIZE..=MAX_BLOCK_SIZE).contains(&named) {
        named
    } else {
        MIN_BLOCK_SIZE
    }
}

/// The whole blocks of `block_size` bytes within the `len` bytes at `position`.
fn whole_blocks(position: u64, len: u64, block_size: u64) -> Option<Range<u64>> {
    let start = position.checked_next_multiple_of(block_size)?;
    let end = position.checked_add(len)? / block_size * block_size;
    (start < end).then_some(start..end)
}

/// Returns true if the error applies to all files of the device: another filesystem, or one without
/// cloning.
fn is_about_the_device(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::XDEV | Errno::OPNOTSUPP | Errno::NOTTY | Errno::NOSYS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_blocks_of_a_range_are_cloned() {
        for (position, len, expected) in [
            (0, 4095, None),
            (0, 4096, Some(0..4096)),
            (1, 8190, None),
            (1, 8191, Some(4096..8192)),
            (4096, 10_000, Some(4096..12_288)),
            (u64::MAX - 10, 10, None),
            (8192, u64::MAX, None),
        ] {
            assert_eq!(whole_blocks(position, len, 4096), expected, "{position} {len}");
        }
    }

    /// Checks the limit for a device after these results: 0 for success, else an errno.
    fn check(answers: &[i32], expected: Option<u64>) {
        let output = tempfile::tempfile().expect("a file can be made");
        let cloner = Cloner::new(&output, Path::new("image"), Reflink::Auto);
        for answer in answers {
            let error = (*answer != 0).then(|| io::Error::from_raw_os_error(*answer));
            cloner.record(7, error.as_ref());
        }
        assert_eq!(cloner.max_len(7, 8192, 4096), expected, "{answers:?}");
        assert_eq!(cloner.max_len(8, 8192, 4096), Some(CHUNK_SIZE), "another device is another matter");
        assert_eq!(cloner.max_len(7, 8192, 512), None, "unaligned");
    }

    #[test]
    fn cloning_stops_only_after_errors_of_the_device() {
        let (xdev, opnotsupp, inval) =
            (Errno::XDEV.raw_os_error(), Errno::OPNOTSUPP.raw_os_error(), Errno::INVAL.raw_os_error());
        check(&[], Some(CHUNK_SIZE));
        check(&[0], Some(MAX_CLONE));
        check(&[xdev], None);
        check(&[opnotsupp], None);
        check(&[opnotsupp, 0], None);
        check(&[inval; 7], Some(CHUNK_SIZE));
        check(&[inval; 8], None);
        check(&[inval, inval, inval, inval, 0, inval, inval, inval, inval, inval], Some(MAX_CLONE));
    }
}
