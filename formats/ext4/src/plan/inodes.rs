//! The assignment of inode numbers to files.

use image_tree::{Content, InodeId, Kind, Tree};

use crate::error::{Error, Unrepresentable};
use crate::ondisk::inode::{FIRST_INO, LINK_MAX, ROOT_INO, TIME_MAX, TIME_MIN};
use crate::ondisk::orphan::ORPHAN_FILE_INO;
use crate::{BlockSize, Options};

/// The name of the directory that e2fsck uses.
pub(crate) const LOST_AND_FOUND: &[u8] = b"lost+found";

/// Inode numbers: 2 for the root, 11 for `lost+found`, 12 for the orphan file if there is one, and
/// then all other files in the order of the tree's walk, so that numbers, names and data blocks are
/// in the same order.
#[derive(Debug)]
pub(crate) struct Inodes {
    /// The inode numbers by [`InodeId::index`]; 0 for an inode without a name.
    numbers: Vec<u32>,
    /// The ids by inode number; `None` for inodes that are not in the tree.
    ids: Vec<Option<InodeId>>,
    /// The inode number of the parent of a directory, by [`InodeId::index`]. 0 for other files.
    parents: Vec<u32>,
    /// `i_links_count` before it is capped, by [`InodeId::index`].
    links: Vec<u64>,
    /// The last number before those of the tree's files.
    last_reserved: u32,
    /// The number of inodes at the end that are not in the tree.
    not_files: u32,
    /// The number of directories, including `lost+found`.
    pub(crate) directories: u32,
}

impl Inodes {
    /// Returns the inode number of a file of the tree.
    pub(crate) fn number(&self, id: InodeId) -> u32 {
        self.numbers[id.index()]
    }

    /// Returns the file with that number; `None` if it is not in the tree.
    pub(crate) fn id(&self, number: u32) -> Option<InodeId> {
        self.ids[number as usize]
    }

    /// Returns the inode number of the parent of a directory; the root is its own parent.
    pub(crate) fn parent(&self, id: InodeId) -> u32 {
        self.parents[id.index()]
    }

    /// Returns the last number in use. All from 1 on are in use.
    pub(crate) fn last(&self) -> u32 {
        u32::try_from(self.ids.len() - 1).expect("checked when numbers were given")
    }

    /// Assigns the next numbers to inodes that are not in the tree.
    ///
    /// # Errors
    /// Returns an error if there are more inodes than 32 bits can number.
    pub(crate) fn add(&mut self, count: usize) -> Result<(), Error> {
        let all = self.ids.len().saturating_add(count);
        let limit = u64::from(u32::MAX);
        let too_many = |_| Error::TooManyInodes { inodes: all as u64 - 1, limit };
        u32::try_from(all - 1).map_err(too_many)?;
        self.not_files += u32::try_from(count).map_err(too_many)?;
        self.ids.resize(all, None);
        Ok(())
    }

    /// Returns the number of files of the tree without the root and `lost+found`.
    pub(crate) fn files(&self) -> u32 {
        self.last() - self.not_files - self.last_reserved
    }

    /// Returns true if the tree contains a `lost+found`.
    pub(crate) fn has_own_lost_and_found(&self) -> bool {
        self.id(FIRST_INO).is_some()
    }

    /// Returns the number of links of a file, including that from a `lost+found` that is not in the
    /// tree.
    fn all_links(&self, id: InodeId) -> u64 {
        let of_lost_and_found = id == InodeId::ROOT && !self.has_own_lost_and_found();
        self.links[id.index()] + u64::from(of_lost_and_found)
    }

    /// Returns `i_links_count` of a file: its names, and for a directory `.` and the `..` of each
    /// subdirectory. A directory with more than 65,000 has 1, which means "many" (`dir_nlink`).
    pub(crate) fn links_count(&self, id: InodeId) -> u16 {
        let links = self.all_links(id);
        if links > LINK_MAX { 1 } else { u16::try_from(links).expect("at most 65,000") }
    }
}

