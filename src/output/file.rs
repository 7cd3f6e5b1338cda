//! Files that appear once they are complete, and images as files with holes.

mod atomic;
mod blob;
mod clone_range;
mod data_ranges;
mod hidden_name;
mod preallocation;
mod replaced;
mod sparse;
mod unpublished;

pub(super) use atomic::AtomicFile;
pub use blob::BlobFile;
pub(super) use preallocation::Preallocated;
pub use preallocation::Preallocation;
pub(super) use replaced::Replaced;
pub(super) use sparse::{NOT_CLONABLE, Tally, fill, fill_device, fill_in, finish_device};
pub use sparse::{write, write_preallocated};
pub use unpublished::{Unpublished, Written};

#[cfg(test)]
pub(super) use data_ranges::MIN_HOLE;
#[cfg(test)]
pub(super) use preallocation::{STEP, allowed};
