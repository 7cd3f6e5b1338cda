//! Errors of a search.

use std::io;

use thiserror::Error;

use super::result::missing::Missing;
use super::{kernel_modules, packages};

/// The result of a search.
pub type Result<T> = std::result::Result<T, Error>;

/// The reason why a search fails.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The content of a file of the tree cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// A requested name is not that of a systemd unit.
    #[error(
        "\"{}\" is not the name of a unit: it is a name and a kind, such as sshd.service or multi-user.target",
        .0.escape_ascii()
    )]
    NotAUnit(Vec<u8>),
    /// The tree does not have a requested systemd unit.
    #[error("unit {} not found in the tree; searched: {directories}", .name.escape_ascii())]
    UnitNotFound {
        /// The name of the unit.
        name: Vec<u8>,
        /// The directories that were searched.
        directories: String,
    },
    /// The tree does not have the unit that systemd starts at boot.
    #[error(
        "the tree has no default.target, which systemd starts at boot: --default-target UNIT makes it; with \
         --default-target none the kernel's command line has to name a unit (systemd.unit=)"
    )]
    NoDefaultTarget,
    /// The tree does not have a requested generator.
    #[error(
        "--systemd-generators {}: no directory system-generators of the tree has such a file",
        .0.escape_ascii()
    )]
    GeneratorNotFound(Vec<u8>),
    /// No systemd unit of the tree matches a pattern.
    #[error("{}: no unit of the tree matches", .0.escape_ascii())]
    NoMatchingUnit(Vec<u8>),
    /// No directory of udev's rules has a requested file.
    #[error(
        "{}: no directory of udev's rules in the tree has such a file, whose name must end in .rules",
        .0.escape_ascii()
    )]
    RulesNotFound(Vec<u8>),
    /// The tree does not have a requested PAM service.
    #[error("{}: the tree has no such service in /etc/pam.d or /usr/lib/pam.d", .0.escape_ascii())]
    ServiceNotFound(Vec<u8>),
    /// Packages cannot be selected.
    #[error(transparent)]
    Packages(packages::Error),
    /// Kernel modules cannot be selected.
    #[error(transparent)]
    KernelModules(kernel_modules::Error),
    /// A configuration file is longer than the limit.
    #[error("the tree's {} has {len} bytes; the limit for a configuration file is {limit}", .path.escape_ascii())]
    FileTooLong {
        /// The path of the file.
        path: Vec<u8>,
        /// Its length in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The search exceeds its limits on steps and memory.
    #[error(
        "the programs of this tree need more files than the limit of the search: the tree is broken or made to take \
         long; name fewer programs"
    )]
    Exhausted,
    /// Implied dependencies bring in more of them without end.
    #[error(
        "the dependencies of what is kept bring in more even after {0} rounds: each round finds \
         another dynamic linker; keep fewer programs, or fewer character sets, PAM services and providers of OpenSSL"
    )]
    TooManyRounds(usize),
    /// Files that are needed are missing from the tree.
    #[error("missing from the tree: {}", list(.0))]
    Missing(Vec<Missing>),
    /// A path to be explained is not kept.
    #[error("{} {}", .path.escape_ascii(), not_kept(*.is_there))]
    NotKept {
        /// The path.
        path: Vec<u8>,
        /// True if the tree has it.
        is_there: bool,
    },
}

fn not_kept(is_there: bool) -> &'static str {
    match is_there {
        true => "is in the tree, but not kept: nothing that was requested needs it",
        false => "is not in the tree",
    }
}

impl From<packages::Error> for Error {
    fn from(error: packages::Error) -> Self {
        match error {
            packages::Error::Read(error) => Self::Read(error),
            error => Self::Packages(error),
        }
    }
}

impl From<kernel_modules::Error> for Error {
    fn from(error: kernel_modules::Error) -> Self {
        match error {
            kernel_modules::Error::Read(error) => Self::Read(error),
            error => Self::KernelModules(error),
        }
    }
}

/// Returns the first of the missing files, one a line.
fn list(missing: &[Missing]) -> String {
    const SHOWN: usize = 20;
    let mut lines: Vec<String> = missing.iter().take(SHOWN).map(ToString::to_string).collect();
    if missing.len() > SHOWN {
        lines.push(format!("and {} more", missing.len() - SHOWN));
    }
    lines.join("\nmissing: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_sentences() {
        let error = |is_there| Error::NotKept { path: b"/bin/a\n".to_vec(), is_there }.to_string();
        assert_eq!(
            error(true),
            r"/bin/a\n is in the tree, but not kept: nothing that was requested needs it"
        );
        assert_eq!(error(false), r"/bin/a\n is not in the tree");
        let exhausted = Error::Exhausted.to_string();
        assert!(exhausted.contains("need more files than the limit of the search"), "{exhausted}");
        let rounds = Error::TooManyRounds(8).to_string();
        assert!(rounds.contains("even after 8 rounds: each round finds another dynamic linker"), "{rounds}");
    }
}
