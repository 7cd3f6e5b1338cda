//! The label of a filesystem.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The label of a filesystem: at most [`Label::MAX`] bytes without NUL; empty for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label(String);

/// The error for a label that is too long, or has a NUL.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("label \"{}\" has {} bytes; a label is at most {} bytes without NUL", .0.escape_debug(), .0.len(), Label::MAX)]
pub struct LabelError(String);

impl Label {
    /// The maximum length in bytes: the field of every format with a label has room for as many.
    pub const MAX: usize = 16;

    /// The label.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        if text.len() > Self::MAX || text.contains('\0') {
            return Err(LabelError(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_at_most_sixteen_bytes() {
        for text in ["", "root", "1234567890123456", "\u{e9}"] {
            assert_eq!(text.parse::<Label>().map(|label| label.to_string()), Ok(text.to_owned()));
        }
        let error = "12345678901234567".parse::<Label>().expect_err("17 bytes");
        let message = "label \"12345678901234567\" has 17 bytes; a label is at most 16 bytes without NUL";
        assert_eq!(error.to_string(), message);
        assert!("a\0b".parse::<Label>().is_err());
    }
}
