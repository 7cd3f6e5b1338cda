//! Sources of trees: recognizes the kind of what the user names, and reads it.

pub mod container;
pub mod directory;
pub mod dump;
pub mod foreign;
pub mod module_directory;
mod options;
pub mod package;
pub mod tar;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, IsTerminal as _, Read, Seek};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::blob::SpoolMemory;
use image_tree::Timestamp;

use crate::accounts::Accounts;
use crate::error::{Error, ErrorKind, Result};
use crate::shown;
use crate::stack::{Rules, Stack};

use container::{Container, Reference};
use directory::Scanned;
use package::deb::files::{self, PackageFile, PackageTree, PathFilter, UnknownOwner};
use package::deb::spec::Spec;
use tar::{Compression, SpoolPlace};

pub use options::ReadOptions;

/// A source that a tree can be read from.
pub enum Source {
    /// A directory of the host.
    Directory(PathBuf),
    /// An image of containers.
    Container(Reference),
    /// The file of a Debian package.
    Package(PathBuf),
    /// The release of a distribution, whose packages are selected and fetched before.
    Release(Spec),
    /// The text of a tree.
    Dump {
        /// The text, from its first byte on.
        text: Box<dyn BufRead>,
        /// Its name in messages.
        name: PathBuf,
        /// The directory beneath which the files that it names by path are found.
        basedir: PathBuf,
    },
    /// An uncompressed tar archive in a regular file, which is read in place.
    Tar {
        /// The archive, which is not compressed.
        file: File,
        /// Its name in messages.
        name: PathBuf,
    },
    /// A tar archive that is compressed or read from a pipe.
    TarStream {
        /// The archive, from its first byte on.
        stream: Box<dyn BufRead>,
        /// Its compression, if it has one.
        compression: Option<Compression>,
        /// Its name in messages.
        name: PathBuf,
    },
}

/// The contents of a source.
pub enum Contents<'a> {
    /// A whole tree, with the facts about it that only the host has.
    Tree(Scanned),
    /// The tree of an image, with the facts about the image.
    Container(Box<Container>),
    /// The tree of packages, whose owners are settled.
    Packages(Box<PackageTree>),
    /// Members, which are read while they are added to a tree.
    Members(Box<tar::Reader<'a>>),
}

/// The start of a dump: that of the root directory's line.
const DUMP_START: &[u8] = b"/ ";

/// All supported kinds of sources, for messages.
const SUPPORTED: &str = "a directory, a tar archive (plain, gzip, zstd, xz, lzma, bzip2 or lz4), an image (oci:DIR, oci-archive:FILE, \
                         docker-archive:FILE or dir:DIR), a release (debian:SUITE, ubuntu:SUITE or deb:SUITE), a Debian package, or a composefs dump, whose text begins with \"/ \" (- reads an archive \
                         or a dump from standard input)";

impl Source {
    /// Recognizes the kind of source at `path` by its contents; `-` is standard input.
    ///
    /// `basedir` is the directory of a dump's files. It defaults to the dump's own directory, and
    /// to the current one for standard input.
    ///
    /// # Errors
    /// If there is nothing at the path, or it is not a supported source.
    pub fn at(path: &OsStr, basedir: Option<&Path>) -> Result<Self> {
        if path == "-" {
            refuse_terminal()?;
            let here = basedir.unwrap_or(Path::new("."));
            return Self::of_stream(Box::new(io::stdin()), Path::new("standard input"), here);
        }
        if let Some(reference) = Reference::parse(path)? {
            return Ok(Self::Container(reference));
        }
        if let Some(spec) = Spec::parse(path).map_err(|what| Error::new(ErrorKind::Usage, what))? {
            return Ok(Self::Release(spec));
        }
        Self::at_path(Path::new(path), basedir)
    }

