//! The error type of the whole program: its kind, the file and the cause.

mod closure;
mod read;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use image_tree::Shown;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use crate::shown;

pub use read::{Change, ChangedWhileRead, classify_read_error};

/// The kind of an error. Each kind has one exit code of the program.
///
/// Kinds and their codes are stable: a kind may be added, but an error keeps its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A kernel would reject the checked initramfs, or the data has another root hash: exit code 1.
    Rejected,
    /// The flags are invalid in this combination: exit code 2.
    Usage,
    /// The input is malformed, cannot be expressed in the output, or changed while it was read:
    /// exit code 3.
    BadInput,
    /// The requested size is too small: exit code 4.
    DoesNotFit,
    /// The product differs from the plan: exit code 5.
    Verification,
    /// Reading or writing failed: exit code 6.
    Io,
    /// The work was cancelled, or a signal stopped the program, which is then terminated by that
    /// signal, as the shell expects: exit code 130.
    Interrupted,
}

impl ErrorKind {
    /// The program's exit code.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Rejected => 1,
            ErrorKind::Usage => 2,
            ErrorKind::BadInput => 3,
            ErrorKind::DoesNotFit => 4,
            ErrorKind::Verification => 5,
            ErrorKind::Io => 6,
            ErrorKind::Interrupted => 130,
        }
    }
}

/// An error of the program, with the file concerned.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    path: Option<PathBuf>,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// The result of all functions that can fail with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Returns an error that concerns no single file. `source` is a message or another error.
    pub fn new(kind: ErrorKind, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { kind, path: None, source: source.into() }
    }

    /// Returns an error at a file of the host.
    pub fn at(
        kind: ErrorKind,
        path: impl AsRef<Path>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, path: Some(path.as_ref().to_owned()), source: source.into() }
    }

    /// Returns a failed system call at a file of the host.
    pub fn io(path: impl AsRef<Path>, source: impl Into<io::Error>) -> Self {
        Self::at(ErrorKind::Io, path, source.into())
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The file of the host that it concerns, if it is a single one. Text that the error displays
    /// may name further ones, such as the layer of an image and the path in it.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Returns the text without that path: the error with every cause, in which characters that a
    /// terminal would interpret are escaped.
    #[must_use]
    pub fn message(&self) -> String {
        let mut text = self.source.to_string();
        let mut cause = self.source.source();
        while let Some(error) = cause {
            text += &format!(": {error}");
            cause = error.source();
        }
        if self.is_about_descriptors() {
            text += &match getrlimit(Resource::Nofile).current {
                Some(limit) => {
                    format!("; {limit} may be open at once: raise that with ulimit -n, or lower -j")
                }
                None => "; lower -j".to_owned(),
            };
        }
        Shown::message(&text)
    }
}

impl Error {
    /// Returns true if the error was made from a `T`.
    pub(crate) fn is<T: std::error::Error + 'static>(&self) -> bool {
        self.source.is::<T>()
    }

    /// Returns true if the cause is that the process has too many open files.
    fn is_about_descriptors(&self) -> bool {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&*self.source);
        while let Some(error) = cause {
            let errno = error.downcast_ref::<Errno>().copied();
            let errno = errno.or_else(|| Errno::from_io_error(error.downcast_ref::<io::Error>()?));
            if errno == Some(Errno::MFILE) {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

impl fmt::Display for Error {
    /// Writes the path and the error with every cause, so that a caller adds nothing. Characters
    /// that a terminal would interpret are escaped, see [`Shown`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", shown::path(path))?;
        }
        f.write_str(&self.message())
    }
}

impl std::error::Error for Error {}

/// Returns the error of `count` threads, the value of `-j`, one of which cannot be started.
pub(crate) fn cannot_start_threads(count: usize, error: &dyn std::error::Error) -> Error {
    let message = match count {
        1 => format!("a thread cannot be started: {error}; raise ulimit -u or -v"),
        count => {
            format!("one of {count} threads cannot be started: {error}; lower -j, or raise ulimit -u or -v")
        }
    };
    Error::new(ErrorKind::Io, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_causes_are_escaped() {
        let error =
            Error::at(ErrorKind::BadInput, "evil\x1b[31m\nrootcast: warning: forged", "cause \x1b[2J");
        assert_eq!(error.to_string(), r"evil\x1b[31m\nrootcast: warning: forged: cause \x1b[2J");
        let error = Error::io("/srv/été", io::Error::other("no"));
        assert_eq!(error.to_string(), "/srv/été: no");
    }

    #[test]
    fn too_many_open_files_name_the_limit_and_the_flag() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot be opened")]
        struct Unreadable {
            source: Errno,
        }
        let limit = getrlimit(Resource::Nofile).current.expect("there is one");
        let wrapped = |errno| io::Error::other(Unreadable { source: errno });
        for error in [Error::io("f", Errno::MFILE), Error::new(ErrorKind::Io, wrapped(Errno::MFILE))] {
            let text = error.to_string();
            assert!(text.ends_with(&format!(
                "; {limit} may be open at once: raise that with ulimit -n, or lower -j"
            )));
        }
        for error in [Error::io("f", Errno::NOENT), Error::new(ErrorKind::Io, wrapped(Errno::NFILE))] {
            assert!(!error.to_string().contains("ulimit"), "{error}");
        }
    }
}
