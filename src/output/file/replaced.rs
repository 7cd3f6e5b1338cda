//! A name that a new file takes from a previous one, which gets it back if what belongs to the new
//! file fails.

use std::io;
use std::sync::Arc;

use rustix::fs::AtFlags;

use super::hidden_name::HiddenName;
use crate::interrupt::{Cleanups, PendingCleanup};
use crate::output::destination::FilePlace;

/// A name whose previous owner, a file or none, gets it back on drop, and when a signal ends the
/// program while it is blocked, unless the new file is [kept](Self::keep).
pub(in crate::output) struct Replaced {
    previous: Previous,
    cleanups: Cleanups,
}

enum Previous {
    /// No file had the name.
    Missing { place: Arc<FilePlace>, cleanup: PendingCleanup },
    /// The previous file has a hidden name, and drop gives it its own one back.
    Hidden(HiddenName),
    /// The new file stays.
    Gone,
}

impl Replaced {
    /// A name that is free, to which `link` may link a file.
    pub(super) fn free<E>(
        place: &Arc<FilePlace>,
        cleanups: &Cleanups,
        link: impl FnOnce() -> Result<(), E>,
    ) -> Result<Self, E> {
        let (place, at) = (Arc::clone(place), Arc::clone(place));
        let ((), cleanup) = cleanups.add_after(link, move || remove(&at))?;
        Ok(Self { previous: Previous::Missing { place, cleanup }, cleanups: cleanups.clone() })
    }

    /// Takes the name from an existing file.
    pub(super) fn vacate(place: &Arc<FilePlace>, cleanups: &Cleanups) -> io::Result<Self> {
        Ok(match HiddenName::set_aside(place, cleanups)? {
            None => Self::free(place, cleanups, || Ok::<(), io::Error>(()))?,
            Some(hidden) => Self { previous: Previous::Hidden(hidden), cleanups: cleanups.clone() },
        })
    }

    /// Gives a file with a hidden name its own. Where names cannot be exchanged, no file has it for
    /// a moment.
    pub(super) fn exchange(
        place: &Arc<FilePlace>,
        mut hidden: HiddenName,
        cleanups: &Cleanups,
    ) -> io::Result<Self> {
        if hidden.exchange()? {
            return Ok(Self { previous: Previous::Hidden(hidden), cleanups: cleanups.clone() });
        }
        let vacated = Self::vacate(place, cleanups)?;
        hidden.rename(&place.name)?;
        Ok(vacated)
    }

    /// Keeps the new files, and removes the previous ones. A signal finds all of them kept or none.
    pub(in crate::output) fn keep(files: impl IntoIterator<Item = Self>) {
        let mut files: Vec<Self> = files.into_iter().collect();
        if let Some(first) = files.first() {
            first.cleanups.cancel(files.iter().filter_map(Self::cleanup));
        }
        for file in &mut files {
            if let Previous::Hidden(hidden) = std::mem::replace(&mut file.previous, Previous::Gone) {
                hidden.discard();
            }
        }
    }

    fn cleanup(&self) -> Option<&PendingCleanup> {
        match &self.previous {
            Previous::Missing { cleanup, .. } => Some(cleanup),
            Previous::Hidden(hidden) => Some(hidden.cleanup()),
            Previous::Gone => None,
        }
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        if let Previous::Missing { place, .. } = &self.previous {
            remove(place);
        }
    }
}

fn remove(place: &FilePlace) {
    // OK to ignore: the failure of what belongs to the file is reported.
    let _ = rustix::fs::unlinkat(&place.directory, &place.name, AtFlags::empty());
}
