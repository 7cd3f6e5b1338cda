//! The content of a tree, counted before the measurements.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// The content of one tree. A hard link counts as a name; its inode counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    /// Regular files.
    pub(crate) files: u64,
    /// The total length of these files in bytes, holes included.
    pub(crate) bytes: u64,
    /// The total length of these files in bytes, each rounded up to blocks of 4096.
    pub(crate) block_bytes: u64,
    /// Directories, the tree's root included.
    pub(crate) directories: u64,
    /// Symbolic links, devices, FIFOs and sockets.
    pub(crate) others: u64,
    /// Names in all directories.
    pub(crate) names: u64,
    /// The total length of these names in bytes.
    pub(crate) name_bytes: u64,
}

impl Census {
    /// Counts `tree`, which may be large, without building a list: the memory of this program is a
    /// lower bound for the measured memory of its children.
    pub(crate) fn of(tree: &Path) -> Result<Census> {
        let mut census = Census { directories: 1, ..Census::default() };
        let mut linked = HashSet::new();
        let mut pending = vec![tree.to_owned()];
        while let Some(directory) = pending.pop() {
            let entries = std::fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
            for entry in entries {
                let entry = entry.with_context(|| directory.display().to_string())?;
                let metadata = entry.metadata().with_context(|| entry.path().display().to_string())?;
                census.names += 1;
                census.name_bytes += u64::try_from(entry.file_name().len())?;
                if metadata.is_dir() {
                    census.directories += 1;
                    pending.push(entry.path());
                } else if metadata.nlink() > 1 && !linked.insert((metadata.dev(), metadata.ino())) {
                    // Another name of an inode that is already counted.
                } else if metadata.is_file() {
                    census.files += 1;
                    census.bytes += metadata.len();
                    census.block_bytes += metadata.len().next_multiple_of(4096);
                } else {
                    census.others += 1;
                }
            }
        }
        Ok(census)
    }

    /// Inodes in use.
    fn inodes(&self) -> u64 {
        self.files + self.directories + self.others
    }

    /// Returns a size in MiB in which `mke2fs` and `mkext4` have room for this tree.
    ///
    /// Both default to one inode for each 16 KiB, and `mke2fs` uses another block size and ratio
    /// below 512 MiB.
    pub(crate) fn generous_image_mib(&self) -> u64 {
        // Directory blocks may be half empty, and a slow symlink takes a block.
        let directories = 4 * (self.name_bytes + 16 * self.names) + 4096 * (self.directories + self.others);
        let content = self.block_bytes + directories + 256 * self.inodes();
        let for_content = content + content / 5 + (256 << 20);
        let for_inodes = self.inodes() * 16384 * 11 / 10;
        for_content.max(for_inodes).div_ceil(1 << 20).max(512)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_inodes_once() {
        let tree = tempfile::tempdir().unwrap();
        let at = |name: &str| tree.path().join(name);
        std::fs::create_dir(at("dir")).unwrap();
        std::fs::write(at("dir/a"), [1; 5000]).unwrap();
        std::fs::hard_link(at("dir/a"), at("b")).unwrap();
        std::os::unix::fs::symlink("b", at("c")).unwrap();
        let expected = Census {
            files: 1,
            bytes: 5000,
            block_bytes: 8192,
            directories: 2,
            others: 1,
            names: 4,
            name_bytes: 6,
        };
        assert_eq!(Census::of(tree.path()).unwrap(), expected);
    }

    #[test]
    fn small_files_need_more_inodes_than_blocks() {
        let many = Census { files: 120_000, directories: 1, ..Census::default() };
        assert!(many.generous_image_mib() * 1024 / 16 > 120_000);
        assert_eq!(Census::default().generous_image_mib(), 512);
    }

    #[test]
    fn names_a_directory_that_cannot_be_read() {
        let error = Census::of(Path::new("/nonexistent/tree")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/tree"), "{error}");
    }
}
