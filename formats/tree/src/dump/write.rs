//! Writing of a tree as a dump.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::escape::{self, Equals};
use super::{Body, line};
use crate::{Content, Inode, InodeId, Kind, Metadata, Tree, Walk};

/// The number of bytes buffered before they are written.
const BUFFER: usize = 64 * 1024;

/// Writes a line for every name of the tree, in the order of [`Tree::walk`].
///
/// `body` is called once for each regular file, with the path in the tree and the content, and
/// returns the location of its bytes. It may return [`Body::None`] for any file: the text then
/// contains only the length.
///
/// ```
/// use image_tree::dump::{self, Body};
/// use image_tree::{Inode, InodeId, Kind, Metadata, Name, Tree};
///
/// let mut tree: Tree<Vec<u8>> = Tree::new(Metadata::new(0o755));
/// let file = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(b"guest\n".to_vec()) };
/// tree.insert(InodeId::ROOT, Name::new("host name")?, file)?;
///
/// let mut text = Vec::new();
/// dump::write(&tree, &mut text, |_, bytes| Ok(Body::Inline(bytes.into())))?;
/// let lines = "/ 0 40755 2 0 0 0 0.0 - - -\n/host\\x20name 6 100644 1 0 0 0 0.0 - guest\\n -\n";
/// assert_eq!(String::from_utf8_lossy(&text), lines);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The first error of `out` or of `body`. [`io::ErrorKind::InvalidInput`] if the length of a body
/// differs from that of its content, or a payload has an empty path.
pub fn write<C: Content>(
    tree: &Tree<C>,
    out: &mut impl Write,
    mut body: impl for<'a> FnMut(&'a [u8], &'a C) -> io::Result<Body<'a>>,
) -> io::Result<()> {
    let mut writer = Writer { tree, links: tree.name_counts(), first_names: BTreeMap::new() };
    let mut text = Vec::with_capacity(BUFFER + 4096);
    let mut path = Vec::new();
    let mut walk: Walk<'_, C> = tree.walk();
    while let Some(step) = walk.next() {
        path.clear();
        walk.write_path(&mut path);
        writer.push_line(&mut text, step.id, step.first, &path, &mut body)?;
        if text.len() >= BUFFER {
            out.write_all(&text)?;
            text.clear();
        }
    }
    out.write_all(&text)
}

struct Writer<'t, C> {
    tree: &'t Tree<C>,
    /// The number of names of each inode.
    links: Vec<u64>,
    /// The first path of each inode that has several names.
    first_names: BTreeMap<InodeId, Vec<u8>>,
}

impl<C: Content> Writer<'_, C> {
    fn push_line(
        &mut self,
        text: &mut Vec<u8>,
        id: InodeId,
        first: bool,
        path: &[u8],
        body: &mut impl for<'a> FnMut(&'a [u8], &'a C) -> io::Result<Body<'a>>,
    ) -> io::Result<()> {
        let inode = self.tree.get(id);
        escape::push(text, path, Equals::Plain);
        self.push_numbers(text, id, first, inode);
        if !first {
            let target = self.first_names.get(&id).map_or(&b"/"[..], Vec::as_slice);
            push_bodies(text, target, b"");
            text.push(b'\n');
            return Ok(());
        }
        match &inode.kind {
            Kind::Regular(content) => match body(path, content)? {
                Body::None => push_bodies(text, b"", b""),
                Body::Inline(bytes) => {
                    check_length(path, &bytes, content.len())?;
                    push_bodies(text, b"", &bytes);
                }
                Body::Payload(payload) => {
                    check_payload(path, &payload)?;
                    push_bodies(text, &payload, b"");
                }
            },
            Kind::Symlink(target) => push_bodies(text, target.as_bytes(), b""),
            _ => push_bodies(text, b"", b""),
        }
        push_xattrs(text, &inode.metadata);
        text.push(b'\n');
        if !matches!(inode.kind, Kind::Directory(_)) && self.links[id.index()] > 1 {
            self.first_names.insert(id, path.to_vec());
        }
        Ok(())
    }

    /// Appends SIZE to MTIME. A hard link repeats the fields of its file, as in the output of the
    /// composefs tools.
    fn push_numbers(&self, text: &mut Vec<u8>, id: InodeId, first: bool, inode: &Inode<C>) {
        let metadata = &inode.metadata;
        let (size, links) = match &inode.kind {
            Kind::Directory(entries) => {
                let is_directory = |id: &&InodeId| matches!(self.tree.get(**id).kind, Kind::Directory(_));
                (0, 2 + entries.values().filter(is_directory).count() as u64)
            }
            Kind::Regular(content) => (content.len(), self.links[id.index()]),
            Kind::Symlink(target) => (target.as_bytes().len() as u64, self.links[id.index()]),
            _ => (0, self.links[id.index()]),
        };
        let device = match &inode.kind {
            Kind::CharacterDevice(device) | Kind::BlockDevice(device) => line::pack_device(*device),
            _ => 0,
        };
        text.push(b' ');
        push_number::<10>(text, size);
        text.extend_from_slice(if first { b" " } else { b" @" });
        push_number::<8>(text, u64::from(metadata.mode | inode.kind.type_bits()));
        for number in [links, u64::from(metadata.uid), u64::from(metadata.gid), device] {
            text.push(b' ');
            push_number::<10>(text, number);
        }
        text.extend_from_slice(if metadata.mtime.seconds() < 0 { b" -" } else { b" " });
        push_number::<10>(text, metadata.mtime.seconds().unsigned_abs());
        text.push(b'.');
        push_number::<10>(text, u64::from(metadata.mtime.nanoseconds()));
    }
}

