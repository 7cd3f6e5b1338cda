//! Messages about an image for the log.

/// A message about an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A warning.
    Warning(String),
    /// A detail of what was read.
    Detail(String),
}
