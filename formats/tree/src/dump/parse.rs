//! Parsing of a dump into a tree.

use std::borrow::Cow;
use std::io::{self, BufRead};

use thiserror::Error;

use super::error::{Fault, Field, LineError, MAX_LINE, Problem, fault};
use super::line::{self, File, Line, LineEntry};
use super::{Body, RegularFile};
use crate::{FileType, Inode, InodeId, Kind, LinkTarget, Metadata, Name, Tree};

/// An error when parsing a dump.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ParseError<E> {
    /// The text could not be read.
    #[error("the text cannot be read")]
    Read(#[source] io::Error),
    /// A line is invalid.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The content of a regular file could not be created.
    #[error("line {line}: {}", .path.escape_ascii())]
    Content {
        /// The line number, from 1.
        line: u64,
        /// The path in the tree.
        path: Vec<u8>,
        /// The error of the caller.
        source: E,
    },
}

/// Reads a dump line by line.
///
/// `make` is called for each regular file in the order of the lines and creates its content from
/// the description in the dump.
///
/// The memory use is bounded by the text read: each line takes a few hundred bytes in addition to
/// its length.
///
/// ```
/// use image_tree::dump::{self, Body, RegularFile};
///
/// let text = "/ 0 40755 2 0 0 0 0.0 - - -\n/a 3 100644 1 0 0 0 1.5 - abc -\n";
/// let inline = |file: RegularFile<'_>| match file.body {
///     Body::None if file.size == 0 => Ok(Vec::new()),
///     Body::Inline(bytes) => Ok(bytes.into_owned()),
///     _ => Err(std::io::Error::other("the bytes are elsewhere")),
/// };
/// let tree = dump::parse(text.as_bytes(), inline)?;
/// assert_eq!(tree.inode_count(), 2);
/// # Ok::<(), dump::ParseError<std::io::Error>>(())
/// ```
///
/// # Errors
/// Returns an error at the first line that is not in the format described in the module, is longer
/// than [`MAX_LINE`], or describes a file for which `make` fails.
pub fn parse<C, E>(
    mut input: impl BufRead,
    mut make: impl FnMut(RegularFile<'_>) -> Result<C, E>,
) -> Result<Tree<C>, ParseError<E>> {
    let mut text = Vec::new();
    let mut number = 1;
    // An empty text is reported as a first line without a path.
    read_line(&mut input, number, &mut text)?;
    let root = if text.is_empty() {
        Err(fault(Field::Path, b"", Problem::NoRoot))
    } else {
        line::parse(&text).and_then(root)
    };
    let mut tree = at_line(number, root).map(Tree::new)?;
    let mut parents = Parents { path: Vec::new(), directory: InodeId::ROOT };
    loop {
        number += 1;
        if !read_line(&mut input, number, &mut text)? {
            return Ok(tree);
        }
        let Line { path, entry } = at_line(number, line::parse(&text))?;
        let (parent, name) = at_line(number, parents.find(&tree, &path))?;
        let refused = |error| fault(Field::Path, &path, Problem::Insert(error));
        let added = match entry {
            LineEntry::HardLink(target) => at_line(number, link_target(&tree, &target))
                .map(|target| tree.link(parent, name, target).map_err(refused))?,
            LineEntry::File(file) => {
                let (metadata, kind) = at_line(number, kind(file, &path))?;
                let kind = kind.try_map(&mut make).map_err(|source| ParseError::Content {
                    line: number,
                    path: path.to_vec(),
                    source,
                })?;
                tree.insert(parent, name, Inode { metadata, kind }).map(|_| ()).map_err(refused)
            }
        };
        at_line(number, added)?;
    }
}

fn at_line<T>(line: u64, result: Result<T, Fault>) -> Result<T, LineError> {
    result.map_err(|(field, problem)| LineError { line, field, problem })
}

/// Reads a line without its newline; returns false at the end of the text.
fn read_line<E>(input: &mut impl BufRead, line: u64, text: &mut Vec<u8>) -> Result<bool, ParseError<E>> {
    text.clear();
    // One more byte for the newline, and one to detect a line that is too long.
    let limit = MAX_LINE as u64 + 2;
    let len = io::Read::take(input, limit).read_until(b'\n', text).map_err(ParseError::Read)?;
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    if text.len() > MAX_LINE {
        return Err(LineError { line, field: None, problem: Problem::LineTooLong }.into());
    }
    Ok(len > 0)
}

fn root(line: Line<'_>) -> Result<Metadata, Fault> {
    if *line.path != *b"/" {
        return Err(fault(Field::Path, &line.path, Problem::NoRoot));
    }
    let LineEntry::File(file) = line.entry else {
        return Err(fault(Field::Mode, b"@", Problem::RootKind));
    };
    let mode = format!("{:o}", file.type_bits | file.metadata.mode);
    match kind(file, &line.path)? {
        (metadata, Shape::Other(Kind::Directory(_))) => Ok(metadata),
        _ => Err(fault(Field::Mode, mode.as_bytes(), Problem::RootKind)),
    }
}

/// Finds parent directories. Names of one directory are mostly consecutive, so the last directory
/// is cached.
struct Parents {
    path: Vec<u8>,
    directory: InodeId,
}

impl Parents {
    /// Returns the directory that contains `path`, and the name in it.
    fn find<C>(&mut self, tree: &Tree<C>, path: &[u8]) -> Result<(InodeId, Name), Fault> {
        let at = |problem| fault(Field::Path, path, problem);
        if path.first() != Some(&b'/') {
            return Err(at(Problem::Relative));
        }
        let last_slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let (parent, name) = (&path[..last_slash], &path[last_slash + 1..]);
        let name = Name::new(name).map_err(|error| at(Problem::Name(error)))?;
        if parent != self.path {
            let directory = lookup(tree, parent).filter(|id| tree.entries(*id).is_some());
            self.directory = directory.ok_or_else(|| at(Problem::Parent))?;
            self.path = parent.to_vec();
        }
        Ok((self.directory, name))
    }
}

/// Returns the inode at a path without empty components; the empty path is that of the root.
/// [`Tree::resolve`] would also accept `//`, so that a path could be written in two ways.
fn lookup<C>(tree: &Tree<C>, path: &[u8]) -> Option<InodeId> {
    let mut components = path.split(|byte| *byte == b'/');
    components.next().filter(|before_slash| before_slash.is_empty())?;
    components.try_fold(InodeId::ROOT, |directory, name| tree.lookup(directory, name))
}

fn link_target<C>(tree: &Tree<C>, target: &[u8]) -> Result<InodeId, Fault> {
    let root = (target == b"/").then_some(InodeId::ROOT);
    root.or_else(|| lookup(tree, target)).ok_or_else(|| fault(Field::Payload, target, Problem::LinkTarget))
}

/// The kind of a file before its content is created.
enum Shape<'a> {
    Regular(RegularFile<'a>),
    Other(Kind<std::convert::Infallible>),
}

impl<'a> Shape<'a> {
    fn try_map<C, E>(self, make: impl FnOnce(RegularFile<'a>) -> Result<C, E>) -> Result<Kind<C>, E> {
        Ok(match self {
            Shape::Regular(file) => Kind::Regular(make(file)?),
            Shape::Other(kind) => match kind {
                Kind::Directory(entries) => Kind::Directory(entries),
                Kind::Regular(never) => match never {},
                Kind::Symlink(target) => Kind::Symlink(target),
                Kind::CharacterDevice(device) => Kind::CharacterDevice(device),
                Kind::BlockDevice(device) => Kind::BlockDevice(device),
                Kind::Fifo => Kind::Fifo,
                Kind::Socket => Kind::Socket,
            },
        })
    }
}

/// Checks that exactly the fields of the file's kind are set, and returns its metadata and kind.
fn kind<'a>(file: File<'a>, path: &'a [u8]) -> Result<(Metadata, Shape<'a>), Fault> {
    let File { metadata, type_bits, size, rdev, payload, content, digest } = file;
    let is = |file_type: FileType| type_bits == file_type.bits();
    let has_device = is(FileType::CharacterDevice) || is(FileType::BlockDevice);
    if rdev != 0 && !has_device {
        return Err(fault(Field::Rdev, rdev.to_string().as_bytes(), Problem::Set));
    }
    if is(FileType::Regular) {
        return Ok((metadata, Shape::Regular(regular(path, size, payload, content, digest)?)));
    }
    if let Some(content) = content {
        return Err(fault(Field::Content, &content, Problem::Set));
    }
    if let Some(digest) = digest {
        return Err(fault(Field::Digest, digest.as_bytes(), Problem::Set));
    }
    if is(FileType::Symlink) {
        let target = payload.ok_or_else(|| fault(Field::Payload, b"-", Problem::Unset))?;
        let target = LinkTarget::new(&target)
            .map_err(|error| fault(Field::Payload, &target, Problem::Target(error)))?;
        return Ok((metadata, Shape::Other(Kind::Symlink(target))));
    }
    if let Some(payload) = payload {
        return Err(fault(Field::Payload, &payload, Problem::Set));
    }
    let kind = match FileType::from_mode(type_bits.into()) {
        Some(FileType::Fifo) => Kind::Fifo,
        Some(FileType::CharacterDevice) => Kind::CharacterDevice(line::unpack_device(rdev)),
        Some(FileType::Directory) => Kind::Directory(std::collections::BTreeMap::new()),
        Some(FileType::BlockDevice) => Kind::BlockDevice(line::unpack_device(rdev)),
        Some(FileType::Socket) => Kind::Socket,
        _ => {
            let mode = format!("{:o}", type_bits | metadata.mode);
            return Err(fault(Field::Mode, mode.as_bytes(), Problem::Type));
        }
    };
    Ok((metadata, Shape::Other(kind)))
}

fn regular<'a>(
    path: &'a [u8],
    size: u64,
    payload: Option<Cow<'a, [u8]>>,
    content: Option<Cow<'a, [u8]>>,
    digest: Option<&'a str>,
) -> Result<RegularFile<'a>, Fault> {
    let body = match (payload, content) {
        (Some(payload), Some(_)) => return Err(fault(Field::Payload, &payload, Problem::TwoBodies)),
        (Some(payload), None) => Body::Payload(payload),
        (None, Some(content)) => {
            let len = content.len() as u64;
            if len != size {
                return Err(fault(Field::Content, &content, Problem::InlineSize { len, size }));
            }
            Body::Inline(content)
        }
        (None, None) => Body::None,
    };
    if let (Some(digest), Body::Inline(_)) = (digest, &body) {
        return Err(fault(Field::Digest, digest.as_bytes(), Problem::Set));
    }
    Ok(RegularFile { path, size, body, digest })
}
