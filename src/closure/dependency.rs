//! The dependencies that one file states.

use crate::closure::Kind;
use crate::closure::library_path::LibraryPath;

/// Something that must be kept, and the reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// The thing that is needed.
    pub target: Target,
    /// The kind of the dependency.
    pub kind: Kind,
    /// True if it is mandatory: it is an error if it does not exist.
    pub required: bool,
    /// The origin of the dependency: completes the sentence "it is there because ...".
    pub reason: String,
    /// The path, without links, of the kept file that needs it; `None` if no single file does.
    pub by: Option<Vec<u8>>,
}

/// The name of a needed file. Paths are absolute within the tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The first of these paths that exists.
    File(Vec<Vec<u8>>),
    /// The first of these names that the dynamic linker finds for the requesting object.
    Library(Vec<Vec<u8>>),
    /// Exactly this name, whether or not it resolves: a link to `/dev/null` is significant by
    /// itself.
    Name(Vec<u8>),
    /// A directory with its whole content, whose files are not examined: they are not those of
    /// programs of this tree, or none that anything here runs.
    Whole(Vec<u8>),
    /// A directory with its whole content, whose programs and libraries are examined.
    Directory(Vec<u8>),
    /// Every file of a directory whose name has a suffix. The directory may be missing.
    FilesIn {
        /// The directory.
        directory: Vec<u8>,
        /// The suffix, such as `.so`; empty for all files.
        suffix: Vec<u8>,
    },
}

/// The dependencies of a file, and those that cannot be determined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependencies {
    /// The dependencies, in the order in which the file states them.
    pub known: Vec<Dependency>,
    /// Possible dependencies that are known only at run time, each as a sentence for a warning.
    pub unknown: Vec<String>,
    /// The values of `LD_LIBRARY_PATH` with which programs are started.
    pub library_paths: Vec<LibraryPath>,
}

impl Dependencies {
    /// Adds a file that a configuration file names.
    pub(super) fn configured(&mut self, path: &[u8], required: bool, reason: String) {
        self.add(Target::File(vec![path.to_vec()]), Kind::Configured, required, reason);
    }

    pub(super) fn add(&mut self, target: Target, kind: Kind, required: bool, reason: String) {
        self.known.push(Dependency { target, kind, required, reason, by: None });
    }
}

impl Target {
    /// Returns the names of which one or all are kept; none for the files of a directory.
    pub(super) fn names(&self) -> &[Vec<u8>] {
        match self {
            Self::File(names) | Self::Library(names) => names,
            Self::Name(name) | Self::Whole(name) | Self::Directory(name) => std::slice::from_ref(name),
            Self::FilesIn { .. } => &[],
        }
    }

    /// Returns a program by its path, or by its name in the first of the directories that has it.
    pub(super) fn program(name: &[u8], directories: &[&[u8]]) -> Self {
        Self::File(if name.starts_with(b"/") {
            vec![name.to_vec()]
        } else {
            directories.iter().map(|directory| [directory, &b"/"[..], name].concat()).collect()
        })
    }
}

/// The directories searched for a program without a directory: those of the shell, systemd and
/// initramfs combined.
pub const PATH: [&[u8]; 6] =
    [b"/usr/local/sbin", b"/usr/local/bin", b"/usr/sbin", b"/usr/bin", b"/sbin", b"/bin"];