/// Assigns a number to every file, and returns an error for metadata that ext4 cannot represent.
pub(crate) fn number<C: Content>(tree: &Tree<C>, options: &Options) -> Result<Inodes, Error> {
    let count = tree.inode_count();
    let lost_and_found = tree.lookup(InodeId::ROOT, LOST_AND_FOUND);
    if lost_and_found.is_some_and(|id| tree.entries(id).is_none()) {
        return Err(Error::unrepresentable([b"/", LOST_AND_FOUND].concat(), Unrepresentable::LostAndFound));
    }
    let last_reserved = if options.features.orphan_file { ORPHAN_FILE_INO } else { FIRST_INO };
    let mut inodes = Inodes {
        numbers: vec![0; count],
        ids: vec![None; last_reserved as usize + 1],
        parents: vec![0; count],
        links: vec![0; count],
        last_reserved,
        not_files: 0,
        directories: u32::from(lost_and_found.is_none()),
    };
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let path = || {
            let mut path = Vec::new();
            walk.write_path(&mut path);
            path
        };
        let index = step.id.index();
        inodes.links[index] += 1;
        if step.first {
            let number = if step.id == InodeId::ROOT {
                ROOT_INO
            } else if lost_and_found == Some(step.id) {
                FIRST_INO
            } else {
                let limit = u64::from(u32::MAX);
                let next = u32::try_from(inodes.ids.len())
                    .map_err(|_| Error::TooManyInodes { inodes: limit + 1, limit })?;
                inodes.ids.push(None);
                next
            };
            inodes.numbers[index] = number;
            inodes.ids[number as usize] = Some(step.id);
            check(tree, step.id, options.block_size)
                .map_err(|reason| Error::unrepresentable(path(), reason))?;
        }
        if let Kind::Directory(_) = tree.get(step.id).kind {
            inodes.directories += 1;
            inodes.parents[index] = inodes.number(step.parent);
            // One link for its own "." and one to its parent for its "..". The root's name is its
            // own "..".
            inodes.links[index] += 1;
            if step.name.is_some() {
                inodes.links[step.parent.index()] += 1;
            }
        } else if inodes.links[index] > LINK_MAX {
            let reason = Unrepresentable::TooManyLinks { count: inodes.links[index], limit: LINK_MAX };
            return Err(Error::unrepresentable(path(), reason));
        }
    }
    if !options.features.dir_index {
        check_subdirectories(tree, &inodes)?;
    }
    Ok(inodes)
}

/// Checks the number of subdirectories of directories without an index: the kernel does not allow
/// more than the maximum number of links.
fn check_subdirectories<C>(tree: &Tree<C>, inodes: &Inodes) -> Result<(), Error> {
    let ids = inodes.ids.iter().flatten();
    let mut directories = ids.filter(|id| matches!(tree.get(**id).kind, Kind::Directory(_)));
    match directories.find(|id| inodes.all_links(**id) > LINK_MAX) {
        None => Ok(()),
        Some(id) => {
            // Its own two links are not subdirectories.
            let (count, limit) = (inodes.all_links(*id) - 2, LINK_MAX - 2);
            Err(Error::unrepresentable(
                tree.path_of(*id),
                Unrepresentable::TooManyDirectories { count, limit },
            ))
        }
    }
}

fn check<C: Content>(tree: &Tree<C>, id: InodeId, block_size: BlockSize) -> Result<(), Unrepresentable> {
    let inode = tree.get(id);
    let time = inode.metadata.mtime;
    if !(TIME_MIN..=TIME_MAX).contains(&time.seconds()) {
        return Err(Unrepresentable::Time { time, limits: (TIME_MIN, TIME_MAX) });
    }
    match &inode.kind {
        Kind::Regular(content) if content.len() > block_size.max_file_len() => {
            Err(Unrepresentable::FileTooLarge { len: content.len(), limit: block_size.max_file_len() })
        }
        Kind::Symlink(target) if target.as_bytes().len() > block_size.max_symlink() => {
            Err(Unrepresentable::TargetTooLong {
                len: target.as_bytes().len(),
                limit: block_size.max_symlink(),
            })
        }
        Kind::CharacterDevice(device) | Kind::BlockDevice(device)
            if device.major > 0xfff || device.minor > 0xf_ffff =>
        {
            Err(Unrepresentable::Device(*device))
        }
        _ => Ok(()),
    }
}
