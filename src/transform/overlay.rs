//! One tree over another.

use std::collections::BTreeSet;
use std::fmt;

use image_tree::{Inode, InodeId, InsertError, Kind, Tree};

/// A file of the lower tree that the upper one has something else for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Its path.
    pub path: Vec<u8>,
    /// What it was.
    pub was: FileType,
    /// What it is now.
    pub now: FileType,
}

impl Replaced {
    /// Whether a directory took the place of a symbolic link, as where `lib/` comes over `lib -> usr/lib`. It is seldom
    /// what anybody wants, since what the link led to is not merged with what is in the directory.
    #[must_use]
    pub fn is_link_by_directory(&self) -> bool {
        (self.was, self.now) == (FileType::Symlink, FileType::Directory)
    }
}

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} replaced by {}", self.path.escape_ascii(), self.was, self.now)
    }
}

/// What kind of file something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A directory.
    Directory,
    /// A regular file.
    Regular,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl FileType {
    fn of<C>(kind: &Kind<C>) -> Self {
        match kind {
            Kind::Directory(_) => Self::Directory,
            Kind::Regular(_) => Self::Regular,
            Kind::Symlink(_) => Self::Symlink,
            Kind::CharacterDevice(_) => Self::CharacterDevice,
            Kind::BlockDevice(_) => Self::BlockDevice,
            Kind::Fifo => Self::Fifo,
            Kind::Socket => Self::Socket,
        }
    }
}

impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Directory => "a directory",
            Self::Regular => "a file",
            Self::Symlink => "a symbolic link",
            Self::CharacterDevice => "a character device",
            Self::BlockDevice => "a block device",
            Self::Fifo => "a fifo",
            Self::Socket => "a socket",
        })
    }
}

/// Lays `upper` over `lower`. `implied` are directories of `upper` whose metadata nobody gave.
///
/// * A directory over a directory: both their entries, and the metadata of the upper one with all its xattrs, unless it
///   is implied. That goes for the root too.
/// * Anything else over anything: the upper one as it is, and nothing of the lower one or of what was beneath it. No
///   symbolic link is followed, so a directory over a symbolic link replaces the link.
/// * A name of the lower tree that nothing is laid over keeps its file, though another name of that file is replaced.
///   Names of one file in the upper tree are names of one file.
///
/// The result is numbered in the order of a walk; the replaced names come in the order of a walk of `upper`.
///
/// # Errors
/// [`InsertError::TooManyInodes`] when both trees together have more inodes than one can.
pub fn apply<C: Clone>(
    lower: Tree<C>,
    upper: &Tree<C>,
    implied: &BTreeSet<InodeId>,
) -> Result<(Tree<C>, Vec<Replaced>), InsertError> {
    let mut tree = lower;
    let mut replaced = Vec::new();
    // The id in `tree` of each inode of `upper` that has come.
    let mut ids: Vec<Option<InodeId>> = vec![None; upper.inode_count()];
    let mut walk = upper.walk();
    while let Some(step) = walk.next() {
        let inode = upper.get(step.id);
        // A walk comes to a directory before its entries, so only the root has none.
        let (Some(name), Some(parent)) = (step.name, ids[step.parent.index()]) else {
            ids[step.id.index()] = Some(Tree::<C>::ROOT);
            merge(&mut tree, Tree::<C>::ROOT, inode, implied.contains(&step.id));
            continue;
        };
        if let Some(existing) = tree.lookup(parent, name.as_bytes()) {
            let (was, now) = (FileType::of(&tree.get(existing).kind), FileType::of(&inode.kind));
            if (was, now) == (FileType::Directory, FileType::Directory) {
                merge(&mut tree, existing, inode, implied.contains(&step.id));
                ids[step.id.index()] = Some(existing);
                continue;
            }
            let mut path = Vec::new();
            walk.write_path(&mut path);
            replaced.push(Replaced { path, was, now });
            tree.remove(parent, name.as_bytes());
        }
        match ids[step.id.index()] {
            Some(first) => tree.link(parent, name.clone(), first)?,
            None => {
                let id = tree.insert(parent, name.clone(), without_entries(inode))?;
                ids[step.id.index()] = Some(id);
            }
        }
    }
    Ok((tree.compact().0, replaced))
}

fn merge<C>(tree: &mut Tree<C>, id: InodeId, upper: &Inode<C>, implied: bool) {
    if !implied {
        *tree.metadata_mut(id) = upper.metadata.clone();
    }
}

fn without_entries<C: Clone>(inode: &Inode<C>) -> Inode<C> {
    match &inode.kind {
        Kind::Directory(_) => Inode::directory(inode.metadata.clone()),
        _ => inode.clone(),
    }
}

