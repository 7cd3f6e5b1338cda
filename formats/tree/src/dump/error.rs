//! Errors in the lines of a dump.

use std::fmt;

use thiserror::Error;

use crate::{InsertError, LinkTargetError, NameError, XattrNameError};

/// The maximum length of a line, in bytes without its newline: 64 MiB.
pub const MAX_LINE: usize = 64 * 1024 * 1024;

/// A field of a line, by its name in composefs-dump(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are composefs-dump(5)'s; the module's table describes each")]
pub enum Field {
    Path,
    Size,
    Mode,
    Nlink,
    Uid,
    Gid,
    Rdev,
    Mtime,
    Payload,
    Content,
    Digest,
    Xattr,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Path => "PATH",
            Field::Size => "SIZE",
            Field::Mode => "MODE",
            Field::Nlink => "NLINK",
            Field::Uid => "UID",
            Field::Gid => "GID",
            Field::Rdev => "RDEV",
            Field::Mtime => "MTIME",
            Field::Payload => "PAYLOAD",
            Field::Content => "CONTENT",
            Field::Digest => "DIGEST",
            Field::Xattr => "XATTR",
        })
    }
}

/// An error in a line of a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineError {
    /// The line number, from 1.
    pub line: u64,
    /// The field and the first bytes of its text, if the error is in one field.
    pub field: Option<(Field, Vec<u8>)>,
    /// The error.
    pub problem: Problem,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if let Some((field, text)) = &self.field {
            write!(f, "{field} \"{}\" ", String::from_utf8_lossy(text).escape_debug())?;
        }
        write!(f, "{}", self.problem)
    }
}

impl std::error::Error for LineError {}

/// The kinds of error in a line.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The line is longer than [`MAX_LINE`].
    #[error("the line is longer than {} bytes", MAX_LINE)]
    LineTooLong,
    /// The line has too few fields; the value is their number.
    #[error("{0} of the 11 fields from PATH to DIGEST are there; one space separates two fields")]
    Fields(usize),
    /// The text contains an unescaped control character.
    #[error("contains a control character; write it as \\n, \\r, \\t or \\xXY")]
    ControlCharacter,
    /// A backslash begins an unknown escape sequence.
    #[error("contains a backslash that does not begin \\\\, \\n, \\r, \\t or \\xXY; write it as \\\\")]
    Escape,
    /// The text is not a decimal number within the limit.
    #[error("is not a decimal number from 0 to {0}")]
    Number(u64),
    /// The text is not an octal number, or has bits outside of `st_mode`.
    #[error("is not an octal number from 0 to 177777, with @ before it for a hard link")]
    Mode,
    /// The type bits are not those of a file type.
    #[error("has the type bits of no kind of file")]
    Type,
    /// The text is not a time.
    #[error(
        "is not a time such as 1700000000.0: seconds, a dot, a whole number of nanoseconds below 1000000000"
    )]
    Time,
    /// A required field is unset.
    #[error("is needed for this kind of file")]
    Unset,
    /// The field is set, but does not apply to this kind of file.
    #[error("is set, but a file of this kind has none")]
    Set,
    /// The text is not 64 or 128 hexadecimal digits.
    #[error("is not 64 or 128 hexadecimal digits")]
    Digest,
    /// Both PAYLOAD and CONTENT are set.
    #[error("is a second place for the file's bytes, which CONTENT gives already")]
    TwoBodies,
    /// The number of inline bytes differs from SIZE.
    #[error("is {len} bytes long, and SIZE is {size}")]
    InlineSize {
        /// The number of inline bytes.
        len: u64,
        /// The value of SIZE.
        size: u64,
    },
    /// The first line does not describe the root.
    #[error("is not /, which the first line describes")]
    NoRoot,
    /// The root is not a directory.
    #[error("is not that of a directory, which / is")]
    RootKind,
    /// The path does not begin with `/`.
    #[error("is not an absolute path")]
    Relative,
    /// The parent directory is not on an earlier line.
    #[error("is not in a directory of an earlier line")]
    Parent,
    /// The target of a hard link is not on an earlier line.
    #[error("is not the path of an earlier line")]
    LinkTarget,
    /// The last component of the path is not a valid name.
    #[error("ends badly: {0}")]
    Name(NameError),
    /// The name cannot be added to the directory.
    #[error("cannot be added: {0}")]
    Insert(InsertError),
    /// The target of the symbolic link is invalid.
    #[error("cannot be: {0}")]
    Target(LinkTargetError),
    /// The `=` after the name is missing.
    #[error("has no = between name and value")]
    XattrValue,
    /// The name of the xattr is invalid.
    #[error("cannot be: {0}")]
    Xattr(XattrNameError),
    /// The file already has that xattr.
    #[error("is there twice")]
    XattrTwice,
}

/// A field and its error; the caller adds the line number.
pub(super) type Fault = (Option<(Field, Vec<u8>)>, Problem);

/// The maximum number of bytes of a field's text in an error.
const SHOWN: usize = 120;

pub(super) fn fault(field: Field, text: &[u8], problem: Problem) -> Fault {
    (Some((field, text.get(..SHOWN).unwrap_or(text).to_vec())), problem)
}
