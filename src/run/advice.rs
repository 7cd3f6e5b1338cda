//! Advice on files that an archive cannot represent: the flags that help, which formats do not know.

use image_tree::Shown;

use crate::error::Error;
use crate::filesystem::advice;
use crate::xattr_filter::pattern_of;

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

/// Returns an error of a tar archive about the tree, with the flags that help.
pub(super) fn tar(error: tar_archive::Error) -> Error {
    use tar_archive::Unrepresentable as Reason;
    let on_reason = match &error {
        tar_archive::Error::Unrepresentable { path, reason } => match reason {
            Reason::Socket | Reason::WhiteoutName | Reason::WhiteoutDevice => {
                Some(format!("--remove {} takes it away", Shown(path)))
            }
            Reason::EmptyXattr(name) => {
                let pattern = pattern_of(name.as_bytes());
                Some(format!("--xattr-filter 'drop={pattern}' leaves such xattrs out"))
            }
            _ => None,
        },
        _ => None,
    };
    advice::with_advice(error, on_reason)
}
