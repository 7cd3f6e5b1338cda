//! The peer `mkext4`: the crate's counterpart to `mke2fs -d`, called as in its own example.
//!
//! The crate does not read directories. Like the example, this walks with `std::fs` on one thread,
//! in sorted order, sets owner, mode and times, and no extended attributes; the root directory
//! keeps the crate's defaults.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use mkext4::sink::FileSink;
use mkext4::{FsBuilder, InodeHandle, Meta, Options, ROOT, SpecialKind};

/// Creates an ext4 image of `tree` with a size of `mib` MiB.
pub(crate) fn make(tree: &Path, out: &Path, mib: u64) -> Result<()> {
    let size = mib.checked_mul(1 << 20).context("a size of more than 16 EiB")?;
    let mut walk = Walk {
        builder: FsBuilder::new(Options::new(size, *b"rootcast-compare", 1_704_067_200))?,
        linked: HashMap::new(),
        fills: Vec::new(),
    };
    walk.declare(ROOT, tree)?;
    let Walk { builder, fills, .. } = walk;
    let layout = builder.seal()?;
    let mut sink = FileSink::create(out, layout.image_len()).with_context(|| out.display().to_string())?;
    let mut writer = layout.writer(&mut sink)?;
    for (handle, path) in &fills {
        let mut file = File::open(path).with_context(|| path.display().to_string())?;
        writer.fill(*handle, &mut file).with_context(|| path.display().to_string())?;
    }
    writer.finish()?;
    Ok(())
}

struct Walk {
    builder: FsBuilder,
    /// Files with several names, by device and inode number.
    linked: HashMap<(u64, u64), InodeHandle>,
    /// Files with content, in the order of declaration.
    fills: Vec<(InodeHandle, PathBuf)>,
}

impl Walk {
    fn declare(&mut self, parent: InodeHandle, directory: &Path) -> Result<()> {
        let entries = std::fs::read_dir(directory).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        let mut entries = entries.with_context(|| directory.display().to_string())?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            self.declare_entry(parent, &path).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    fn declare_entry(&mut self, parent: InodeHandle, path: &Path) -> Result<()> {
        let name =
            path.file_name().and_then(|name| name.to_str()).context("mkext4 takes only names in UTF-8")?;
        let metadata = std::fs::symlink_metadata(path)?;
        let meta = meta_of(&metadata)?;
        let file_type = metadata.file_type();
        if file_type.is_dir() {
            let child = self.builder.mkdir(parent, name, meta)?;
            self.declare(child, path)?;
        } else if file_type.is_symlink() {
            let target = std::fs::read_link(path)?;
            let target = target.to_str().context("mkext4 takes only targets in UTF-8")?;
            self.builder.symlink(parent, name, target, meta)?;
        } else if file_type.is_file() {
            self.declare_file(parent, name, path, &metadata, meta)?;
        } else {
            let (major, minor) = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
            let kind = if file_type.is_char_device() {
                SpecialKind::Char { major, minor }
            } else if file_type.is_block_device() {
                SpecialKind::Block { major, minor }
            } else if file_type.is_fifo() {
                SpecialKind::Fifo
            } else {
                SpecialKind::Socket
            };
            self.builder.mknod(parent, name, meta, kind)?;
        }
        Ok(())
    }

    fn declare_file(
        &mut self,
        parent: InodeHandle,
        name: &str,
        path: &Path,
        metadata: &Metadata,
        meta: Meta,
    ) -> Result<()> {
        let key = (metadata.dev(), metadata.ino());
        if let Some(&existing) = self.linked.get(&key) {
            self.builder.hardlink(parent, name, existing)?;
            return Ok(());
        }
        let file = self.builder.file(parent, name, meta, metadata.len())?;
        if metadata.nlink() > 1 {
            self.linked.insert(key, file);
        }
        if metadata.len() > 0 {
            self.fills.push((file, path.to_owned()));
        }
        Ok(())
    }
}

fn meta_of(metadata: &Metadata) -> Result<Meta> {
    let permissions = u16::try_from(metadata.mode() & 0o7777)?;
    let mtime = (metadata.mtime(), u32::try_from(metadata.mtime_nsec())?);
    let mut meta = Meta::new(permissions, metadata.uid(), metadata.gid(), mtime);
    meta.atime = Some((metadata.atime(), u32::try_from(metadata.atime_nsec())?));
    meta.ctime = Some((metadata.ctime(), u32::try_from(metadata.ctime_nsec())?));
    Ok(meta)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mkext4::reader::Fs;

    #[test]
    fn the_image_contains_the_tree() {
        let scratch = tempfile::tempdir().unwrap();
        let tree = scratch.path().join("tree");
        std::fs::create_dir_all(tree.join("dir")).unwrap();
        std::fs::write(tree.join("dir/file"), "content").unwrap();
        std::fs::hard_link(tree.join("dir/file"), tree.join("link")).unwrap();
        std::os::unix::fs::symlink("dir/file", tree.join("symlink")).unwrap();
        let out = scratch.path().join("out");
        make(&tree, &out, 64).unwrap();

        let image = Fs::open(File::open(&out).unwrap()).unwrap();
        assert!(image.verify().unwrap().is_empty());
        let file = image.resolve("/dir/file").unwrap();
        assert_eq!(image.read_file(file).unwrap(), b"content");
        assert_eq!(image.resolve("/link").unwrap(), file);
        let symlink = image.resolve("/symlink").unwrap();
        assert_eq!(image.symlink_target(symlink).unwrap(), b"dir/file");
        assert_eq!(std::fs::metadata(&out).unwrap().len(), 64 << 20);
    }
}