    /// Recognizes the kind of source at a path by its contents, whatever the path is. `basedir` is
    /// that of [`at`](Self::at).
    ///
    /// # Errors
    /// As [`at`](Self::at).
    pub fn at_path(path: &Path, basedir: Option<&Path>) -> Result<Self> {
        if path.as_os_str().is_empty() {
            return Err(Error::new(ErrorKind::Io, "the source is an empty path"));
        }
        let kind = match fs::metadata(path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(match foreign::remote_hint(path.as_os_str()) {
                    Some(hint) => Error::at(ErrorKind::Io, path, format!("{error}; {hint}")),
                    None => Error::io(path, error),
                });
            }
            Err(error) => return Err(Error::io(path, error)),
        };
        if kind.is_dir() {
            return Ok(Self::Directory(path.to_owned()));
        }
        if kind.is_char_device() {
            let what = format!("is a character device, which need not end; a source is {SUPPORTED}");
            return Err(Error::at(ErrorKind::BadInput, path, what));
        }
        if !kind.is_file() && !kind.is_fifo() {
            return Err(Error::at(
                ErrorKind::BadInput,
                path,
                format!("is not a file; a source is {SUPPORTED}"),
            ));
        }
        // The parent of a lone name is the empty path, which names no directory.
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        if kind.is_file() {
            let start = start_of(&file).and_then(|start| (&file).rewind().map(|()| start));
            let start = start.map_err(|error| Error::io(path, error))?;
            // Tools that write layers of images write an archive of nothing without its end. From a
            // pipe it is more often what is left of a program that failed.
            if start.is_empty() || is_tar(&start) {
                return Ok(Self::Tar { file, name: path.to_owned() });
            }
            if files::is_package(&start) {
                return Ok(Self::Package(path.to_owned()));
            }
        }
        Self::of_stream(Box::new(file), path, basedir.unwrap_or(parent))
    }

    fn of_stream(mut reader: Box<dyn Read>, name: &Path, basedir: &Path) -> Result<Self> {
        let start = start_of(&mut reader).map_err(|error| Error::io(name, error))?;
        let (is_dump, is_tar) = (start.starts_with(DUMP_START), is_tar(&start));
        let compression = Compression::of(&start);
        let refuse = |what: String| Err(Error::at(ErrorKind::BadInput, name, what));
        if let (Some(compression), false) = (compression, is_tar) {
            let unpacked = compression.decompress_start(&start, foreign::PEEK);
            if let Some(named) = foreign::identify(&unpacked).filter(|_| !is_start_of_tar(&unpacked)) {
                return refuse(format!("is compressed with {}, and in it is {named}", compression.name()));
            }
            if unpacked.len() >= TAR_HEADER && !is_start_of_tar(&unpacked) {
                let name = compression.name();
                return refuse(format!(
                    "is compressed with {name}, and not a tar archive is in it; a source is {SUPPORTED}"
                ));
            }
        }
        let named = foreign::identify(&start);
        let stream = Box::new(BufReader::with_capacity(1 << 17, Cursor::new(start).chain(reader)));
        if is_tar || compression.is_some() {
            Ok(Self::TarStream { stream, compression, name: name.to_owned() })
        } else if is_dump {
            Ok(Self::Dump { text: stream, name: name.to_owned(), basedir: basedir.to_owned() })
        } else if let Some(named) = named {
            refuse(format!("is {named}"))
        } else {
            refuse(format!("is not a tree; a source is {SUPPORTED}"))
        }
    }
}

/// The length of the header of a member, in bytes.
const TAR_HEADER: usize = 512;

/// Returns true for the start of an archive. An archive that starts with zeros, as the end of an
/// archive does, must not be in another format whose magic is further on, as with many filesystems.
fn is_tar(start: &[u8]) -> bool {
    is_start_of_tar(start)
        && (start.iter().take(TAR_HEADER).any(|byte| *byte != 0) || foreign::identify(start).is_none())
}

fn is_start_of_tar(start: &[u8]) -> bool {
    start.get(..TAR_HEADER).is_some_and(tar::is_start)
}

/// Fails if standard input is a terminal, where an archive cannot be typed.
///
/// # Errors
/// [`ErrorKind::Usage`].
pub(crate) fn refuse_terminal() -> Result<()> {
    if io::stdin().is_terminal() {
        let what =
            "standard input is a terminal; redirect it from a file or a pipe, or name a file instead of -";
        return Err(Error::new(ErrorKind::Usage, what));
    }
    Ok(())
}

/// The first [`foreign::PEEK`] bytes of a reader, or all there are.
fn start_of(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    reader.take(foreign::PEEK as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// Opens a source and reads everything that is not read while it is added: the tree, but not the
/// bytes of files that can be read later from where they are.
///
/// # Errors
/// If the source cannot be read, or has contents that a tree cannot represent.
pub fn open<'a>(source: Source, options: &ReadOptions<'a>) -> Result<Contents<'a>> {
    let ReadOptions { limits, interrupt, .. } = *options;
    let members = |reader: Result<_>| reader.map(Box::new).map(Contents::Members);
    let own_memory = SpoolMemory::default();
    let memory = options.memory.unwrap_or(&own_memory);
    match source {
        Source::Directory(path) => directory::read_with(&path, options).map(Contents::Tree),
        Source::Container(reference) => container(&reference, memory, options),
        Source::Release(spec) => {
            let what = format!("{spec}: packages of a release are selected before sources are read");
            Err(Error::new(ErrorKind::Usage, what))
        }
        Source::Package(file) => package(&file, memory, options).map(Box::new).map(Contents::Packages),
        Source::Dump { text, name, basedir } => {
            dump::read(text, &name, &basedir, interrupt).map(Scanned::from).map(Contents::Tree)
        }
        Source::Tar { file, name } => members(tar::Reader::file(file, &name, limits, interrupt)),
        Source::TarStream { stream, compression, name } => {
            let place = SpoolPlace { name: &name, directory: options.temporary, memory };
            members(tar::Reader::spooled(stream, compression, place, limits, interrupt))
        }
    }
}

