//! The options of edits, and the report on them.

use image_tree::Timestamp;

use super::action::Edit;
use crate::interrupt::Interrupt;
use crate::log::{self, Log};
use crate::source::directory::Unreadable;
use crate::threads::Threads;
use crate::transform::own_files::OwnFiles;
use crate::xattr_filter::Filter;

/// The edits and their options.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The edits, in order.
    pub edits: &'a [Edit],
    /// The time of created files.
    pub time: Timestamp,
    /// The threads that read directories.
    pub threads: &'a Threads,
    /// The filter for the xattrs of added files.
    pub filter: &'a Filter,
    /// Checked regularly; a signal ends the edits.
    pub interrupt: &'a Interrupt,
    /// The files that are left out of directories.
    pub own: OwnFiles,
}

/// The report on edits.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Changes beyond the request.
    pub warnings: Vec<String>,
    /// Added files that are unreadable.
    pub unreadable: Vec<Unreadable>,
}

impl log::Report for Report {
    fn log(&self, log: &Log) {
        self.warnings.iter().for_each(|warning| log.warn(warning));
    }
}
