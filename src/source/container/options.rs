//! The options for reading an image.

use std::path::Path;

use super::platform::Platform;
use crate::blob::SpoolMemory;
use crate::cache::Cache;
use crate::interrupt::Interrupt;
use crate::source::tar::Limits;
use crate::threads::Threads;

/// The options for reading an image.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// The platform of an image for several; none for that of this machine.
    pub platform: Option<&'a Platform>,
    /// The directory of the files that layers are decompressed into; none for that of temporary
    /// files.
    pub spool: Option<&'a Path>,
    /// The memory for what layers are decompressed to, before files are used.
    pub memory: &'a SpoolMemory,
    /// The cache of decoded layers.
    pub cache: Option<&'a Cache>,
    /// Keeps a symbolic link to a directory where a later layer has a directory.
    pub keep_directory_symlink: bool,
    /// The limits, which hold for all layers together.
    pub limits: Limits,
    /// The threads that read layers.
    pub threads: &'a Threads,
    /// Checked regularly; a signal ends the reading.
    pub interrupt: &'a Interrupt,
}