fn check_length(path: &[u8], bytes: &[u8], expected: u64) -> io::Result<()> {
    if bytes.len() as u64 == expected {
        return Ok(());
    }
    let path = path.escape_ascii();
    let message = format!("{path}: {} bytes were given for a file of {expected} bytes", bytes.len());
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

fn check_payload(path: &[u8], payload: &[u8]) -> io::Result<()> {
    if !payload.is_empty() {
        return Ok(());
    }
    let message = format!("{}: the path to its bytes is empty", path.escape_ascii());
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// Appends PAYLOAD, CONTENT and an unset DIGEST.
fn push_bodies(text: &mut Vec<u8>, payload: &[u8], content: &[u8]) {
    text.push(b' ');
    escape::push_optional(text, payload);
    text.push(b' ');
    escape::push_optional(text, content);
    text.extend_from_slice(b" -");
}

fn push_xattrs(text: &mut Vec<u8>, metadata: &Metadata) {
    for (name, value) in &metadata.xattrs {
        text.push(b' ');
        escape::push(text, name.as_bytes(), Equals::Separator);
        text.push(b'=');
        escape::push(text, value, Equals::Separator);
    }
}

/// Appends a number in a base of at most 10. The base is known at compile time, since divisions by
/// it are noticeable for a large tree, as `write!` is.
fn push_number<const BASE: u64>(text: &mut Vec<u8>, mut number: u64) {
    // 2^64 has 22 octal digits.
    let mut digits = [b'0'; 22];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b"0123456789"[usize::try_from(number % BASE).unwrap_or(0)];
        number /= BASE;
        if number == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, LinkTarget, Name, Timestamp, XattrName};

    type Bytes = Tree<Vec<u8>>;

    fn name(text: &str) -> Name {
        Name::new(text).expect("a valid name")
    }

    fn text_of(tree: &Bytes) -> String {
        let mut text = Vec::new();
        write(tree, &mut text, |_, bytes| Ok(Body::Inline(bytes.into()))).expect("memory takes every write");
        String::from_utf8(text).expect("a dump is ASCII")
    }

    #[test]
    fn each_file_type_is_written_as_one_line() {
        let mut tree = Bytes::new(Metadata::new(0o1777));
        let time = |seconds, nanoseconds| Timestamp::new(seconds, nanoseconds).expect("below a second");
        let dir = tree.insert(InodeId::ROOT, name("d"), Inode::directory(Metadata::new(0o755))).expect("new");
        let add = |tree: &mut Bytes, text: &str, metadata, kind| {
            tree.insert(dir, name(text), Inode { metadata, kind }).expect("new")
        };
        let mut metadata = Metadata { uid: u32::MAX, gid: 7, mtime: time(-1, 5), ..Metadata::new(0o4755) };
        metadata.xattrs.insert(XattrName::new("user.a=b").expect("valid"), b"=-".as_slice().into());
        metadata.xattrs.insert(XattrName::new("user.empty").expect("valid"), b"".as_slice().into());
        let file = add(&mut tree, "f", metadata, Kind::Regular(b"-".to_vec()));
        let device = Device { major: 259, minor: 65537 };
        add(&mut tree, "b", Metadata::new(0o660), Kind::BlockDevice(device));
        let null = Device { major: 1, minor: 3 };
        add(&mut tree, "c", Metadata::new(0o666), Kind::CharacterDevice(null));
        let far = Metadata { mtime: time(i64::MIN, 999_999_999), ..Metadata::new(0o644) };
        add(&mut tree, "p", far, Kind::Fifo);
        add(&mut tree, "s", Metadata::new(0o755), Kind::Socket);
        let target = LinkTarget::new("../a b").expect("valid");
        add(&mut tree, "l", Metadata::new(0o777), Kind::Symlink(target));
        tree.link(InodeId::ROOT, name("z"), file).expect("new");

        let expected = r"/ 0 41777 3 0 0 0 0.0 - - -
/d 0 40755 2 0 0 0 0.0 - - -
/d/b 0 60660 1 0 0 268501761 0.0 - - -
/d/c 0 20666 1 0 0 259 0.0 - - -
/d/f 1 104755 2 4294967295 7 0 -1.5 - \x2d - user.a\x3db=\x3d- user.empty=
/d/l 6 120777 1 0 0 0 0.0 ../a\x20b - -
/d/p 0 10644 1 0 0 0 -9223372036854775808.999999999 - - -
/d/s 0 140755 1 0 0 0 0.0 - - -
/z 1 @104755 2 4294967295 7 0 -1.5 /d/f - -
";
        assert_eq!(text_of(&tree), expected);
    }

    #[test]
    fn bodies_of_another_length_are_rejected() {
        let mut tree = Bytes::new(Metadata::new(0o755));
        let file = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(b"abc".to_vec()) };
        tree.insert(InodeId::ROOT, name("f"), file).expect("new");
        let short = write(&tree, &mut Vec::new(), |_, _| Ok(Body::Inline(b"ab".as_slice().into())));
        let short = short.expect_err("two bytes are not three");
        assert_eq!(short.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(short.to_string(), "/f: 2 bytes were given for a file of 3 bytes");
        let unnamed = write(&tree, &mut Vec::new(), |_, _| Ok(Body::Payload(b"".as_slice().into())));
        assert_eq!(unnamed.expect_err("no path").kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn numbers_at_their_limits_are_written() {
        fn text<const BASE: u64>(number: u64) -> String {
            let mut out = Vec::new();
            push_number::<BASE>(&mut out, number);
            String::from_utf8(out).expect("digits")
        }
        for number in [0, 7, 8, 9, 10, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(text::<10>(number), format!("{number}"));
            assert_eq!(text::<8>(number), format!("{number:o}"));
        }
    }
}
