//! Errors of a plan, as errors of the program: with a kind, whole sizes, and the flags that help.

use mkfs_ext4::{Unrepresentable, XattrError};

use crate::blob::classify_read_error;
use crate::error::{Error, ErrorKind};
use crate::filesystem::size::{Size, too_small};
use crate::filesystem::{PlanRequest, advice};
use crate::xattr_filter::pattern_of;

/// Returns the error for a failed plan.
pub(super) fn classify_plan_error(error: mkfs_ext4::Error, request: &PlanRequest<'_>) -> Error {
    use mkfs_ext4::Error as E;
    match (error, request.size) {
        (E::TooSmall { needed_bytes, .. }, Size::Total { bytes }) => {
            too_small(bytes, needed_bytes, request.disk)
        }
        (E::Content { source, .. }, _) => classify_read_error(source),
        (E::Unrepresentable { path, reason }, _) => {
            let on_reason = on_reason(&reason);
            advice::with_advice(E::Unrepresentable { path, reason }, on_reason)
        }
        (
            error @ (E::TooSmall { .. }
            | E::TooFewInodes { .. }
            | E::TooManyInodes { .. }
            | E::TooLarge { .. }
            | E::TooLargeFor32Bits { .. }),
            _,
        ) => Error::new(ErrorKind::DoesNotFit, error),
        (error, _) => usage(error),
    }
}

/// Returns the error of an option that is invalid.
pub(super) fn usage(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Usage, error)
}

/// Returns the advice on a file that ext4 cannot represent, if a flag helps.
fn on_reason(reason: &Unrepresentable) -> Option<String> {
    match reason {
        Unrepresentable::Time { time, limits } => Some(advice::on_time(*time, *limits)),
        Unrepresentable::TooManyLinks { .. } => {
            Some("--hardlinks break makes each name a file of its own".to_owned())
        }
        Unrepresentable::LostAndFound => Some("--remove /lost+found takes it away".to_owned()),
        Unrepresentable::Xattr(error) => Some(on_xattr(error)),
        _ => None,
    }
}

fn on_xattr(error: &XattrError) -> String {
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
    fn reserved_vendor_names_are_recognized() {
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
