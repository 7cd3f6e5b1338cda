//! The libraries that an object opens, by its notes or by the table.

use super::heuristics::heuristics;
use super::{DlopenError, Policy, parse};
use crate::closure::dependency::Dependency;
use crate::closure::elf::NoteSegment;

/// Returns the libraries that the object with this file name and these notes opens, as far as the
/// policy keeps them.
///
/// # Errors
/// Same as [`parse`].
pub fn opened_by(
    policy: &Policy,
    object: &[u8],
    notes: &[NoteSegment],
) -> Result<Vec<Dependency>, DlopenError> {
    let noted = parse(notes)?;
    let is_heuristic = noted.is_empty();
    let noted = if is_heuristic { heuristics(object) } else { noted };
    Ok(policy.dependencies(object, &noted, is_heuristic).known)
}
