//! The candidates for a library name, and the verdict of a dynamic linker on each.

use std::io;

use image_tree::resolve::{ResolveError, Resolved};
use image_tree::{Content, Directories, InodeId, Kind};

use crate::closure::elf::Abi;
use crate::closure::files::Files;

/// A file that the dynamic linker accepts, and the path by which it opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::closure) struct Candidate {
    pub(in crate::closure) opened: Vec<u8>,
    pub(in crate::closure) file: Resolved,
}

/// The maximum number of directories recorded for a search.
pub(super) const MAX_SEARCHED: usize = 12;

/// The result of a search.
#[derive(Clone, Debug, Default)]
pub(in crate::closure) struct Found {
    /// The baseline file, for every processor.
    pub(in crate::closure) base: Option<Candidate>,
    /// glibc-hwcaps variants that are loaded instead on processors that support them.
    pub(in crate::closure) variants: Vec<Candidate>,
    /// The first directories that were searched, in order.
    pub(in crate::closure) searched: Vec<Vec<u8>>,
    /// True if more directories were searched.
    pub(in crate::closure) searched_more: bool,
    /// Files of the name for another machine.
    pub(in crate::closure) foreign: Vec<Vec<u8>>,
    /// A file of the name that makes the dynamic linker fail, and the reason.
    pub(in crate::closure) fatal: Option<(Vec<u8>, String)>,
    pub(in crate::closure) warnings: Vec<String>,
}

impl Found {
    /// Records a directory for the message, up to a limit.
    pub(super) fn searched(&mut self, path: &[u8]) {
        if self.searched_more || self.searched.iter().any(|known| known == path) {
            return;
        }
        if self.searched.len() < MAX_SEARCHED {
            self.searched.push(path.to_vec());
        } else {
            self.searched_more = true;
        }
    }

    /// Returns true if the dynamic linker ends its search.
    pub(super) fn is_over(&self) -> bool {
        self.base.is_some() || self.fatal.is_some()
    }
}

/// The verdict of a dynamic linker on a file with the requested name.
pub(super) enum Verdict {
    Taken,
    /// For another machine: the search continues.
    Foreign,
    /// The search fails, and the program does not start.
    Fatal(String),
}

/// Judges a file as glibc's `open_verify` does. It reads `e_machine` in its own byte order before
/// it checks that of the file, so a file of another byte order makes the search fail only if its
/// `e_machine`, read that way, matches.
pub(super) fn verdict<T: Directories<Content: Content>>(
    files: &mut Files<'_, T>,
    id: InodeId,
    process: Abi,
) -> io::Result<Verdict> {
    const ARM: u16 = 40;
    if !is_regular(files.tree, id) {
        return Ok(Verdict::Fatal("it is not a regular file".to_owned()));
    }
    let parsed = files.elf(id)?;
    Ok(match &parsed {
        Err(malformed) => Verdict::Fatal(malformed.to_string()),
        Ok(elf) => {
            let abi = elf.abi;
            let same_order = abi.data == process.data;
            let machine = if same_order { abi.machine } else { abi.machine.swap_bytes() };
            if abi.class != process.class || machine != process.machine {
                Verdict::Foreign
            } else if !same_order {
                Verdict::Fatal("it has another byte order".to_owned())
            } else if !matches!(elf.os_abi, 0 | 3) && machine != ARM {
                Verdict::Fatal(format!("it is for another system: its EI_OSABI is {}", elf.os_abi))
            } else if let Some(flaw) = elf.flaw {
                Verdict::Fatal(flaw.to_owned())
            } else if !elf.is_loadable() {
                Verdict::Fatal("it is neither a library nor a program".to_owned())
            } else {
                Verdict::Taken
            }
        }
    })
}

fn is_regular<T: Directories>(tree: &T, id: InodeId) -> bool {
    matches!(tree.get(id).kind, Kind::Regular(_))
}

/// Returns true if glibc and musl continue in the next directory after this error of `open`.
pub(super) fn goes_on(error: ResolveError) -> bool {
    matches!(error, ResolveError::Missing)
}
