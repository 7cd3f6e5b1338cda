//! A tree as text and back: the composefs dump format, composefs-dump(5).
//!
//! ```text
//! PATH          SIZE MODE    NLINK UID GID RDEV MTIME        PAYLOAD        CONTENT  DIGEST  XATTR=VALUE…
//! /             0    40755   3     0   0   0    1700000000.0 -              -        -
//! /etc          0    40755   2     0   0   0    1700000000.0 -              -        -
//! /etc/hostname 6    100644  2     0   0   0    1700000000.5 -              guest\n  -       user.by=me
//! /etc/name     6    @100644 2     0   0   0    1700000000.5 /etc/hostname  -        -
//! /sh           8    120777  1     0   0   0    1700000000.0 bin/busy       -        -
//! ```
//!
//! One line is one name; its fields are separated by one space, which the picture widens to align them.
//!
//! | field | what it is |
//! | --- | --- |
//! | PATH | absolute, without `.`, `..`, `//` or a last `/`; `/` comes first and a directory before what it holds |
//! | SIZE | bytes of a regular file; passed over for every other file |
//! | MODE | `st_mode` in octal with the type bits; after `@` the line is a further name of the file in PAYLOAD |
//! | NLINK | `st_nlink`: derived when written, passed over when read |
//! | RDEV | a device's number as `makedev(3)` packs it |
//! | MTIME | seconds, a dot, and a whole number of nanoseconds: `1.5` is five nanoseconds after one second |
//! | PAYLOAD | a symbolic link's target; a relative path to a regular file's bytes; a hard link's first name |
//! | CONTENT | a regular file's bytes |
//! | DIGEST | the fs-verity digest of a regular file that has a PAYLOAD |
//!
//! Spaces, backslashes and everything but printable ASCII are escaped, as is `=` in xattrs: `\\`, `\n`, `\r`, `\t`
//! or `\xXY`. A field without a value is `-`, and the value `-` is written `\x2d`; an xattr's value is never unset,
//! so there nothing and `-` stand for themselves.
//!
//! [`write()`] follows the order of [`Tree::walk`](crate::Tree::walk) and has one way to write each thing, so equal
//! trees give equal text. [`parse`] reads that and what composefs' own tools write.

mod escape;
mod line;
mod parse;
#[cfg(test)]
mod tests;
mod write;

use std::borrow::Cow;

pub use line::{Field, LineError, Problem};
pub use parse::{MAX_LINE, ParseError, parse};
pub use write::write;

/// Where a dump says the bytes of a regular file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// Nowhere: the file is empty, or the dump only says how long it is.
    None,
    /// In the dump. No bytes are the same as [`Body::None`].
    Inline(Cow<'a, [u8]>),
    /// In the file with this path, which has at least one byte. The reader of the dump chooses what it is
    /// relative to.
    Payload(Cow<'a, [u8]>),
}

/// A regular file as a dump describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegularFile<'a> {
    /// The absolute path in the tree.
    pub path: &'a [u8],
    /// The length in bytes. Inline bytes have been checked to be that many.
    pub size: u64,
    /// Where the bytes are. With [`Body::None`] the length may still be more than 0.
    pub body: Body<'a>,
    /// The fs-verity digest in hexadecimal digits. Nothing has been checked against it.
    pub digest: Option<&'a str>,
}
