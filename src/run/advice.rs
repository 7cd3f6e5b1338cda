//! Advice on files that a format cannot hold: the flags that help, which formats do not know.

use image_tree::Timestamp;
use mkfs_ext4::{Unrepresentable, XattrError};

use crate::error::{Error, ErrorKind};
use crate::xattr_filter::pattern_of;

/// Returns an error of an ext4 filesystem about the tree, with the flags that help.
pub(super) fn ext4(error: mkfs_ext4::Error) -> Error {
    let advice = match &error {
        mkfs_ext4::Error::Unrepresentable { reason, .. } => of_ext4(reason),
        _ => None,
    };
    with(Error::new(ErrorKind::BadInput, error), advice)
}

/// Returns an error of an initramfs about the tree, with the flags that help.
pub(super) fn initramfs(error: initramfs::Error) -> Error {
    /// `c_mtime` is an unsigned 32-bit number.
    const LIMITS: (i64, i64) = (0, u32::MAX as i64);
    let advice = match &error {
        initramfs::Error::Unrepresentable { reason: initramfs::Unrepresentable::Time { time }, .. } => {
            Some(of_time(*time, LIMITS))
        }
        _ => None,
    };
    with(Error::new(ErrorKind::BadInput, error), advice)
}

fn with(error: Error, advice: Option<String>) -> Error {
    match advice {
        Some(advice) => Error::new(error.kind(), format!("{error}; {advice}")),
        None => error,
    }
}

fn of_ext4(reason: &Unrepresentable) -> Option<String> {
    match reason {
        Unrepresentable::Time { time, limits } => Some(of_time(*time, *limits)),
        Unrepresentable::TooManyLinks { .. } => {
            Some("--hardlinks break makes each name a file of its own".to_owned())
        }
        Unrepresentable::LostAndFound => Some("--remove /lost+found takes it away".to_owned()),
        Unrepresentable::Xattr(error) => Some(of_xattr(error)),
        _ => None,
    }
}

fn of_time(time: Timestamp, (first, last): (i64, i64)) -> String {
    if time.seconds() < first {
        format!("--clamp-mtime-min {first} raises all earlier times to {first}")
    } else {
        format!("--source-date-epoch {last} sets all later times back to {last}")
    }
}

fn of_xattr(error: &XattrError) -> String {
    let name = error.name().as_bytes();
    let whole_vendor = matches!(error, XattrError::Namespace(_));
    let pattern = match vendor(name).filter(|_| whole_vendor) {
        Some(vendor) => pattern_of(vendor) + ".*",
        None => pattern_of(name),
    };
    format!("--xattr-filter 'drop={pattern}' leaves such xattrs out")
}

/// Returns the start of a name in reverse domain notation: `com.apple` of `com.apple.quarantine`. A
/// file with one xattr of a vendor usually has others.
fn vendor(name: &[u8]) -> Option<&[u8]> {
    let mut parts = name.splitn(3, |byte| *byte == b'.');
    let (top, second, rest) = (parts.next()?, parts.next()?, parts.next()?);
    name.get(..top.len() + 1 + second.len()).filter(|_| !second.is_empty() && !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_of_names() {
        for (name, expected) in [
            ("com.apple.quarantine", Some("com.apple")),
            ("com.apple.metadata:com.apple.x", Some("com.apple")),
            ("com.apple.", None),
            ("com..x", None),
            ("user.", None),
            ("plain", None),
        ] {
            assert_eq!(vendor(name.as_bytes()), expected.map(str::as_bytes), "{name}");
        }
    }
}
