//! Files that appear once they are complete, and images as files with holes.

mod atomic;
mod clone_range;
mod data_ranges;
mod preallocation;
mod sparse;

pub(super) use atomic::AtomicFile;
pub use preallocation::Preallocation;
pub use sparse::{Written, write, write_preallocated};

#[cfg(test)]
pub(super) use data_ranges::MIN_HOLE;
#[cfg(test)]
pub(super) use preallocation::{STEP, allowed};
