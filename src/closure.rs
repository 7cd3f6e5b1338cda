//! What programs need to run, found inside a tree by the rules of the kernel and the loader.
//!
//! ```text
//!  starting paths ──▶ file ─┬─ ELF ─────▶ interpreter, DT_NEEDED … ──▶ loader's search ─┐
//!        ▲                  └─ script ──▶ interpreter                                  │
//!        └───────────────────────────────── next file ◀── resolve ◀────────────────────┘
//!                                                           │
//!                                                           └─▶ kept: the file, every link and directory on the way
//! ```
//!
//! No program is run and no file of the host is looked at, so a tree for any machine is closed over on any other.

pub mod elf;

use std::collections::{BTreeMap, BTreeSet};

/// What is kept of a tree, why, and what was not to be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure {
    /// Every name that is kept, by its path without symbolic links, and all that brought it in. Parents are among them.
    pub kept: BTreeMap<Vec<u8>, BTreeSet<Reason>>,
    /// What is worth knowing and stops nothing, in the order it was come upon.
    pub warnings: Vec<String>,
}

/// One thing that brought a name in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// How the name is needed.
    pub kind: Kind,
    /// The path, without symbolic links, of the file that needs it; none when it was asked for.
    pub by: Option<Vec<u8>>,
    /// What the need says: a path, the name of a library, a pattern.
    pub name: Vec<u8>,
}

/// How a name is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It was asked for.
    Asked,
    /// `PT_INTERP` of a program.
    Interpreter,
    /// `DT_NEEDED` of a program or library.
    Needed,
    /// `DT_FILTER`: symbols are taken from it.
    Filter,
    /// `DT_AUXILIARY`: symbols are taken from it if it is there.
    Auxiliary,
    /// Another build of a library, for better processors (`glibc-hwcaps`).
    Hwcaps,
    /// The `#!` line of a script, or the program that its `env` looks for.
    Script,
    /// A library opened at run time.
    Dlopen,
    /// A program that a configuration file names.
    Configured,
    /// A symbolic link on the way.
    Symlink,
    /// A directory on the way.
    Parent,
}
