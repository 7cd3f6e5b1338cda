//! Sources of trees: what the user names, found out and read.

pub mod directory;
pub mod dump;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::num::NonZeroUsize;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use image_tree::Tree;

use crate::blob::Blob;
use crate::error::{Error, ErrorKind, Result};

/// Something that a tree can be read from.
pub enum Source {
    /// A directory of the host.
    Directory(PathBuf),
    /// The text of a tree.
    Dump {
        /// The text, from its first byte on.
        text: Box<dyn BufRead>,
        /// What messages call it.
        name: PathBuf,
        /// Where the files lie that it names by path.
        basedir: PathBuf,
    },
}

/// How a dump begins: with the line of the root directory.
const DUMP_START: &[u8] = b"/ ";

/// Every kind of source there is, for messages.
const SUPPORTED: &str =
    "a directory, or a composefs dump, whose text begins with \"/ \" (- reads one from standard input)";

impl Source {
    /// Finds out what `path` is by looking at it; `-` is standard input.
    ///
    /// `basedir` is where the files of a dump lie; without it, that is the dump's own directory, and for standard input
    /// the current one.
    ///
    /// # Errors
    /// When there is nothing at the path, or nothing a tree can be read from.
    pub fn at(path: &OsStr, basedir: Option<&Path>) -> Result<Self> {
        if path == "-" {
            let here = basedir.unwrap_or(Path::new("."));
            return Self::of_text(Box::new(io::stdin()), Path::new("standard input"), here);
        }
        let path = Path::new(path);
        let kind = fs::metadata(path).map_err(|error| Error::io(path, error))?.file_type();
        if kind.is_dir() {
            return match basedir {
                None => Ok(Self::Directory(path.to_owned())),
                Some(_) => Err(Error::at(ErrorKind::Usage, path, "is a directory; --basedir is for dumps")),
            };
        }
        if !kind.is_file() && !kind.is_fifo() && !kind.is_char_device() {
            return Err(Error::at(ErrorKind::BadInput, path, format!("is no file; a source is {SUPPORTED}")));
        }
        // The parent of a lone name is the empty path, which names no directory.
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        Self::of_text(Box::new(file), path, basedir.unwrap_or(parent))
    }

    fn of_text(reader: Box<dyn io::Read>, name: &Path, basedir: &Path) -> Result<Self> {
        let mut text = Box::new(BufReader::with_capacity(1 << 16, reader));
        let start = text.fill_buf().map_err(|error| Error::io(name, error))?;
        if !start.starts_with(DUMP_START) {
            return Err(Error::at(ErrorKind::BadInput, name, format!("is no tree; a source is {SUPPORTED}")));
        }
        Ok(Self::Dump { text, name: name.to_owned(), basedir: basedir.to_owned() })
    }
}

/// Reads the tree, but not the bytes of files that have a place of their own.
///
/// # Errors
/// When the source cannot be read, or holds what no tree can.
pub fn read(source: Source, threads: NonZeroUsize) -> Result<Tree<Blob>> {
    match source {
        Source::Directory(path) => directory::read(&path, threads.get()),
        Source::Dump { text, name, basedir } => dump::read(text, &name, &basedir),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(path: &Path) -> Result<&'static str> {
        Source::at(path.as_os_str(), None).map(|source| match source {
            Source::Directory(_) => "directory",
            Source::Dump { .. } => "dump",
        })
    }

    #[test]
    fn a_source_is_known_by_what_it_is() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        fs::write(at("dump"), "/ 0 40755 2 7 0 0 0.0 - - -\n").expect("a new file");
        fs::write(at("other"), "/etc").expect("a new file");
        fs::write(at("empty"), "").expect("a new file");
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).expect("a new socket");

        assert_eq!(kind(directory.path()).expect("a directory"), "directory");
        assert_eq!(kind(&at("dump")).expect("a dump"), "dump");
        for name in ["other", "empty", "socket", "/dev/null"] {
            let error = kind(&at(name)).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::BadInput);
            assert!(error.to_string().contains("a source is a directory, or a composefs dump"), "{error}");
        }
        assert_eq!(kind(&at("none")).expect_err("nothing is there").kind(), ErrorKind::Io);
    }
}
