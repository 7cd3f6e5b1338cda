//! What one file says that another must be there.

use super::Kind;

/// Something that has to come along, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// What is needed.
    pub what: What,
    /// How it is needed.
    pub kind: Kind,
    /// Whether nothing works without it. What is not there and is no must is no error.
    pub must: bool,
    /// Who says so, and where: the end of the sentence "it is there because ...".
    pub reason: String,
}

/// How a needed file is named. Paths are of the tree, and absolute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The first of these paths at which there is something.
    File(Vec<Vec<u8>>),
    /// The first of these names that the loader finds for the object that names them.
    Library(Vec<Vec<u8>>),
    /// This very name, whatever it leads to: a link to `/dev/null` says enough by itself.
    Name(Vec<u8>),
    /// Every file of a directory whose name ends like this. The directory may be missing.
    FilesIn {
        /// The directory.
        directory: Vec<u8>,
        /// The end of the names, such as `.so`; empty for all.
        suffix: Vec<u8>,
    },
}

/// What a file needs, and what it says that cannot be followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// In the order in which the file names them.
    pub needs: Vec<Need>,
    /// What may be needed but is known only in the running system, each as a sentence for a warning.
    pub unknown: Vec<String>,
}

impl Needs {
    /// A file that another names.
    pub(super) fn configured(&mut self, path: &[u8], must: bool, reason: String) {
        self.add(What::File(vec![path.to_vec()]), Kind::Configured, must, reason);
    }

    pub(super) fn add(&mut self, what: What, kind: Kind, must: bool, reason: String) {
        self.needs.push(Need { what, kind, must, reason });
    }
}

impl What {
    /// A program by name: a path, or what a search in the directories finds first.
    pub(super) fn program(name: &[u8], directories: &[&[u8]]) -> Self {
        Self::File(if name.starts_with(b"/") {
            vec![name.to_vec()]
        } else {
            directories.iter().map(|directory| [directory, &b"/"[..], name].concat()).collect()
        })
    }
}

/// Where a program without a directory is searched for: what the shell, systemd and initramfs use, in one list.
pub const PATH: [&[u8]; 6] =
    [b"/usr/local/sbin", b"/usr/local/bin", b"/usr/sbin", b"/usr/bin", b"/sbin", b"/bin"];
