//! Removal of the least recently used entries.

use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, Dir, FileType, Stat};

use super::Cache;
use super::addressed;
use super::entry::{HIDDEN, disk_space};
use super::state;

/// The age after which an unfinished entry is considered to be left by a killed run.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// An entry that could be removed, ordered by the order of removal.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// Seconds and nanoseconds.
    used: (i64, u64),
    name: Vec<u8>,
    cost: u64,
}

/// The name of a layer, the last use of it, and the name of its state.
type State = (Vec<u8>, (i64, u64), Vec<u8>);

impl Cache {
    /// Removes the least recently used entries until the rest is within nine tenths of the limit,
    /// so that not every new entry requires listing the directory. Does nothing if all are within
    /// the limit.
    pub(super) fn trim(&self) {
        let mut candidates = self.candidates();
        let mut taken = candidates.iter().fold(0, |sum: u64, candidate| sum.saturating_add(candidate.cost));
        if taken > self.limit {
            candidates.sort();
            let aim = self.limit - self.limit / 10;
            for candidate in candidates {
                if taken <= aim {
                    break;
                }
                // Another run may have removed it already.
                let _ = rustix::fs::unlinkat(&self.directory, &candidate.name[..], AtFlags::empty());
                taken -= candidate.cost;
            }
        }
        // OK to unwrap: setting a number does not panic.
        *self.taken.lock().expect("a number can be set") = taken;
    }

    /// Lists the entries, and removes abandoned ones. Files that do not belong to the cache are
    /// left alone.
    fn candidates(&self) -> Vec<Candidate> {
        let (mut candidates, mut states) = (Vec::new(), Vec::new());
        let Ok(listing) = Dir::read_from(&self.directory) else { return candidates };
        for listed in listing.flatten() {
            let name = listed.file_name();
            let hidden = name.to_bytes().starts_with(HIDDEN.as_bytes());
            if !hidden && !is_entry(name.to_bytes()) {
                continue;
            }
            let Ok(stat) = rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                continue;
            }
            if hidden {
                if is_abandoned(&stat) {
                    let _ = rustix::fs::unlinkat(&self.directory, name, AtFlags::empty());
                }
                continue;
            }
            if let Some(layer) = state::layer_of_state(name.to_bytes()) {
                states.push((layer, (stat.st_mtime, stat.st_mtime_nsec), name.to_bytes().to_vec()));
                continue;
            }
            let (used, cost) = match addressed::is_addressed(name.to_bytes()) {
                true => (addressed::last_use(&stat), addressed::disk_space(&stat)),
                false => {
                    let len = u64::try_from(stat.st_size).unwrap_or(0);
                    ((stat.st_mtime, stat.st_mtime_nsec), disk_space(len))
                }
            };
            candidates.push(Candidate { used, name: name.to_bytes().to_vec(), cost });
        }
        self.apply_states(&mut candidates, states);
        candidates
    }

    /// Sets the times of use of layers to those of their states. A state without a layer is removed.
    fn apply_states(&self, candidates: &mut [Candidate], states: Vec<State>) {
        candidates.sort_by(|one, other| one.name.cmp(&other.name));
        for (layer, used, name) in states {
            match candidates.binary_search_by(|candidate| candidate.name.cmp(&layer)) {
                Ok(at) => {
                    let layer = &mut candidates[at];
                    layer.used = layer.used.max(used);
                    layer.cost = layer.cost.saturating_add(state::STATE_SPACE);
                }
                Err(_) => _ = rustix::fs::unlinkat(&self.directory, &name[..], AtFlags::empty()),
            }
        }
    }
}

/// Returns true for the name of an entry of any kind.
fn is_entry(name: &[u8]) -> bool {
    let is_long = addressed::is_addressed(name) || state::layer_of_state(name).is_some();
    matches!(name, [b'c' | b'd' | b'i' | b'l' | b'v', digits @ ..]
        if (digits.len() == 64 || is_long)
            && digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')))
}

fn is_abandoned(stat: &Stat) -> bool {
    let modified = u64::try_from(stat.st_mtime)
        .ok()
        .map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    modified.and_then(|modified| modified.elapsed().ok()).is_some_and(|age| age > ABANDONED)
}
