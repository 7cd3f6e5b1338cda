//! Checks of entries by the rules of `init/initramfs.c`.

use std::collections::BTreeMap;

use super::limits::Limits;
use super::names::{Names, NodeKind, Outcome};
use super::report::{Finding, Report, Rule};
use super::stream::{Stop, Stream};
use super::unpack::{Unpack, UnpackedFile};
use crate::Checksums;
use crate::KernelConfig;
use crate::newc::{
    HEADER_LEN, Header, Magic, NotAHeader, PATH_MAX, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT,
    S_IFREG, S_IFSOCK, TRAILER, padding,
};

/// The directory in which the kernel looks for microcode before unpacking anything.
const MICROCODE: &[u8] = b"kernel/x86/microcode/";

/// The state that the kernel would have after unpacking the entries so far, and the findings.
pub(super) struct Entries<'u> {
    pub(super) report: Report,
    names: Names,
    links: BTreeMap<LinkKey, Link>,
    /// The remaining memory for links, in bytes.
    links_room: usize,
    preserves_mtime: bool,
    /// True until the first compressed member: the kernel looks for microcode only before it.
    early: bool,
    into: &'u mut dyn Unpack,
}

/// `c_devmajor`, `c_devminor`, `c_ino`.
type LinkKey = (u32, u32, u32);

/// The state of a file with several names.
#[derive(Debug)]
struct Link {
    names: u32,
    c_nlink: u32,
    data: bool,
    place: (u64, Option<u64>),
    path: Vec<u8>,
}

/// An entry being read.
struct Entry {
    magic: Magic,
    header: Header,
    place: (u64, Option<u64>),
    path: Vec<u8>,
}

impl<'u> Entries<'u> {
    pub(super) fn new(kernel: &KernelConfig, limits: &Limits, into: &'u mut dyn Unpack) -> Self {
        Self {
            report: Report::default(),
            names: Names::new(limits.memory_bytes / 2),
            links: BTreeMap::new(),
            links_room: limits.memory_bytes / 2,
            preserves_mtime: kernel.preserves_mtime() != Some(false),
            early: true,
            into,
        }
    }

    /// Reads every entry of an unpacked member.
    pub(super) fn member(&mut self, stream: &mut Stream<'_>) -> Result<(), Stop> {
        self.early = false;
        while let Some(next) = stream.skip_zeros()? {
            let place = stream.place(stream.position());
            let digit = next == b'0';
            if !digit || !stream.position().is_multiple_of(4) {
                let what =
                    if digit { "an entry is not at a multiple of 4 bytes" } else { "there is no entry" };
                return self.stop(Rule::Junk, place, None, what.to_owned());
            }
            self.entry(stream)?;
        }
        Ok(())
    }

    /// Reads one entry, its padding included.
    pub(super) fn entry(&mut self, stream: &mut Stream<'_>) -> Result<(), Stop> {
        let start = stream.position();
        let place = stream.place(start);
        let bytes = stream.take(HEADER_LEN as u64)?;
        let Ok(bytes) = <[u8; HEADER_LEN]>::try_from(bytes) else {
            return self.cut_short(stream, place, None, "an entry's header");
        };
        let (magic, header) = match Header::parse(&bytes) {
            Ok(header) => header,
            Err(error) => return self.not_a_header(&bytes, error, stream, start),
        };
        let (name_len, body_len) = (u64::from(header.c_namesize), u64::from(header.c_filesize));
        if !(1..=PATH_MAX).contains(&header.c_namesize) {
            let detail = format!("c_namesize is {name_len}, outside 1 to {PATH_MAX}");
            self.found(Rule::NameLength, place, None, detail);
            let len = name_len + padding(HEADER_LEN as u64 + name_len) + body_len + padding(body_len);
            return self.rest(stream, len, place, None);
        }
        let mut path = stream.take(name_len)?;
        if (path.len() as u64) < name_len {
            return self.cut_short(stream, place, None, "an entry's name");
        }
        if path.last() != Some(&0) {
            let detail = "the last of c_namesize bytes is not NUL".to_owned();
            return self.stop(Rule::NameEnd, place, Some(path), detail);
        }
        path.truncate(path.iter().position(|byte| *byte == 0).unwrap_or(0));
        self.rest(stream, padding(stream.position()), place, Some(&path))?;
        if path == TRAILER {
            self.end_of_archive();
            return self.rest(stream, body_len + padding(body_len), place, Some(&path));
        }
        self.report.entries += 1;
        self.named(stream, &Entry { magic, header, place, path })
    }

    /// Adds the findings that are known only at the end.
    pub(super) fn finish(&mut self) {
        self.end_of_archive();
        if !self.names.has_file(b"init") {
            let detail = "there is no /init, so the kernel goes on to look for a root filesystem, unless rdinit= \
                          on its command line names another program";
            self.found(Rule::Init, (0, None), None, detail.to_owned());
        }
    }

