//! Sources: archives, directories and files that are not sources.

mod formats;
mod hostile;
mod mounts;
mod own_files;
pub(crate) mod tar;
