//! Emission of entries as pieces of the archive, at their offsets.

use image_tree::{Content, Kind, Tree};

use crate::Checksums;
use crate::error::Error;
use crate::layout::UnsupportedMetadata;
use crate::layout::{Layout, Piece, Record, Storage, Summary};
use crate::newc::{self, HEADER_LEN, Header, Magic, PATH_MAX, TRAILER, padding};
use crate::options::Options;
use crate::plan::entries::{Entries, Name};

/// The block size of readers of archives, in bytes; they look for the next archive after a block of
/// zeros.
const BLOCK: u64 = 512;

/// The archive under construction.
#[derive(Debug)]
pub(crate) struct Emit<'t, 'o, C> {
    bytes: Vec<u8>,
    pieces: Vec<Piece<'t, C>>,
    segments: Vec<Record>,
    /// The offset in `bytes` of the piece that is still growing.
    open: usize,
    /// The length of the archive so far.
    len: u64,
    align: u64,
    checksums: Option<&'o Checksums>,
    unaligned: u64,
}

/// The data of an entry.
#[derive(Debug)]
pub(crate) enum Body<'b, 't, C> {
    /// No data.
    Empty,
    /// The target of a symlink.
    Target(&'b [u8]),
    /// The bytes of a file: concatenated contents.
    Contents(&'b [&'t C]),
}

impl<'t, 'o, C: Content> Emit<'t, 'o, C> {
    /// Creates an empty archive. `align` is [`Options::align`].
    pub(crate) fn new(align: u64) -> Self {
        Self {
            bytes: Vec::new(),
            pieces: Vec::new(),
            segments: Vec::new(),
            open: 0,
            len: 0,
            align,
            checksums: None,
            unaligned: 0,
        }
    }

    /// Sets the checksums for all further headers, if there are any.
    pub(crate) fn sum_up(&mut self, checksums: Option<&'o Checksums>) {
        self.checksums = checksums;
    }

    /// The number of long files that were not aligned, because their names would have been too
    /// long.
    pub(crate) fn unaligned(&self) -> u64 {
        self.unaligned
    }

    /// Adds one name of the tree, with the data if the name is the last of the file.
    pub(crate) fn entry(&mut self, tree: &'t Tree<C>, entries: &Entries, name: &Name) -> Result<(), Error> {
        let mut header = header(tree, entries, name);
        if header.c_filesize > 0 {
            let sum = self.checksums.and_then(|checksums| checksums.get(name.id));
            // Targets of symlinks have no checksum.
            header.c_check = sum.unwrap_or(0);
        }
        match &tree.get(name.id).kind {
            Kind::Regular(content) if name.last => {
                let align = if content.len() < Options::ALIGNED_FROM { 1 } else { self.align };
                self.raw_entry(header, entries.path(name), &Body::Contents(&[content]), align)
            }
            Kind::Symlink(target) => {
                self.raw_entry(header, entries.path(name), &Body::Target(target.as_bytes()), 1)
            }
            _ => self.raw_entry(header, entries.path(name), &Body::Empty, 1),
        }
    }

    /// Adds an entry; the length of the name and the magic are added to the header. The data begins
    /// at a multiple of `align`, unless the padded name would be longer than `PATH_MAX`.
    pub(crate) fn raw_entry(
        &mut self,
        mut header: Header,
        path: &[u8],
        body: &Body<'_, 't, C>,
        align: u64,
    ) -> Result<(), Error> {
        let name_len = path.len() as u64 + 1;
        let body_at = self.len + HEADER_LEN as u64 + name_len;
        let body_at = body_at + padding(body_at);
        let mut more = body_at.next_multiple_of(align.max(1)) - body_at;
        if name_len + more > u64::from(PATH_MAX) {
            more = 0;
            self.unaligned += 1;
        }
        header.c_namesize = u32::try_from(name_len + more).expect("at most PATH_MAX");
        let before = self.bytes.len();
        header.write(if self.checksums.is_some() { Magic::Crc } else { Magic::Newc }, &mut self.bytes);
        self.bytes.extend(path);
        self.grow((self.bytes.len() - before) as u64)?;
        self.zeros_piece(more)?;
        self.zero_bytes(1)?;
        self.zero_bytes(padding(self.len))?;
        self.body(body)?;
        self.zero_bytes(padding(self.len))
    }

    /// Adds the entry that ends an archive.
    pub(crate) fn end_of_archive(&mut self) -> Result<(), Error> {
        self.raw_entry(Header::trailer(), TRAILER, &Body::Empty, 1)
    }

