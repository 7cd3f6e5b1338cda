//! The part of a checked initramfs that decides if its `/init` starts.
//!
//! The archive is read once, as a stream, so not all of its bytes can be kept. Of programs and
//! libraries the parsed headers are kept, of dynamic linkers and their configuration all bytes.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use image_tree::path::{base_name, parent};
use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Inode, InodeId, Kind, LinkTarget, Metadata, Name, Tree};
use initramfs::check::{Unpack, UnpackedFile};

use crate::closure::elf::{Elf, Malformed, Parsed, ReadError};
use crate::closure::exec::{self, Failure, Kernel};
use crate::closure::{Error, Result, Search};

/// The maximum length in bytes of a program or library that is parsed.
const MAX_PROGRAM: u64 = 64 << 20;
/// The number of bytes that are read of a longer one, which suffice for the kernel.
const HEAD_OF_PROGRAM: u64 = 64 << 10;
/// The maximum length in bytes of a dynamic linker, or of a file of its configuration.
const MAX_WHOLE: u64 = 8 << 20;
/// The first bytes of a program or library.
const ELF: &[u8] = b"\x7fELF";
/// The number of bytes kept of other files, as the kernel reads them of a script.
const HEAD: usize = 256;
/// The maximum number of bytes that are kept, after which no more is known.
const MAX_HELD: u64 = 128 << 20;
/// The approximate number of bytes that a file takes in addition to its path.
const FILE: u64 = 300;

/// The files of an initramfs, with the bytes that are needed to start programs.
pub(super) struct Unpacked {
    tree: Tree<Kept>,
    parsed: BTreeMap<InodeId, Parsed>,
    /// The inodes of files with several names.
    links: BTreeMap<(u32, u32, u32), InodeId>,
    /// The regular file that is being read.
    current: Option<Current>,
    held: u64,
}

struct Current {
    id: InodeId,
    len: u64,
    /// The maximum number of bytes that are kept.
    wanted: u64,
    /// True if all bytes are kept at the end.
    is_whole: bool,
    bytes: Vec<u8>,
}

/// The bytes of a file, as far as they are kept.
struct Kept {
    len: u64,
    /// Ranges by their offset.
    pieces: Vec<(u64, Box<[u8]>)>,
}

/// The error of reading bytes that are not kept: nothing is known about what depends on them.
#[derive(Debug, thiserror::Error)]
#[error("this part of the initramfs is not kept")]
struct NotKept;

impl Content for Kept {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let found = self.pieces.iter().find_map(|(start, piece)| {
            let from = usize::try_from(offset.checked_sub(*start)?).ok()?;
            piece.get(from..from.checked_add(buffer.len())?)
        });
        let found = found.ok_or_else(|| io::Error::other(NotKept))?;
        buffer.copy_from_slice(found);
        Ok(())
    }
}

impl Unpacked {
    pub(super) fn new() -> Self {
        Self {
            tree: Tree::new(Metadata::new(0o755)),
            parsed: BTreeMap::new(),
            links: BTreeMap::new(),
            current: None,
            held: 0,
        }
    }

    /// Returns the reason why `/init` would not run; `None` if there is no `/init`, nothing speaks
    /// against it, or it depends on more than is kept of the initramfs.
    ///
    /// # Errors
    /// Returns an error if the search exceeds its limits.
    pub(super) fn failure(self, kernel: &Kernel) -> Result<Option<Failure>> {
        if self.held > MAX_HELD || self.tree.resolve_no_symlinks(exec::INIT).is_none() {
            return Ok(None);
        }
        match exec::failure(&mut Search::with_parsed(&self.tree, self.parsed), kernel) {
            Err(Error::Read(error)) if error.get_ref().is_some_and(|error| error.is::<NotKept>()) => Ok(None),
            found => found,
        }
    }

    /// Creates a file, or finds the one of which this is another name. Returns `None` for what the
    /// kernel does not create.
    fn create(&mut self, file: &UnpackedFile<'_>) -> Option<InodeId> {
        const DIRECTORY: u32 = 0o040_000;
        const TYPE: u32 = 0o170_000;
        let path = [b"/", file.path].concat();
        let directory = resolve_in_root(&self.tree, parent(&path))?;
        let name = Name::new(base_name(&path)).ok()?;
        let metadata = Metadata::new(u16::try_from(file.mode & 0o7777).ok()?);
        let is_directory = file.mode & TYPE == DIRECTORY;
        if let Some(there) = self.tree.lookup(directory, name.as_bytes()) {
            if is_directory && self.tree.entries(there).is_some() {
                *self.tree.metadata_mut(there) = metadata;
                return Some(there);
            }
            self.tree.remove(directory, name.as_bytes());
        }
        if let Some(first) = file.link.and_then(|link| self.links.get(&link)).copied() {
            self.tree.link(directory, name, first).ok()?;
            *self.tree.metadata_mut(first) = metadata;
            return Some(first);
        }
        let kind = match (file.target, is_directory) {
            (Some(target), _) => Kind::Symlink(LinkTarget::new(target).ok()?),
            (None, true) => Inode::<Kept>::directory(metadata.clone()).kind,
            (None, false) if file.mode & TYPE == 0o100_000 => {
                Kind::Regular(Kept { len: file.len, pieces: Vec::new() })
            }
            (None, false) => Kind::Fifo,
        };
        let id = self.tree.insert(directory, name, Inode { metadata, kind }).ok()?;
        if let Some(link) = file.link {
            self.links.insert(link, id);
        }
        Some(id)
    }
}

