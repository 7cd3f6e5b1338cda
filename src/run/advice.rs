//! Advice on files that an initramfs cannot represent: the flags that help, which the format does
//! not know.

use crate::error::Error;
use crate::filesystem::advice;

/// Returns an error of an initramfs about the tree, with the flags that help.
pub(super) fn initramfs(error: initramfs::Error) -> Error {
    /// `c_mtime` is an unsigned 32-bit number.
    const LIMITS: (i64, i64) = (0, u32::MAX as i64);
    let on_reason = match &error {
        initramfs::Error::Unrepresentable { reason: initramfs::Unrepresentable::Time { time }, .. } => {
            Some(advice::on_time(*time, LIMITS))
        }
        _ => None,
    };
    advice::with_advice(error, on_reason)
}
