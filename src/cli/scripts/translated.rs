//! A translated command line.

use std::ffi::OsString;

/// The result of a script's command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Translated {
    /// A command line of rootcast, and what a user should know of the variables.
    Arguments(Vec<OsString>, Vec<String>),
    /// The text of `-h`.
    Help(&'static str),
}