    /// Adds a finding with the severity of its rule.
    pub(super) fn found(
        &mut self,
        rule: Rule,
        (offset, unpacked_offset): (u64, Option<u64>),
        path: Option<Vec<u8>>,
        detail: String,
    ) {
        let severity = rule.severity();
        self.report.add(Finding { rule, severity, offset, unpacked_offset, path, detail });
    }

    /// Adds a finding after which nothing more can be checked.
    pub(super) fn stop<T>(
        &mut self,
        rule: Rule,
        place: (u64, Option<u64>),
        path: Option<Vec<u8>>,
        detail: String,
    ) -> Result<T, Stop> {
        self.found(rule, place, path, detail);
        Err(Stop::Found)
    }

    /// Reads the part of an entry after its name.
    fn named(&mut self, stream: &mut Stream<'_>, entry: &Entry) -> Result<(), Stop> {
        self.check_name(entry);
        let len = u64::from(entry.header.c_filesize);
        match entry.header.c_mode & S_IFMT {
            S_IFLNK => self.symlink(stream, entry)?,
            S_IFREG => self.regular(stream, entry)?,
            kind => {
                self.other(entry, kind);
                self.rest(stream, len, entry.place, Some(&entry.path))?;
            }
        }
        self.rest(stream, padding(len), entry.place, Some(&entry.path))
    }

    fn regular(&mut self, stream: &mut Stream<'_>, entry: &Entry) -> Result<(), Stop> {
        let exists = self.make(entry, NodeKind::File);
        self.link(entry);
        if exists {
            self.unpack(entry, None);
        }
        let into = &mut *self.into;
        let (mut sum, len) = (0, u64::from(entry.header.c_filesize));
        let sums = entry.magic == Magic::Crc;
        let whole = stream.pass(len, |bytes| {
            if sums {
                sum = Checksums::add(sum, bytes);
            }
            if exists {
                into.data(bytes);
            }
        })?;
        if exists && whole {
            self.into.end();
        }
        if !whole {
            return self.cut_short(stream, entry.place, Some(&entry.path), "an entry's data");
        }
        let c_check = entry.header.c_check;
        if sums && sum != c_check {
            let detail = format!("c_check is {c_check:08X}, the sum of the data is {sum:08X}");
            return self.stop(Rule::Checksum, entry.place, Some(entry.path.clone()), detail);
        }
        Ok(())
    }

    fn symlink(&mut self, stream: &mut Stream<'_>, entry: &Entry) -> Result<(), Stop> {
        let len = u64::from(entry.header.c_filesize);
        let limit = u64::from(PATH_MAX) - 1;
        if !(1..=limit).contains(&len) {
            let detail = format!("the target has {len} bytes, outside 1 to {limit}");
            self.found(Rule::SymlinkTarget, entry.place, Some(entry.path.clone()), detail);
            return self.rest(stream, len, entry.place, Some(&entry.path));
        }
        let target = stream.take(len)?;
        if (target.len() as u64) < len {
            return self.cut_short(stream, entry.place, Some(&entry.path), "a symlink's target");
        }
        let end = target.iter().position(|byte| *byte == 0);
        if let Some(end) = end {
            let detail = format!("the target ends at its byte {end}, a NUL");
            self.found(Rule::SymlinkTarget, entry.place, Some(entry.path.clone()), detail);
        }
        let target = &target[..end.unwrap_or(target.len())];
        if self.make(entry, NodeKind::Symlink(target.into())) {
            self.unpack(entry, Some(target));
        }
        Ok(())
    }

    fn other(&mut self, entry: &Entry, kind: u32) {
        let what = match kind {
            S_IFDIR => NodeKind::Directory,
            S_IFCHR | S_IFBLK | S_IFIFO | S_IFSOCK => NodeKind::File,
            _ => {
                let detail = format!("c_mode {:o} is not of a known file type", entry.header.c_mode);
                return self.found(Rule::FileType, entry.place, Some(entry.path.clone()), detail);
            }
        };
        if entry.header.c_filesize > 0 {
            let detail =
                format!("c_filesize is {}, and only files and symlinks have data", entry.header.c_filesize);
            return self.found(Rule::Data, entry.place, Some(entry.path.clone()), detail);
        }
        if self.make(entry, what) {
            self.unpack(entry, None);
        }
    }

    /// Passes on a file that the kernel creates.
    fn unpack(&mut self, entry: &Entry, target: Option<&[u8]>) {
        let Header { c_ino, c_devmajor, c_devminor, c_nlink, c_filesize, c_mode, .. } = entry.header;
        let is_regular = c_mode & S_IFMT == S_IFREG;
        self.into.file(&UnpackedFile {
            path: &entry.path,
            mode: c_mode,
            target,
            len: if is_regular { c_filesize.into() } else { 0 },
            link: (is_regular && c_nlink > 1).then_some((c_devmajor, c_devminor, c_ino)),
        });
    }