    /// Adds zeros, at least 4 of them, up to a multiple of 512: readers then look for another
    /// archive.
    pub(crate) fn pad_to_block(&mut self) -> Result<(), Error> {
        let least = newc::PADDED_TO;
        self.zero_bytes(least + (self.len + least).wrapping_neg() % BLOCK)
    }

    /// Ends a segment.
    pub(crate) fn close_segment(&mut self, storage: Storage) {
        self.close_piece();
        let (first, start) =
            self.segments.last().map_or((0, 0), |record| (record.pieces.end, record.range.end));
        let (pieces, range) = (first..self.pieces.len(), start..self.len);
        debug_assert!(start < self.len && self.len.is_multiple_of(newc::PADDED_TO));
        self.segments.push(Record { storage, pieces, range });
    }

    /// Returns the layout. Every segment must have been closed.
    pub(crate) fn finish(self, unsupported: Vec<UnsupportedMetadata>, summary: Summary) -> Layout<'t, C> {
        debug_assert_eq!(self.segments.last().map(|record| record.range.end), Some(self.len));
        let Self { bytes, pieces, segments, len, .. } = self;
        Layout { bytes, pieces, segments, unsupported, summary, len }
    }

    fn body(&mut self, body: &Body<'_, 't, C>) -> Result<(), Error> {
        match body {
            Body::Empty => Ok(()),
            Body::Target(target) => {
                self.bytes.extend(*target);
                self.grow(target.len() as u64)
            }
            Body::Contents(contents) => {
                for content in contents.iter().filter(|content| !content.is_empty()) {
                    self.close_piece();
                    self.pieces.push(Piece::Content(*content));
                    self.grow(content.len())?;
                }
                Ok(())
            }
        }
    }

    fn zero_bytes(&mut self, len: u64) -> Result<(), Error> {
        let short = usize::try_from(len).expect("padding fits in memory");
        self.bytes.resize(self.bytes.len() + short, 0);
        self.grow(len)
    }

    fn zeros_piece(&mut self, len: u64) -> Result<(), Error> {
        if len > 0 {
            self.close_piece();
            self.pieces.push(Piece::Zeros(len));
        }
        self.grow(len)
    }

    fn close_piece(&mut self) {
        if self.open < self.bytes.len() {
            self.pieces.push(Piece::Bytes(self.open..self.bytes.len()));
            self.open = self.bytes.len();
        }
    }

    fn grow(&mut self, by: u64) -> Result<(), Error> {
        // The limit is 64 KiB below the maximum, so that padding cannot overflow.
        let len = self.len.checked_add(by).filter(|len| *len < u64::MAX - (1 << 16));
        self.len = len.ok_or(Error::TooLong)?;
        Ok(())
    }
}

/// Returns the length of an entry without alignment of its data.
pub(crate) fn unaligned_len(path: &[u8], body_len: u64) -> u64 {
    let head = (HEADER_LEN + path.len() + 1) as u64;
    head + padding(head) + body_len + padding(body_len)
}

fn header<C: Content>(tree: &Tree<C>, entries: &Entries, name: &Name) -> Header {
    let inode = tree.get(name.id);
    let metadata = &inode.metadata;
    let narrow = |value: u64| u32::try_from(value).expect("what is larger was refused");
    let device = match inode.kind {
        Kind::CharacterDevice(device) | Kind::BlockDevice(device) => (device.major, device.minor),
        _ => (0, 0),
    };
    Header {
        c_ino: entries.number(name.id),
        c_mode: u32::from(inode.kind.type_bits() | metadata.mode),
        c_uid: metadata.uid,
        c_gid: metadata.gid,
        c_nlink: narrow(links(tree, entries, name)),
        c_mtime: u32::try_from(metadata.mtime.seconds()).expect("what is larger was refused"),
        c_filesize: narrow(entries.body_len(tree, name)),
        c_rdevmajor: device.0,
        c_rdevminor: device.1,
        ..Header::default()
    }
}

/// Returns `st_nlink`: a directory has its name, its `.` and the `..` of each subdirectory.
fn links<C: Content>(tree: &Tree<C>, entries: &Entries, name: &Name) -> u64 {
    match &tree.get(name.id).kind {
        Kind::Directory(children) => {
            let inner = children.values().filter(|id| matches!(tree.get(**id).kind, Kind::Directory(_)));
            2 + inner.count() as u64
        }
        _ => entries.name_count(name.id),
    }
}
