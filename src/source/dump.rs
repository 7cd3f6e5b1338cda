//! Reads a composefs dump into a tree.

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image_tree::dump::{self, Body, ParseError, RegularFile};
use image_tree::{Name, NameError, Tree};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use thiserror::Error;

use crate::blob::{Blob, HostDirectory, Identity, Root, file_blocks, file_size};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::{Interrupt, Interruptible};
use crate::shown;

/// The longest text, in bytes: 1 GiB, about ten million files.
pub const MAX_TEXT: u64 = 1024 * 1024 * 1024;

/// Reads a dump. The PAYLOADs of its lines are opened beneath `basedir`; messages call the text
/// `name`.
///
/// Symbolic links beneath that directory are not followed, so that a dump reaches nothing outside.
/// Each PAYLOAD must be a regular file as long as its line's SIZE. DIGESTs are for mounting a
/// composefs; they are not checked.
///
/// # Errors
/// [`Io`](ErrorKind::Io) if the dump or a PAYLOAD cannot be read, [`BadInput`](ErrorKind::BadInput)
/// with the line if it is not a dump, is longer than [`MAX_TEXT`], or a PAYLOAD is not as stated.
/// [`Interrupted`](ErrorKind::Interrupted) after a signal.
pub fn read(text: impl BufRead, name: &Path, basedir: &Path, interrupt: &Interrupt) -> Result<Tree<Blob>> {
    let tree = read_at_most(Interruptible::new(text, interrupt), name, basedir, MAX_TEXT);
    // The result of a text that a signal cut off means nothing.
    interrupt.check().and(tree)
}

fn read_at_most(input: impl BufRead, name: &Path, basedir: &Path, max: u64) -> Result<Tree<Blob>> {
    let root = Root::open_at(basedir).map_err(|errno| Error::io(basedir, errno))?;
    let root = Arc::new(root);
    let mut input = input.take(max.saturating_add(1));
    let tree = dump::parse(&mut input, |file| blob(&root, &file));
    // First, because the cut may have made the last line wrong.
    if input.limit() == 0 {
        return Err(Error::at(ErrorKind::BadInput, name, format!("the dump is longer than {max} bytes")));
    }
    tree.map_err(|error| {
        let kind = match &error {
            ParseError::Read(_) => ErrorKind::Io,
            ParseError::Content { source: PayloadError::System { .. }, .. } => ErrorKind::Io,
            _ => ErrorKind::BadInput,
        };
        Error::at(kind, name, error)
    })
}

/// The reason that the bytes of a file of the dump cannot be read.
#[derive(Debug, Error)]
enum PayloadError {
    #[error("its SIZE is {0}, but neither PAYLOAD nor CONTENT says where its bytes are")]
    Nowhere(u64),
    #[error(
        "PAYLOAD \"{}\" is not a path of plain names beneath the directory of payloads: {source}; \
         put the file there, or say with --basedir where it is", .path.escape_ascii()
    )]
    Path { path: Vec<u8>, source: PartError },
    #[error(
        "{} is a symbolic link, or what is above it is one or no directory, and no link is followed; \
         put the file there itself", shown::path(.0)
    )]
    Link(PathBuf),
    #[error("{} is not a regular file", shown::path(.0))]
    Kind(PathBuf),
    #[error("{} is {actual} bytes long, and SIZE is {stated}", shown::path(.path))]
    Size { path: PathBuf, actual: u64, stated: u64 },
    #[error("{}", shown::path(.path))]
    System { path: PathBuf, source: std::io::Error },
}

/// A path that a PAYLOAD may not have.
#[derive(Debug, Error)]
enum PartError {
    #[error("it is absolute")]
    Absolute,
    #[error(transparent)]
    Name(NameError),
}

fn blob(root: &Arc<Root>, file: &RegularFile<'_>) -> Result<Blob, PayloadError> {
    match &file.body {
        Body::None if file.size == 0 => Ok(Blob::from(Vec::new())),
        Body::Inline(bytes) => Ok(Blob::Memory(bytes.as_ref().into())),
        Body::Payload(path) => payload(root, path, file.size),
        _ => Err(PayloadError::Nowhere(file.size)),
    }
}

fn payload(root: &Arc<Root>, path: &[u8], size: u64) -> Result<Blob, PayloadError> {
    check_path(path).map_err(|source| PayloadError::Path { path: path.to_vec(), source })?;
    let host_path = || root.join(path);
    let system = |errno: Errno| PayloadError::System { path: host_path(), source: errno.into() };
    // `O_PATH`, so that neither a fifo blocks nor a file that may not be read yet matters.
    let found = match root.open(path, OFlags::PATH) {
        Err(Errno::LOOP | Errno::NOTDIR) => return Err(PayloadError::Link(host_path())),
        found => found.map_err(system)?,
    };
    let stat = rustix::fs::fstat(&found).map_err(system)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        // O_PATH and O_NOFOLLOW open the link itself.
        FileType::Symlink => return Err(PayloadError::Link(host_path())),
        _ => return Err(PayloadError::Kind(host_path())),
    }
    let actual = file_size(&stat);
    if actual != size {
        return Err(PayloadError::Size { path: host_path(), actual, stated: size });
    }
    let (directory, name) = HostDirectory::of_file(Arc::clone(root), path);
    Ok(Blob::host(directory, name.into(), size, file_blocks(&stat), Identity::of(&stat)))
}

