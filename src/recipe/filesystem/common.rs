//! The options that every format of filesystems has.

use uuid::Uuid;

use crate::filesystem::Label;
use crate::transform::sparse;

/// The options that every format of filesystems has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommonOptions {
    /// The label.
    pub label: Label,
    /// The UUID; `None` derives it from the seed.
    pub uuid: Option<Uuid>,
    /// True if files with the same bytes share blocks.
    pub dedupe: bool,
    /// The policy for holes.
    pub sparse: sparse::Policy,
}
