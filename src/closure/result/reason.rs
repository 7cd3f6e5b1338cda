//! The reasons to keep a name.

use std::fmt;

/// One reason to keep a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// The kind of dependency.
    pub kind: Kind,
    /// The path, without symbolic links, of the file that needs it; `None` if it was requested.
    pub by: Option<Vec<u8>>,
    /// The text of the dependency: a path, the name of a library, a pattern.
    pub name: Vec<u8>,
}

/// The kind of a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Requested by the caller.
    Requested,
    /// `PT_INTERP` of a program.
    Interpreter,
    /// `DT_NEEDED` of a program or library.
    Needed,
    /// `DT_FILTER`: symbols are taken from it.
    Filter,
    /// `DT_AUXILIARY`: symbols are taken from it if it is there.
    Auxiliary,
    /// Another build of a library, for a later ISA level (`glibc-hwcaps`).
    Hwcaps,
    /// A library in `/etc/ld.so.preload`, which every program loads.
    Preload,
    /// `DT_AUDIT` or `DT_DEPAUDIT` of a program.
    Audit,
    /// The `#!` line of a script, or the program that its `env` looks for.
    Script,
    /// A library opened at run time.
    Dlopen,
    /// A file named by a configuration file, or one that configures something that is kept.
    Configured,
    /// A file that a program is known to start or open, by the table of [`known`](crate::closure::known).
    Known,
    /// A kernel module.
    Module,
    /// Firmware of a kernel module.
    Firmware,
    /// A symbolic link on the path.
    Symlink,
    /// A directory on the path.
    Parent,
}

impl fmt::Display for Reason {
    /// Formats the reason as a sentence about the kept name, without that name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.escape_ascii();
        match &self.by {
            None if self.kind == Kind::Requested => write!(f, "requested by {name}"),
            None if matches!(self.kind, Kind::Configured | Kind::Dlopen) => {
                write!(f, "{} {name}, which no program or library names", self.kind)
            }
            None => write!(f, "{} {name}, which was requested", self.kind),
            Some(by) => write!(f, "{} {name} of {}", self.kind, by.escape_ascii()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "requested",
            Self::Interpreter => "dynamic linker",
            Self::Needed => "needed library",
            Self::Filter => "filter library",
            Self::Auxiliary => "auxiliary library",
            Self::Hwcaps => "glibc-hwcaps variant of library",
            Self::Preload => "preloaded library",
            Self::Audit => "auditing library",
            Self::Script => "interpreter",
            Self::Dlopen => "library opened at run time",
            Self::Configured => "configured file",
            Self::Known => "heuristically kept file",
            Self::Module => "kernel module",
            Self::Firmware => "firmware",
            Self::Symlink => "symbolic link on the path to",
            Self::Parent => "directory on the path to",
        })
    }
}
