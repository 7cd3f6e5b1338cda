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
//! Each line describes one name; its fields are separated by one space (the example adds more to
//! align them).
//!
//! | field | meaning |
//! | --- | --- |
//! | PATH | absolute, without `.`, `..`, `//` or a last `/`; `/` comes first and a directory before its entries |
//! | SIZE | length of a regular file in bytes; ignored for every other file |
//! | MODE | `st_mode` in octal with the type bits; after `@` the line is another name of the file in PAYLOAD |
//! | NLINK | `st_nlink`: derived when written, ignored when read |
//! | RDEV | a device's number as `makedev(3)` packs it |
//! | MTIME | seconds, a dot, and a whole number of nanoseconds: `1.5` is five nanoseconds after one second |
//! | PAYLOAD | a symbolic link's target; a relative path to a regular file's bytes; a hard link's first name |
//! | CONTENT | a regular file's bytes |
//! | DIGEST | the fs-verity digest of a regular file that has a PAYLOAD |
//!
//! Spaces, backslashes and all bytes except printable ASCII are escaped, as is `=` in xattrs: `\\`,
//! `\n`, `\r`, `\t` or `\xXY`. A field without a value is `-`, and the value `-` is written `\x2d`;
//! an xattr's value is never unset, so an empty value and `-` are literal there.
//!
//! [`write()`] follows the order of [`Tree::walk`](crate::Tree::walk) and writes each field in a
//! canonical form, so equal trees give equal text. [`parse`] reads this text and the output of the
//! composefs tools.

mod error;
mod escape;
mod line;
mod parse;
#[cfg(test)]
mod tests;
mod write;

use std::borrow::Cow;

pub use error::{Field, LineError, MAX_LINE, Problem};
pub use parse::{ParseError, parse};
pub use write::write;

/// The location of the bytes of a regular file, as given by a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body<'a> {
    /// None: the file is empty, or the dump only gives its length.
    None,
    /// In the dump. An empty slice is the same as [`Body::None`].
    Inline(Cow<'a, [u8]>),
    /// In the file at this path, which is not empty. The reader of the dump chooses the directory
    /// that it is relative to.
    Payload(Cow<'a, [u8]>),
}

/// A regular file as a dump describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegularFile<'a> {
    /// The absolute path of the file in the tree.
    pub path: &'a [u8],
    /// The length in bytes. It has been checked to equal the length of inline bytes.
    pub size: u64,
    /// The location of the bytes. With [`Body::None`] the length may still be more than 0.
    pub body: Body<'a>,
    /// The fs-verity digest in hexadecimal digits. It has not been verified.
    pub digest: Option<&'a str>,
}
