//! Byte strings that are valid by construction: file names, symlink targets, xattr names.

use std::fmt;

use thiserror::Error;

/// One component of a path: 1 to 255 bytes, without `/` or NUL, and not `.` or `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<[u8]>);

/// An error for bytes that are not a file name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// The name is empty.
    #[error("a file name is empty")]
    Empty,
    /// The name is `.` or `..`, which every directory already has.
    #[error("a file is named \"{}\"", .0.escape_ascii())]
    Reserved(Vec<u8>),
    /// The name is longer than 255 bytes.
    #[error("file name \"{}\" is {} bytes long, the limit is {}", .0.escape_ascii(), .0.len(), Name::MAX_LEN)]
    TooLong(Vec<u8>),
    /// The name contains `/` or NUL.
    #[error("file name \"{}\" holds '/' or NUL", .0.escape_ascii())]
    Separator(Vec<u8>),
}

impl Name {
    /// The maximum length of a name, in bytes.
    pub const MAX_LEN: usize = 255;

    /// Creates a value from `bytes` after checking them.
    ///
    /// # Errors
    /// Returns an error if the bytes are not a valid file name.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, NameError> {
        let bytes = bytes.as_ref();
        match bytes {
            [] => Err(NameError::Empty),
            b"." | b".." => Err(NameError::Reserved(bytes.to_vec())),
            _ if bytes.len() > Self::MAX_LEN => Err(NameError::TooLong(bytes.to_vec())),
            _ if bytes.iter().any(|byte| matches!(byte, b'/' | 0)) => {
                Err(NameError::Separator(bytes.to_vec()))
            }
            _ => Ok(Self(bytes.into())),
        }
    }

    /// The name's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The target of a symbolic link: 1 to 4095 bytes without NUL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkTarget(Box<[u8]>);

/// An error for bytes that are not the target of a symbolic link.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkTargetError {
    /// The target is empty.
    #[error("the target of a symbolic link is empty")]
    Empty,
    /// The target contains NUL.
    #[error("the target of a symbolic link contains NUL")]
    Nul,
    /// The target is longer than `PATH_MAX` allows.
    #[error("the target of a symbolic link is {0} bytes long, the limit is {max}", max = LinkTarget::MAX_LEN)]
    TooLong(usize),
}

impl LinkTarget {
    /// The maximum length of a target, in bytes: `PATH_MAX` minus the NUL.
    pub const MAX_LEN: usize = 4095;

    /// Creates a value from `bytes` after checking them.
    ///
    /// # Errors
    /// Returns an error if the bytes are not a valid target.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, LinkTargetError> {
        let bytes = bytes.as_ref();
        match bytes {
            [] => Err(LinkTargetError::Empty),
            _ if bytes.len() > Self::MAX_LEN => Err(LinkTargetError::TooLong(bytes.len())),
            _ if bytes.contains(&0) => Err(LinkTargetError::Nul),
            _ => Ok(Self(bytes.into())),
        }
    }

    /// The target's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The name of an extended attribute with its namespace, as in `user.comment`: 1 to 255 bytes
/// without NUL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct XattrName(Box<[u8]>);

/// An error for bytes that are not the name of an extended attribute.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("xattr name \"{}\" is not 1 to 255 bytes without NUL", .0.escape_ascii())]
pub struct XattrNameError(Vec<u8>);

impl XattrName {
    /// The maximum length of a name, in bytes.
    pub const MAX_LEN: usize = 255;

    /// Creates a value from `bytes` after checking them.
    ///
    /// # Errors
    /// Returns an error if the bytes are not a valid xattr name.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, XattrNameError> {
        let bytes = bytes.as_ref();
        if bytes.is_empty() || bytes.len() > Self::MAX_LEN || bytes.contains(&0) {
            return Err(XattrNameError(bytes.to_vec()));
        }
        Ok(Self(bytes.into()))
    }

    /// The name's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

macro_rules! show_escaped {
    ($($type:ty),*) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "\"{}\"", self.0.escape_ascii())
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0.escape_ascii())
            }
        }
        impl AsRef<[u8]> for $type {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        // The derived order of the boxed bytes equals that of the slice, so maps can be searched by
        // slice.
        impl std::borrow::Borrow<[u8]> for $type {
            fn borrow(&self) -> &[u8] {
                &self.0
            }
        }
    )*};
}

show_escaped!(Name, LinkTarget, XattrName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_at_their_limits_are_accepted() {
        assert_eq!(Name::new([b'a'; 255]).map(|name| name.as_bytes().len()), Ok(255));
        assert!(matches!(Name::new([b'a'; 256]), Err(NameError::TooLong(_))));
        assert_eq!(Name::new(""), Err(NameError::Empty));
        assert!(matches!(Name::new(".."), Err(NameError::Reserved(_))));
        assert!(matches!(Name::new("a/b"), Err(NameError::Separator(_))));
        assert!(matches!(Name::new(b"a\0b"), Err(NameError::Separator(_))));
        assert!(Name::new(b"\xff\xfe").is_ok());
    }

    #[test]
    fn targets_at_their_limits_are_accepted() {
        assert!(LinkTarget::new([b'a'; 4095]).is_ok());
        assert_eq!(LinkTarget::new([b'a'; 4096]), Err(LinkTargetError::TooLong(4096)));
        assert_eq!(LinkTarget::new(""), Err(LinkTargetError::Empty));
        assert_eq!(LinkTarget::new("a\0"), Err(LinkTargetError::Nul));
    }

    #[test]
    fn xattr_names_at_their_limits_are_accepted() {
        assert!(XattrName::new([b'a'; 255]).is_ok());
        assert!(XattrName::new([b'a'; 256]).is_err());
        assert!(XattrName::new("").is_err());
    }
}