    fn check_name(&mut self, entry: &Entry) {
        if entry.path.split(|byte| *byte == b'/').any(|name| name == b"..") {
            let detail = "the path has a component \"..\"".to_owned();
            self.found(Rule::NameDotDot, entry.place, Some(entry.path.clone()), detail);
        }
        if entry.path.starts_with(MICROCODE) && !self.early {
            let detail = "the kernel looks for microcode only before the first compressed member".to_owned();
            self.found(Rule::Microcode, entry.place, Some(entry.path.clone()), detail);
        }
        if !self.preserves_mtime && entry.header.c_mtime > 0 {
            // Report it only once.
            self.preserves_mtime = true;
            let detail =
                "files get the time of the boot, as the kernel lacks CONFIG_INITRAMFS_PRESERVE_MTIME";
            self.found(Rule::Mtime, entry.place, Some(entry.path.clone()), detail.to_owned());
        }
    }

    /// Creates a file in the tree of names. Returns false if the kernel omits it.
    fn make(&mut self, entry: &Entry, what: NodeKind) -> bool {
        let outcome = self.names.make(&entry.path, what);
        let (rule, detail) = match outcome {
            Outcome::New | Outcome::Untracked => return true,
            Outcome::Replaced => {
                (Rule::Duplicate, "an earlier entry has the same path, and this one replaces it")
            }
            Outcome::NoParent => (Rule::Parent, "its directory does not precede it, so it is omitted"),
            Outcome::FullDirectory => {
                (Rule::FullDirectory, "the path is a directory that is not empty, so the entry is omitted")
            }
            Outcome::LongName => (Rule::NameLength, "a component has more than 255 bytes, so it is omitted"),
        };
        self.found(rule, entry.place, Some(entry.path.clone()), detail.to_owned());
        rule == Rule::Duplicate
    }

    /// Counts a name of a file that has several.
    fn link(&mut self, entry: &Entry) {
        /// The approximate memory of a link in addition to its path, in bytes.
        const LINK: usize = 128;
        let Header { c_ino, c_devmajor, c_devminor, c_nlink, c_filesize, .. } = entry.header;
        if c_nlink < 2 {
            return;
        }
        let key = (c_devmajor, c_devminor, c_ino);
        if !self.links.contains_key(&key) {
            let Some(room) = self.links_room.checked_sub(LINK + entry.path.len()) else { return };
            self.links_room = room;
        }
        let link = self.links.entry(key).or_insert_with(|| Link {
            names: 0,
            c_nlink,
            data: false,
            place: entry.place,
            path: entry.path.clone(),
        });
        link.names = link.names.saturating_add(1);
        link.data |= c_filesize > 0;
    }

    /// Ends an archive, after which the kernel no longer tracks hard links.
    fn end_of_archive(&mut self) {
        for link in std::mem::take(&mut self.links).into_values() {
            if link.names < link.c_nlink && !link.data {
                let detail = format!(
                    "{} of {} names of the file came before the end of the archive, and none has data",
                    link.names, link.c_nlink
                );
                self.found(Rule::HardLink, link.place, Some(link.path), detail);
            }
        }
    }

    /// Skips bytes that must exist.
    fn rest(
        &mut self,
        stream: &mut Stream<'_>,
        len: u64,
        place: (u64, Option<u64>),
        path: Option<&[u8]>,
    ) -> Result<(), Stop> {
        if stream.pass(len, |_| {})? {
            return Ok(());
        }
        self.cut_short(stream, place, path, "an entry with its padding")
    }

    fn cut_short(
        &mut self,
        stream: &Stream<'_>,
        place: (u64, Option<u64>),
        path: Option<&[u8]>,
        what: &str,
    ) -> Result<(), Stop> {
        let path = path.map(<[u8]>::to_vec);
        if stream.is_unpacked() {
            let detail = format!("{what} continues after the end of the compressed member");
            return self.stop(Rule::MemberEnd, place, path, detail);
        }
        self.stop(Rule::Truncated, place, path, format!("{what} continues after the end of the initramfs"))
    }

    fn not_a_header(
        &mut self,
        bytes: &[u8; HEADER_LEN],
        error: NotAHeader,
        stream: &Stream<'_>,
        start: u64,
    ) -> Result<(), Stop> {
        match error {
            NotAHeader::Magic if bytes.starts_with(b"070707") => {
                let detail = "the magic is of the old format, 070707; cpio makes the right one with -H newc";
                self.stop(Rule::CpioMagic, stream.place(start), None, detail.to_owned())
            }
            NotAHeader::Magic => {
                let magic = bytes[..6].escape_ascii();
                let detail = format!("\"{magic}\" is not the magic of an entry, 070701 or 070702");
                self.stop(Rule::CpioMagic, stream.place(start), None, detail)
            }
            NotAHeader::Digit(at) => {
                let detail = format!("byte {at} of a header is not a hexadecimal digit");
                self.stop(Rule::Digits, stream.place(start + at as u64), None, detail)
            }
        }
    }
}
