//! Errors of a plan, as errors of the program: with a kind, whole sizes, and the flags that help.

use mkfs_erofs::{Unrepresentable, XattrError};

use crate::error::{Error, ErrorKind};
use crate::filesystem::size::{Size, too_small};
use crate::filesystem::{PlanRequest, advice};
use crate::xattr_filter::pattern_of;

/// Returns the error for a failed plan.
pub(super) fn classify_plan_error(error: mkfs_erofs::Error, request: &PlanRequest<'_>) -> Error {
    use mkfs_erofs::Error as E;
    match (error, request.size) {
        (E::TooSmall { needed_bytes, .. }, Size::Total { bytes }) => {
            too_small(bytes, needed_bytes, request.disk)
        }
        (E::Unrepresentable { path, reason }, _) => {
            let on_reason = on_reason(&reason);
            advice::with_advice(E::Unrepresentable { path, reason }, on_reason)
        }
        (error @ (E::TooSmall { .. } | E::TooManyBlocks { .. }), _) => {
            Error::new(ErrorKind::DoesNotFit, error)
        }
        (error, _) => usage(error),
    }
}

/// Returns the error of an option that is invalid.
pub(super) fn usage(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Usage, error)
}

/// Returns the advice on a file that EROFS cannot represent, if a flag helps.
fn on_reason(reason: &Unrepresentable) -> Option<String> {
    match reason {
        Unrepresentable::TooManyLinks { .. } => {
            Some("--hardlinks break makes each name a file of its own".to_owned())
        }
        Unrepresentable::Xattr(error) => Some(on_xattr(error)),
        _ => None,
    }
}

fn on_xattr(error: &XattrError) -> String {
    let pattern = pattern_of(error.name().as_bytes());
    format!("--xattr-filter 'drop={pattern}' leaves such xattrs out")
}
