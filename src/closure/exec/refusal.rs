//! The errors with which the kernel refuses to execute a file.

use std::fmt;

/// The error with which the kernel refuses to execute a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error.
    pub errno: Errno,
    /// The reason, as a clause about the file.
    pub why: String,
}

/// The errors of `execve(2)` that depend on files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named as in the kernel")]
pub enum Errno {
    Noent,
    Io,
    Noexec,
    Acces,
    Notdir,
    Nametoolong,
    Loop,
    Libbad,
}

impl Errno {
    /// Returns the number, which is the same on all machines that a kernel of this kind runs on,
    /// except for `ENAMETOOLONG`, `ELOOP` and `ELIBBAD` on MIPS, PA-RISC, Alpha and SPARC.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::Noent => 2,
            Self::Io => 5,
            Self::Noexec => 8,
            Self::Acces => 13,
            Self::Notdir => 20,
            Self::Nametoolong => 36,
            Self::Loop => 40,
            Self::Libbad => 80,
        }
    }
}

impl fmt::Display for Errno {
    /// Formats the number as the kernel does in its messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "-{}", self.number())
    }
}

pub(super) fn refusal<T>(errno: Errno, why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { errno, why: why.into() })
}
