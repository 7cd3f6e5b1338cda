//! Which inode number each file has.

use image_tree::{Content, InodeId, Kind, Tree};

use crate::error::{Error, Inexpressible};
use crate::ondisk::inode::{FIRST_INO, LINK_MAX, ROOT_INO, TIME_MAX, TIME_MIN};
use crate::ondisk::orphan::ORPHAN_FILE_INO;
use crate::{BlockSize, Options};

/// The name of e2fsck's directory.
pub(crate) const LOST_AND_FOUND: &[u8] = b"lost+found";

/// Inode numbers: 2 for the root, 11 for `lost+found`, 12 for the orphan file if there is one, and from there on every file
/// in the order of the tree's walk, so that numbers, names and data blocks run the same way.
#[derive(Debug)]
pub(crate) struct Inodes {
    /// By [`InodeId::index`]; 0 for an inode that no name reaches.
    numbers: Vec<u32>,
    /// By inode number; none for reserved inodes that are not of the tree.
    ids: Vec<Option<InodeId>>,
    /// By [`InodeId::index`]: the directory that holds a directory, as an inode number. 0 for other files.
    parents: Vec<u32>,
    /// By [`InodeId::index`]: `i_links_count` before it is capped.
    links: Vec<u64>,
    /// The last number before those of the tree's files.
    last_reserved: u32,
    /// How many numbers at the end are not of files of the tree.
    not_files: u32,
    /// How many directories there are, `lost+found` among them.
    pub(crate) directories: u32,
}

impl Inodes {
    /// The inode number of a file of the tree.
    pub(crate) fn number(&self, id: InodeId) -> u32 {
        self.numbers[id.index()]
    }

    /// The file with that number; none if it is not of the tree.
    pub(crate) fn id(&self, number: u32) -> Option<InodeId> {
        self.ids[number as usize]
    }

    /// The number of the directory that holds this one; the root holds itself.
    pub(crate) fn parent(&self, id: InodeId) -> u32 {
        self.parents[id.index()]
    }

    /// The last number in use. All from 1 on are in use.
    pub(crate) fn last(&self) -> u32 {
        u32::try_from(self.ids.len() - 1).expect("checked when numbers were given")
    }

    /// Gives the next numbers to inodes that are not of the tree.
    ///
    /// # Errors
    /// When there are more inodes than 32 bits can number.
    pub(crate) fn add(&mut self, count: usize) -> Result<(), Error> {
        let all = self.ids.len().saturating_add(count);
        let limit = u64::from(u32::MAX);
        let too_many = |_| Error::TooManyInodes { inodes: all as u64 - 1, limit };
        u32::try_from(all - 1).map_err(too_many)?;
        self.not_files += u32::try_from(count).map_err(too_many)?;
        self.ids.resize(all, None);
        Ok(())
    }

    /// How many files of the tree have numbers beyond the root's and that of `lost+found`.
    pub(crate) fn files(&self) -> u32 {
        self.last() - self.not_files - self.last_reserved
    }

    /// Whether the tree has a `lost+found` of its own.
    pub(crate) fn has_own_lost_and_found(&self) -> bool {
        self.id(FIRST_INO).is_some()
    }

    /// The links of a file, with that of a `lost+found` which is not of the tree.
    fn all_links(&self, id: InodeId) -> u64 {
        let of_lost_and_found = id == Tree::<()>::ROOT && !self.has_own_lost_and_found();
        self.links[id.index()] + u64::from(of_lost_and_found)
    }

    /// `i_links_count` of a file: its names, and for a directory `.` and the `..` of each directory within. A
    /// directory with more than 65,000 has 1, which stands for "many" (`dir_nlink`).
    pub(crate) fn links_count(&self, id: InodeId) -> u16 {
        let links = self.all_links(id);
        if links > LINK_MAX { 1 } else { u16::try_from(links).expect("at most 65,000") }
    }
}

/// Gives every file a number and checks what ext4 cannot hold of its metadata.
pub(crate) fn number<C: Content>(tree: &Tree<C>, options: &Options) -> Result<Inodes, Error> {
    let count = tree.inode_count();
    let lost_and_found = tree.lookup(Tree::<C>::ROOT, LOST_AND_FOUND);
    if lost_and_found.is_some_and(|id| tree.entries(id).is_none()) {
        return Err(Error::inexpressible([b"/", LOST_AND_FOUND].concat(), Inexpressible::LostAndFound));
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
            let number = if step.id == Tree::<C>::ROOT {
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
                .map_err(|reason| Error::inexpressible(path(), reason))?;
        }
        if let Kind::Directory(_) = tree.get(step.id).kind {
            inodes.directories += 1;
            inodes.parents[index] = inodes.number(step.parent);
            // Its own "." and, in its parent, its "..". The root's name is its own "..".
            inodes.links[index] += 1;
            if step.name.is_some() {
                inodes.links[step.parent.index()] += 1;
            }
        } else if inodes.links[index] > LINK_MAX {
            let reason = Inexpressible::TooManyLinks { count: inodes.links[index], limit: LINK_MAX };
            return Err(Error::inexpressible(path(), reason));
        }
    }
    if !options.features.dir_index {
        check_subdirectories(tree, &inodes)?;
    }
    Ok(inodes)
}

/// The kernel counts the directories in a directory without an index one by one, and refuses more than a file can have links.
fn check_subdirectories<C>(tree: &Tree<C>, inodes: &Inodes) -> Result<(), Error> {
    let ids = inodes.ids.iter().flatten();
    let mut directories = ids.filter(|id| matches!(tree.get(**id).kind, Kind::Directory(_)));
    match directories.find(|id| inodes.all_links(**id) > LINK_MAX) {
        None => Ok(()),
        Some(id) => {
            // Its own two links are not directories within.
            let (count, limit) = (inodes.all_links(*id) - 2, LINK_MAX - 2);
            Err(Error::inexpressible(tree.path_of(*id), Inexpressible::TooManyDirectories { count, limit }))
        }
    }
}

fn check<C: Content>(tree: &Tree<C>, id: InodeId, block_size: BlockSize) -> Result<(), Inexpressible> {
    let inode = tree.get(id);
    let time = inode.metadata.mtime;
    if !(TIME_MIN..=TIME_MAX).contains(&time.seconds()) {
        return Err(Inexpressible::Time { time, limits: (TIME_MIN, TIME_MAX) });
    }
    match &inode.kind {
        Kind::Regular(content) if content.len() > block_size.max_file_len() => {
            Err(Inexpressible::FileTooLarge { len: content.len(), limit: block_size.max_file_len() })
        }
        Kind::Symlink(target) if target.as_bytes().len() > block_size.max_symlink() => {
            Err(Inexpressible::TargetTooLong {
                len: target.as_bytes().len(),
                limit: block_size.max_symlink(),
            })
        }
        Kind::CharacterDevice(device) | Kind::BlockDevice(device)
            if device.major > 0xfff || device.minor > 0xf_ffff =>
        {
            Err(Inexpressible::Device(*device))
        }
        _ => Ok(()),
    }
}