/// Checks for names separated by single slashes, which can only lead downwards.
fn check_path(path: &[u8]) -> Result<(), PartError> {
    if path.first() == Some(&b'/') {
        return Err(PartError::Absolute);
    }
    path.split(|byte| *byte == b'/').try_for_each(|name| Name::new(name).map(|_| ()).map_err(PartError::Name))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::BufReader;
    use std::os::unix::fs::symlink;

    use image_tree::{Content, Kind};

    use super::*;

    const ROOT: &str = "/ 0 40755 2 0 0 0 0.0 - - -\n";

    /// Creates a directory of payloads, with a dump beside them whose second line has the given
    /// SIZE to DIGEST.
    fn with_line(size: u64, bodies: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("in/objects/ab")).expect("new directories");
        fs::write(at("in/objects/ab/cdef"), "payload").expect("a new file");
        fs::write(at("outside"), "outside").expect("a new file");
        symlink("../outside", at("in/out")).expect("a new link");
        symlink("objects", at("in/linked")).expect("a new link");
        rustix::fs::mkfifoat(rustix::fs::CWD, at("in/pipe"), rustix::fs::Mode::RUSR).expect("a new fifo");
        fs::write(at("in/dump"), format!("{ROOT}/f {size} 100644 1 0 0 0 0.0 {bodies}\n"))
            .expect("a new file");
        let dump = at("in/dump");
        (directory, dump)
    }

    fn bytes(size: u64, bodies: &str) -> Result<Vec<u8>> {
        let (_directory, dump) = with_line(size, bodies);
        let text = BufReader::new(File::open(&dump).expect("it was written"));
        let tree = read(text, &dump, dump.parent().expect("it is in a directory"), &Interrupt::never())?;
        let id = tree.resolve_no_symlinks(b"/f").expect("the dump has it");
        let Kind::Regular(blob) = &tree.get(id).kind else { panic!("a regular file") };
        let mut bytes = vec![0; usize::try_from(blob.len()).expect("small")];
        blob.read_at(&mut bytes, 0).expect("nobody changed it");
        Ok(bytes)
    }

    #[test]
    fn reads_inline_bytes_and_payload_files() {
        assert_eq!(bytes(7, "objects/ab/cdef - -").expect("it is there"), b"payload");
        assert_eq!(bytes(3, "- a\\nb -").expect("inline"), b"a\nb");
        assert_eq!(bytes(0, "- - -").expect("empty"), b"");
    }

    #[test]
    fn refuses_invalid_payloads() {
        let cases = [
            (7, "/etc/passwd - -", ErrorKind::BadInput, "it is absolute"),
            (7, "../outside - -", ErrorKind::BadInput, "a file is named \"..\""),
            (7, "objects/../objects/ab/cdef - -", ErrorKind::BadInput, "a file is named \"..\""),
            (7, "./objects/ab/cdef - -", ErrorKind::BadInput, "a file is named \".\""),
            (7, "objects//ab/cdef - -", ErrorKind::BadInput, "a file name is empty"),
            (7, "out - -", ErrorKind::BadInput, "in/out is a symbolic link, or"),
            (
                7,
                "linked/ab/cdef - -",
                ErrorKind::BadInput,
                "in/linked/ab/cdef is a symbolic link, or what is above it",
            ),
            (7, "objects - -", ErrorKind::BadInput, "in/objects is not a regular file"),
            (0, "pipe - -", ErrorKind::BadInput, "in/pipe is not a regular file"),
            (
                8,
                "objects/ab/cdef - -",
                ErrorKind::BadInput,
                "in/objects/ab/cdef is 7 bytes long, and SIZE is 8",
            ),
            (7, "- - -", ErrorKind::BadInput, "its SIZE is 7, but neither PAYLOAD nor CONTENT"),
            (7, "none - -", ErrorKind::Io, "in/none: No such file or directory"),
        ];
        for (size, bodies, kind, expected) in cases {
            let error = bytes(size, bodies).expect_err(bodies);
            let message = error.to_string();
            assert_eq!(error.kind(), kind, "{message}");
            assert!(message.contains("in/dump: line 2: /f: ") && message.contains(expected), "{message}");
        }
    }

    #[test]
    fn refuses_text_beyond_the_limit() {
        let text = format!("{ROOT}/f 0 100644 1 0 0 0 0.0 - - -\n");
        let read = |max| read_at_most(text.as_bytes(), Path::new("name"), Path::new("."), max);
        let len = text.len() as u64;
        assert_eq!(read(len).expect("as long as may be").inode_count(), 2);
        for max in [len - 1, len - 3, 5] {
            let error = read(max).expect_err("longer");
            assert_eq!(error.kind(), ErrorKind::BadInput);
            assert_eq!(error.to_string(), format!("name: the dump is longer than {max} bytes"));
        }
    }

    #[test]
    fn refuses_other_text() {
        let error = read(&b"hello\n"[..], Path::new("name"), Path::new("."), &Interrupt::never())
            .expect_err("no dump");
        assert_eq!(error.kind(), ErrorKind::BadInput);
        assert!(error.to_string().starts_with("name: line 1: "), "{error}");
        let missing =
            read(ROOT.as_bytes(), Path::new("name"), Path::new("/nonexistent"), &Interrupt::never())
                .expect_err("no directory");
        assert_eq!(missing.kind(), ErrorKind::Io);
    }

    #[test]
    fn a_signal_interrupts_reading() {
        let interrupt = Interrupt::never();
        interrupt.set(15);
        let error = read(ROOT.as_bytes(), Path::new("name"), Path::new("."), &interrupt);
        assert_eq!(error.expect_err("a signal came").kind(), ErrorKind::Interrupted);
    }
}
