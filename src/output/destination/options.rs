//! The options of a destination.

/// The options of a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DestinationOptions {
    /// The permissions of a regular file, 0 to 0777; `None` keeps those of the file that is
    /// replaced, or applies the umask to a new one.
    pub mode: Option<u16>,
    /// True if the contents of a block device may be overwritten.
    pub force: bool,
}