impl Unpack for Unpacked {
    fn file(&mut self, file: &UnpackedFile<'_>) {
        self.current = None;
        self.held = self.held.saturating_add(file.path.len() as u64 + FILE);
        if self.held > MAX_HELD {
            return;
        }
        let Some(id) = self.create(file) else { return };
        if !matches!(self.tree.get(id).kind, Kind::Regular(_)) || (file.link.is_some() && file.len == 0) {
            return;
        }
        let name = base_name(file.path);
        let is_linker = [&b"ld-"[..], b"ld64.so", b"ld.so"].iter().any(|start| name.starts_with(start));
        let is_configuration = [&b"etc/ld.so."[..], b"etc/ld-musl-"]
            .iter()
            .any(|start| file.path.strip_prefix(b"./").unwrap_or(file.path).starts_with(start))
            || name.ends_with(b".conf");
        let is_program = file.mode & 0o111 != 0 || name.windows(3).any(|part| part == b".so");
        let is_whole = (is_linker || is_configuration) && file.len <= MAX_WHOLE;
        let wanted = match is_program {
            _ if is_whole => file.len,
            true if file.len <= MAX_PROGRAM => file.len,
            true => HEAD_OF_PROGRAM,
            false => HEAD as u64,
        };
        self.current = Some(Current { id, len: file.len, wanted, is_whole, bytes: Vec::new() });
    }

    fn data(&mut self, bytes: &[u8]) {
        let Some(current) = &mut self.current else { return };
        if current.bytes.is_empty() && !bytes.starts_with(ELF) && !current.is_whole {
            current.wanted = current.wanted.min(HEAD as u64);
        }
        let room = current.wanted.saturating_sub(current.bytes.len() as u64);
        let taken = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        current.bytes.extend_from_slice(&bytes[..taken]);
    }

    fn end(&mut self) {
        let Some(Current { id, len, is_whole, bytes, .. }) = self.current.take() else { return };
        // Of a program that is not read to its end, the libraries are not known.
        let parsed = match bytes.len() as u64 == len {
            true => Some(parse(&bytes)),
            false if bytes.starts_with(ELF) => None,
            false => Some(Err(Malformed::NotElf)),
        };
        let mut pieces: Vec<(u64, Box<[u8]>)> = Vec::new();
        if is_whole {
            pieces.push((0, bytes.into()));
        } else {
            for range in exec::record(&bytes) {
                let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
                if let Some((start, piece)) =
                    range.and_then(|(start, end)| Some((start, bytes.get(start..end)?)))
                {
                    pieces.push((start as u64, piece.into()));
                }
            }
            pieces.push((0, bytes[..bytes.len().min(HEAD)].into()));
        }
        let held: usize = pieces.iter().map(|(_, piece)| piece.len()).sum();
        let held_of_elf = parsed.as_ref().and_then(|parsed| parsed.as_ref().ok()).map_or(0, |elf| elf.held());
        self.held = self.held.saturating_add(held as u64 + held_of_elf);
        match parsed {
            Some(parsed) => _ = self.parsed.insert(id, parsed),
            None => _ = self.parsed.remove(&id),
        }
        // Both are regular files.
        let _ = self.tree.replace_kind(id, Kind::Regular(Kept { len, pieces }));
    }
}

