//! The numbers of inodes, and what their fields have to hold.

use std::ops::Range;

use image_tree::{Content, InodeId, Kind, Tree};

use crate::error::{Error, Unrepresentable};
use crate::ondisk::inode::{COMPACT_LEN, EXTENDED_LEN, device};
use crate::options::Options;

/// The maximum length of a file, in bytes.
const MAX_FILE_LEN: u64 = i64::MAX as u64;
/// The place of ids without a number.
const NO_NUMBER: u32 = u32::MAX;

/// The inodes in the order of the tree's walk.
#[derive(Debug)]
pub(crate) struct Inodes {
    list: Vec<Inode>,
    /// The number of each inode of the tree, by the index of its id.
    numbers: Vec<u32>,
}

/// An inode.
#[derive(Clone, Debug)]
pub(crate) struct Inode {
    pub(crate) id: InodeId,
    /// The number of the directory with its first name.
    pub(crate) parent: u32,
    pub(crate) nlink: u32,
    /// The length in bytes.
    pub(crate) size: u64,
    /// True if it needs an inode of 64 bytes.
    pub(crate) extended: bool,
}

impl Inodes {
    /// The number of the root.
    pub(crate) const ROOT: u32 = 0;

    /// Returns the inode with a number.
    pub(crate) fn get(&self, number: u32) -> &Inode {
        &self.list[number as usize]
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> &mut Inode {
        &mut self.list[number as usize]
    }

    /// Returns all inodes, by number.
    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut Inode> {
        self.list.iter_mut()
    }

    /// Returns all inodes, by number.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Inode> {
        self.list.iter()
    }

    /// Returns the length of an inode without xattrs and data, in bytes.
    pub(crate) fn len_of(&self, number: u32) -> u64 {
        if self.get(number).extended { EXTENDED_LEN } else { COMPACT_LEN }
    }

    /// Iterates over the numbers.
    pub(crate) fn numbers(&self) -> Range<u32> {
        0..u32::try_from(self.list.len()).expect("ids of inodes have 32 bits")
    }

    /// Returns the number of an inode of the tree; `None` if it has no name.
    pub(crate) fn number(&self, id: InodeId) -> Option<u32> {
        self.numbers.get(id.index()).copied().filter(|number| *number != NO_NUMBER)
    }

    /// Gives inodes of 64 bytes to those for which `needs` returns true.
    pub(crate) fn extend_all(&mut self, needs: impl Fn(InodeId) -> bool) {
        for inode in &mut self.list {
            inode.extended |= needs(inode.id);
        }
    }
}

/// Numbers the inodes of a tree. The lengths of directories are 0 at first.
///
/// # Errors
/// Returns an error if an inode cannot represent a file.
pub(crate) fn number<C: Content>(tree: &Tree<C>) -> Result<Inodes, Error> {
    let counts = tree.name_counts();
    let mut inodes = Inodes { list: Vec::new(), numbers: vec![NO_NUMBER; tree.inode_count()] };
    for step in tree.walk().filter(|step| step.first) {
        let number = u32::try_from(inodes.list.len()).expect("ids of inodes have 32 bits");
        inodes.numbers[step.id.index()] = number;
        let refuse = |reason: Unrepresentable| Error::unrepresentable(tree.path_of(step.id), reason);
        let kind = &tree.get(step.id).kind;
        let size = size_of(kind).map_err(refuse)?;
        let count = match kind {
            Kind::Directory(entries) => {
                let is_directory = |id: &&InodeId| matches!(tree.get(**id).kind, Kind::Directory(_));
                2 + entries.values().filter(is_directory).count() as u64
            }
            _ => counts[step.id.index()],
        };
        let nlink = u32::try_from(count)
            .map_err(|_| refuse(Unrepresentable::TooManyLinks { count, limit: Options::MAX_LINKS }))?;
        let parent = inodes.numbers[step.parent.index()];
        inodes.list.push(Inode { id: step.id, parent, nlink, size, extended: false });
    }
    Ok(inodes)
}

/// Returns the length of a file in bytes.
fn size_of<C: Content>(kind: &Kind<C>) -> Result<u64, Unrepresentable> {
    match kind {
        Kind::Regular(content) => match content.len() {
            len @ ..=MAX_FILE_LEN => Ok(len),
            len => Err(Unrepresentable::FileTooLarge { len, limit: MAX_FILE_LEN }),
        },
        Kind::Symlink(target) => Ok(target.as_bytes().len() as u64),
        Kind::CharacterDevice(number) | Kind::BlockDevice(number) if device(*number).is_none() => {
            Err(Unrepresentable::Device(*number))
        }
        _ => Ok(0),
    }
}