#[cfg(test)]
mod tests {
    use image_tree::dump::{self, Body};

    use super::*;

    fn tree(lines: &str) -> Tree<Vec<u8>> {
        let body = |file: &dump::RegularFile<'_>| match &file.body {
            Body::Inline(bytes) => bytes.to_vec(),
            _ => Vec::new(),
        };
        dump::parse(lines.as_bytes(), |file| Ok::<_, std::io::Error>(body(&file))).expect("a dump")
    }

    fn text(tree: &Tree<Vec<u8>>) -> String {
        let mut text = Vec::new();
        dump::write(tree, &mut text, |_, bytes| Ok(Body::Inline(bytes.into()))).expect("memory");
        String::from_utf8(text).expect("ASCII")
    }

    const LOWER: &str = "\
/ 0 40755 2 0 0 0 1.0 - - -
/dir 0 40755 2 1 1 0 1.0 - - - user.a=1
/dir/both 5 100644 2 1 1 0 1.0 - lower -
/dir/lower 0 100644 1 1 1 0 1.0 - - -
/file 5 100644 1 1 1 0 1.0 - lower -
/lib 7 120777 1 0 0 0 1.0 usr/lib - -
/link 5 @100644 2 1 1 0 1.0 /dir/both - -
/tree 0 40755 2 1 1 0 1.0 - - -
/tree/inner 0 100644 1 1 1 0 1.0 - - -
";

    #[test]
    fn every_kind_over_every_kind() {
        let upper = tree(
            "\
/ 0 40700 2 2 2 0 2.0 - - -
/dir 0 40700 2 2 2 0 2.0 - - - user.b=2
/dir/both 5 100600 2 2 2 0 2.0 - upper -
/dir/upper 5 @100600 2 2 2 0 2.0 /dir/both - -
/file 0 40755 2 2 2 0 2.0 - - -
/file/in 0 10644 1 2 2 0 2.0 - - -
/lib 0 40755 2 2 2 0 2.0 - - -
/lib/x 0 100644 1 2 2 0 2.0 - - -
/tree 4 120777 1 2 2 0 2.0 file - -
",
        );
        let (merged, replaced) = apply(tree(LOWER), &upper, &BTreeSet::new()).expect("small");
        let expected = "\
/ 0 40700 5 2 2 0 2.0 - - -
/dir 0 40700 2 2 2 0 2.0 - - - user.b=2
/dir/both 5 100600 2 2 2 0 2.0 - upper -
/dir/lower 0 100644 1 1 1 0 1.0 - - -
/dir/upper 5 @100600 2 2 2 0 2.0 /dir/both - -
/file 0 40755 2 2 2 0 2.0 - - -
/file/in 0 10644 1 2 2 0 2.0 - - -
/lib 0 40755 2 2 2 0 2.0 - - -
/lib/x 0 100644 1 2 2 0 2.0 - - -
/link 5 100644 1 1 1 0 1.0 - lower -
/tree 4 120777 1 2 2 0 2.0 file - -
";
        assert_eq!(text(&merged), expected);
        assert_eq!(merged, tree(expected));
        let told: Vec<String> = replaced.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "/dir/both: a file replaced by a file",
                "/file: a file replaced by a directory",
                "/lib: a symbolic link replaced by a directory",
                "/tree: a directory replaced by a symbolic link",
            ]
        );
        assert_eq!(replaced.iter().filter(|one| one.is_link_by_directory()).count(), 1);
    }

    #[test]
    fn implied_directories_give_no_metadata() {
        let upper = tree(
            "/ 0 40700 2 2 2 0 2.0 - - -\n/dir 0 40700 2 2 2 0 2.0 - - -\n/new 0 40700 2 2 2 0 2.0 - - -\n",
        );
        let implied = upper.walk().map(|step| step.id).collect();
        let (merged, replaced) = apply(tree(LOWER), &upper, &implied).expect("small");
        let expected = [
            &LOWER
                .replace("/ 0 40755 2", "/ 0 40755 5")
                .replace("/tree 0", "/new 0 40700 2 2 2 0 2.0 - - -\n/tree 0"),
            "",
        ]
        .concat();
        assert_eq!((text(&merged), replaced), (expected, Vec::new()));
    }

    #[test]
    fn over_itself_nothing_changes() {
        let (merged, replaced) = apply(tree(LOWER), &tree(LOWER), &BTreeSet::new()).expect("small");
        assert_eq!(merged, tree(LOWER));
        assert_eq!(replaced.len(), 6);
    }
}
