//! Sources: archives, directories and files that are not sources.

mod formats;
mod hostile;
mod mounts;
mod own_files;
mod packages;
pub(crate) mod tar;