/// Parses a file, without the notes, which do not affect its start.
fn parse(bytes: &[u8]) -> Parsed {
    match Elf::read(bytes) {
        Ok(mut elf) => {
            elf.notes = Vec::new();
            Ok(Arc::new(elf))
        }
        Err(ReadError::Malformed(malformed)) => Err(malformed),
        // Bytes in memory can be read.
        Err(ReadError::Io(_)) => Err(Malformed::NotElf),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::elf::Abi;
    use crate::closure::testing::build::Build;

    fn unpack(files: &[(&str, u32, &[u8])]) -> Unpacked {
        let mut unpacked = Unpacked::new();
        for (path, mode, bytes) in files {
            let is_link = mode & 0o170_000 == 0o120_000;
            let target = is_link.then_some(*bytes);
            let len = if is_link { 0 } else { bytes.len() as u64 };
            unpacked.file(&UnpackedFile::new(path.as_bytes(), *mode, target, len));
            if !is_link {
                bytes.chunks(7.max(bytes.len() / 1000)).for_each(|chunk| unpacked.data(chunk));
                unpacked.end();
            }
        }
        unpacked
    }

    fn failure(files: &[(&str, u32, &[u8])]) -> Option<String> {
        let failure = unpack(files).failure(&Kernel::default()).expect("memory can be read");
        failure.map(|failure| failure.to_string())
    }

    #[test]
    fn the_program_its_dynamic_linker_and_its_libraries_are_kept() {
        let program = Build::program().needs("libz.so").bytes();
        let library = Build::new().bytes();
        let mut linker = Build::new().bytes();
        linker.extend(b"\0/odd/lib/\0\0");
        let directory = 0o040_755;
        let mut files: Vec<(&str, u32, &[u8])> = vec![
            ("lib64", directory, b""),
            ("odd", directory, b""),
            ("odd/lib", directory, b""),
            ("init", 0o120_777, b"odd/program"),
            ("odd/program", 0o100_755, &program),
            ("lib64/ld-linux-x86-64.so.2", 0o100_755, &linker),
        ];
        let missing = failure(&files).expect("a library is missing");
        assert!(
            missing.contains("libz.so, needed by /odd/program: it is not in any of /odd/lib"),
            "{missing}"
        );
        files.push(("odd/lib/libz.so", 0o100_644, &library));
        assert_eq!(failure(&files), None);
        // It is replaced by one that is empty.
        files.push(("odd/program", 0o100_755, b""));
        let empty = failure(&files).expect("it is empty");
        assert!(
            empty.contains("it is empty; the kernel reports \"Failed to execute /init (error -8)\""),
            "{empty}"
        );
        assert_eq!(failure(&[("sbin", directory, b"")]), None);
    }

    #[test]
    fn programs_that_are_too_long_to_be_kept_are_known_to_the_kernel_only() {
        let long = |build: Build| {
            let mut bytes = build.bytes();
            bytes.resize(usize::try_from(MAX_PROGRAM).expect("it fits") + 1, 0);
            bytes
        };
        let init = long(Build { interpreter: None, ..Build::new() });
        assert_eq!(failure(&[("init", 0o100_755, &init)]), None);
        let arm = Kernel { abis: Some(vec![Abi { class: 2, data: 1, machine: 183 }]), lacks_scripts: false };
        let refused = unpack(&[("init", 0o100_755, &init)]).failure(&arm).expect("memory can be read");
        let refused = refused.expect("it is for another machine").to_string();
        assert!(
            refused.contains("it is a program for x86-64, which the kernel does not execute"),
            "{refused}"
        );
        // The libraries of such a program are not known, and neither is a library that is so long.
        let mut linker = Build::new().bytes();
        linker.extend(b"\0/lib/\0\0");
        let (program, library) = (Build::program().needs("libz.so").bytes(), long(Build::new()));
        let mut files: Vec<(&str, u32, &[u8])> = vec![
            ("lib", 0o040_755, b""),
            ("lib64", 0o040_755, b""),
            ("lib64/ld-linux-x86-64.so.2", 0o100_755, &linker),
            ("init", 0o100_755, &program),
        ];
        assert!(failure(&files).expect("a library is missing").contains("libz.so, needed by /init"));
        files.push(("lib/libz.so", 0o100_644, &library));
        assert_eq!(failure(&files), None);
        let long_program = long(Build::program().needs("gone.so"));
        files[3].2 = &long_program;
        assert_eq!(failure(&files), None);
        files.remove(2);
        let missing = failure(&files).expect("the dynamic linker is missing");
        assert!(
            missing.contains("its dynamic linker /lib64/ld-linux-x86-64.so.2: it does not exist"),
            "{missing}"
        );
    }

    /// Returns the file at a path.
    fn at(unpacked: &Unpacked, path: &str) -> InodeId {
        unpacked.tree.resolve_no_symlinks(path.as_bytes()).expect("it exists")
    }

    /// Returns the length of the longest piece that is kept of a file.
    fn kept(unpacked: &Unpacked, path: &str) -> usize {
        match &unpacked.tree.get(at(unpacked, path)).kind {
            Kind::Regular(Kept { pieces, .. }) => {
                pieces.iter().map(|(_, piece)| piece.len()).max().unwrap_or(0)
            }
            _ => panic!("{path} is not a regular file"),
        }
    }

    #[test]
    fn configuration_and_linkers_are_kept_whole_and_of_the_rest_the_start() {
        let text = [b'x'; 1000];
        let directories = ["etc", "usr"].map(|path| (path, 0o040_755, &b""[..]));
        let whole =
            ["etc/ld.so.preload", "./etc/ld-musl-x86_64.path", "usr/x.conf", "usr/ld.so", "usr/ld64.so.2"];
        let starts = ["usr/ld.preload", "usr/text", "usr/libx.so", "usr/program"];
        let files = [&whole[..], &starts[..]].concat();
        let files = files.into_iter().map(|path| {
            let mode = if path.ends_with("program") { 0o100_755 } else { 0o100_644 };
            (path, mode, &text[..])
        });
        let files: Vec<(&str, u32, &[u8])> = directories.into_iter().chain(files).collect();
        let unpacked = unpack(&files);
        for path in whole {
            assert_eq!(kept(&unpacked, path.trim_start_matches('.')), 1000, "{path}");
        }
        for path in starts {
            assert_eq!(kept(&unpacked, &format!("/{path}")), HEAD, "{path}");
        }
    }

    #[test]
    fn programs_are_those_that_may_be_executed_and_libraries() {
        let program = Build::new().bytes();
        let padded = [&program[..], &[0; 1000]].concat();
        let unpacked = unpack(&[
            ("program", 0o100_755, &padded),
            ("libz.so.1", 0o100_644, &padded),
            ("data", 0o100_644, &padded),
        ]);
        let is_parsed = |path: &str| unpacked.parsed.get(&at(&unpacked, path)).map(Parsed::is_ok);
        assert_eq!(is_parsed("/program"), Some(true));
        assert_eq!(is_parsed("/libz.so.1"), Some(true));
        // Its end is not read, so nothing is known.
        assert_eq!(is_parsed("/data"), None);
    }

    #[test]
    fn names_of_one_file_have_the_bytes_and_the_mode_that_were_last() {
        let program = Build::new().bytes();
        let padded = [&program[..], &[0; 1000]].concat();
        let mut unpacked = Unpacked::new();
        let mut name = |path: &str, mode: u32, bytes: &[u8]| {
            let mut file = UnpackedFile::new(path.as_bytes(), mode, None, bytes.len() as u64);
            file.link = Some((0, 1, 7));
            unpacked.file(&file);
            unpacked.data(bytes);
            unpacked.end();
            let parsed = unpacked.parsed.get(&at(&unpacked, "/one")).map(Parsed::is_ok);
            let mode = unpacked.tree.get(at(&unpacked, "/one")).metadata.mode;
            (at(&unpacked, "/one") == at(&unpacked, &format!("/{path}")), mode, parsed)
        };
        assert_eq!(name("one", 0o100_755, &program), (true, 0o755, Some(true)));
        // An entry without bytes is another name only.
        assert_eq!(name("two", 0o100_711, b""), (true, 0o711, Some(true)));
        // The end of these bytes is not read, so nothing is known any more.
        assert_eq!(name("three", 0o100_644, &padded), (true, 0o644, None));
        assert_eq!(kept(&unpacked, "/two"), kept(&unpacked, "/three"));
    }

    #[test]
    fn a_directory_that_is_listed_again_keeps_its_files() {
        let directory = 0o040_755;
        let unpacked = unpack(&[("d", directory, b""), ("d/file", 0o100_644, b"x"), ("d", 0o040_700, b"")]);
        assert_eq!(kept(&unpacked, "/d/file"), 1);
        assert_eq!(unpacked.tree.get(at(&unpacked, "/d")).metadata.mode, 0o700);
        let replaced = unpack(&[("d", directory, b""), ("d/file", 0o100_644, b"x"), ("d", 0o100_644, b"")]);
        assert!(replaced.tree.resolve_no_symlinks(b"/d/file").is_none());
    }

    #[test]
    fn more_than_is_kept_is_not_judged() {
        let files: [(&str, u32, &[u8]); 1] = [("init", 0o100_755, b"12345")];
        let mut unpacked = unpack(&files);
        // The header that the kernel reads, and the start.
        assert_eq!(unpacked.held, 4 + FILE + 5 + 5);
        unpacked.held = MAX_HELD + 1;
        assert_eq!(unpacked.failure(&Kernel::default()).expect("memory can be read"), None);
        let mut unpacked = unpack(&files);
        unpacked.held = MAX_HELD - FILE - 3;
        unpacked.file(&UnpackedFile::new(b"add", 0o100_755, None, 0));
        assert_eq!(unpacked.held, MAX_HELD);
        unpacked.file(&UnpackedFile::new(b"bad", 0o100_755, None, 0));
        let is_there = |path: &[u8]| unpacked.tree.resolve_no_symlinks(path).is_some();
        assert!(is_there(b"/add") && !is_there(b"/bad"));
    }
}
