//! The id that no file can have.

use image_tree::Tree;

use super::error::visit_inodes;
use crate::accounts::UNDEFINED;
use crate::error::Result;

/// Refuses files with the user or group 4294967295, whatever its origin.
///
/// # Errors
/// The paths of those files, with the flags that set another owner.
pub fn check<C>(tree: &Tree<C>) -> Result<()> {
    visit_inodes(tree, |_, inode| {
        let what = match (inode.metadata.uid, inode.metadata.gid) {
            (UNDEFINED, UNDEFINED) => "user and group",
            (UNDEFINED, _) => "user",
            (_, UNDEFINED) => "group",
            _ => return Ok(()),
        };
        Err(format!(
            "its {what} is {UNDEFINED}, the -1 of chown(2), which no file can have; give it another with --chown or \
             --owner"
        ))
    })
}

#[cfg(test)]
mod tests {
    use image_tree::dump;

    use super::*;

    fn refused(text: &str) -> Option<String> {
        let tree: Tree<Vec<u8>> =
            dump::parse(text.as_bytes(), |_| Ok::<_, std::io::Error>(Vec::new())).expect("a dump");
        check(&tree).err().map(|error| error.to_string())
    }

    #[test]
    fn every_file_with_the_undefined_id_is_named_once() {
        let root = "/ 0 40755 2 0 0 0 0.0 - - -\n";
        assert_eq!(refused(&format!("{root}/a 0 100644 1 4294967294 4294967294 0 0.0 - - -\n")), None);
        let error = refused(&format!(
            "{root}/a 0 100644 2 4294967295 0 0 0.0 - - -\n/b 0 @100644 2 0 0 0 0.0 /a - -\n\
             /c 0 100644 1 0 4294967295 0 0.0 - - -\n"
        ));
        let error = error.expect("two files have it");
        assert!(
            error.starts_with("/a: its user is 4294967295") && error.contains("; /c: its group is"),
            "{error}"
        );
        assert!(error.contains("--chown") && !error.contains("/b"), "{error}");
    }
}