/// Reads a single package, with the default options for its files.
fn package(file: &Path, memory: &SpoolMemory, options: &ReadOptions<'_>) -> Result<PackageTree> {
    let ReadOptions { limits, threads, interrupt, spool, cache, .. } = *options;
    let options = files::Options {
        limits,
        threads,
        interrupt,
        spool,
        memory,
        cache,
        filter: PathFilter::NONE,
        database: files::PackageDatabase::default(),
        diversions: &[],
        architectures: &[],
        merged_usr: true,
        time: Timestamp::EPOCH,
    };
    let mut package = files::read(&[PackageFile::local(file)], &options)?;
    match package.settle_owners(&Accounts::default())?.first() {
        None => Ok(package),
        Some(UnknownOwner { path, name, .. }) => {
            let what = format!("{}: nobody has the name \"{}\"", path.escape_ascii(), name.escape_ascii());
            Err(Error::at(ErrorKind::BadInput, file, what))
        }
    }
}

/// Reads an image. The archive that it may be in is a source itself, whose members are its files.
fn container<'a>(
    reference: &Reference,
    memory: &SpoolMemory,
    options: &ReadOptions<'_>,
) -> Result<Contents<'a>> {
    let ReadOptions { limits, interrupt, threads, .. } = *options;
    let archive = if reference.is_archive() {
        let path = reference.path();
        let reader = match Source::at_path(path, None)? {
            Source::Tar { file, name } => tar::Reader::file(file, &name, limits, interrupt)?,
            Source::TarStream { stream, compression, name } => {
                let place = SpoolPlace { name: &name, directory: options.spool, memory };
                tar::Reader::spooled(stream, compression, place, limits, interrupt)?
            }
            _ => {
                let what = format!("is not a tar archive, as {} has to be", shown::path(path));
                return Err(Error::at(ErrorKind::BadInput, reference.name(), what));
            }
        };
        Some(reader)
    } else {
        None
    };
    let options = container::Options {
        platform: options.platform,
        spool: options.spool,
        memory,
        cache: options.cache,
        keep_directory_symlink: options.keep_directory_symlink,
        limits,
        threads,
        interrupt,
    };
    container::read(reference, archive, &options).map(Box::new).map(Contents::Container)
}

/// Reads a single source unchanged.
///
/// # Errors
/// Same as [`open`], and if members cannot be added to each other.
pub fn read(source: Source, options: &ReadOptions<'_>) -> Result<Scanned> {
    match open(source, options)? {
        Contents::Tree(scanned) => Ok(scanned),
        Contents::Container(container) => Ok(Scanned::from(container.tree)),
        Contents::Packages(packages) => Ok(Scanned::from(packages.tree)),
        Contents::Members(reader) => {
            let mut stack = Stack::new(Rules::default());
            reader.add_to(&mut stack, &mut tar::Unchanged)?;
            Ok(Scanned::from(stack.finish()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(path: &Path) -> Result<&'static str> {
        Source::at(path.as_os_str(), None).map(|source| match source {
            Source::Directory(_) => "directory",
            Source::Container(_) => "container",
            Source::Package(_) => "package",
            Source::Release(_) => "release",
            Source::Dump { .. } => "dump",
            Source::Tar { .. } => "tar",
            Source::TarStream { compression: None, .. } => "tar stream",
            Source::TarStream { compression: Some(compression), .. } => compression.name(),
        })
    }

    #[test]
    fn recognizes_sources_by_content() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        fs::write(at("dump"), "/ 0 40755 2 7 0 0 0.0 - - -\n").expect("a new file");
        fs::write(at("other"), "/etc").expect("a new file");
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).expect("a new socket");

        assert_eq!(kind(directory.path()).expect("a directory"), "directory");
        assert_eq!(kind(&at("dump")).expect("a dump"), "dump");
        let starts: [(&str, &[u8]); 9] = [
            ("tar", b""),
            ("tar", &[0; 1024]),
            ("lz4", b"\x04\x22\x4d\x18"),
            ("lzma", b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff"),
            ("gzip", b"\x1f\x8b\x08"),
            ("zstd", b"\x28\xb5\x2f\xfd"),
            ("zstd", b"\x50\x2a\x4d\x18"),
            ("xz", b"\xfd7zXZ\0"),
            ("bzip2", b"BZh9"),
        ];
        for (expected, start) in starts {
            fs::write(at("archive"), start).expect("a file");
            assert_eq!(kind(&at("archive")).expect(expected), expected);
        }
        for name in ["other", "socket", "/dev/null"] {
            let error = kind(&at(name)).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::BadInput);
            assert!(error.to_string().contains("a source is a directory, a tar archive"), "{error}");
        }
        assert_eq!(kind(&at("none")).expect_err("nothing is there").kind(), ErrorKind::Io);
    }
}
