//! The directories that a filesystem has in its root in addition to those of the tree, as the
//! `lost+found` of e2fsck.

use image_tree::{Inode, InodeId, Metadata, Name, Tree};

use crate::error::{Error, ErrorKind, Result};

/// A directory in the root of every filesystem of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnDirectory {
    /// The name.
    pub name: &'static str,
    /// The permissions.
    pub mode: u16,
}

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The directories.
    pub directories: &'a [OwnDirectory],
}

/// Adds the directories, so that later transforms apply to them as well. An existing file of such a
/// name is unchanged.
///
/// # Errors
/// If the tree has the maximum number of inodes.
pub fn apply<C>(tree: &mut Tree<C>, options: &Options<'_>) -> Result<()> {
    let root = InodeId::ROOT;
    for OwnDirectory { name, mode } in options.directories {
        if tree.lookup(root, name.as_bytes()).is_none() {
            let name = Name::new(*name).map_err(|error| Error::new(ErrorKind::BadInput, error))?;
            let directory = Inode::directory(Metadata::new(*mode));
            tree.insert(root, name, directory).map_err(|error| Error::new(ErrorKind::BadInput, error))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use image_tree::dump;

    use super::*;

    const EMPTY: &str = "/ 0 40755 2 0 0 0 5.0 - - -\n";
    const ADDED: &str = "/lost+found 0 40700 2 0 0 0 0.0 - - -\n";
    const EXISTING: &str = "/lost+found 0 100644 1 7 7 0 5.0 - - -\n";

    fn parse(text: &str) -> Tree<Vec<u8>> {
        dump::parse(text.as_bytes(), |_| Ok::<_, std::io::Error>(Vec::new())).expect("a dump")
    }

    #[test]
    fn the_directory_is_added_unless_its_name_is_taken() {
        for (before, after) in [
            (EMPTY.to_owned(), [EMPTY, ADDED].concat()),
            ([EMPTY, EXISTING].concat(), [EMPTY, EXISTING].concat()),
        ] {
            let mut tree = parse(&before);
            let directories = &[OwnDirectory { name: "lost+found", mode: 0o700 }];
            apply(&mut tree, &Options { directories }).expect("there is room");
            assert_eq!(tree, parse(&after));
        }
    }
}
