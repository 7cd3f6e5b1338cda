//! The directory in which e2fsck puts files that have lost their names.

use image_tree::{Inode, InodeId, Metadata, Name, Tree};

use crate::error::{Error, ErrorKind, Result};

const NAME: &str = "lost+found";

/// Adds the directory that every ext4 filesystem has, so that later transforms apply to it as well.
/// An existing file of that name is unchanged.
///
/// # Errors
/// If the tree cannot hold another file.
pub fn apply<C>(tree: &mut Tree<C>) -> Result<()> {
    let root = InodeId::ROOT;
    if tree.lookup(root, NAME.as_bytes()).is_some() {
        return Ok(());
    }
    let name = Name::new(NAME).map_err(|error| Error::new(ErrorKind::BadInput, error))?;
    let directory = Inode::directory(Metadata::new(0o700));
    tree.insert(root, name, directory).map_err(|error| Error::new(ErrorKind::BadInput, error))?;
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
            apply(&mut tree).expect("there is room");
            assert_eq!(tree, parse(&after));
        }
    }
}
