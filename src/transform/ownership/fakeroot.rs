//! The save file of `fakeroot -s FILE`: the owners, modes and device numbers that programs in
//! fakeroot saw.
//!
//! ```text
//! dev=fe00,ino=10256199,mode=20644,uid=0,gid=0,nlink=1,rdev=259
//! ```
//!
//! `dev` is hexadecimal, `mode` octal, everything else decimal; `faked.c` of fakeroot reads and
//! writes it.

use std::collections::BTreeMap;

use image_tree::{Device, FileType, Kind, Tree};

use crate::blob::Blob;
use crate::source::directory::HostInode;

/// The state of one inode of the host as programs in fakeroot saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SavedInode {
    /// The mode with the type bits.
    mode: u32,
    uid: u32,
    gid: u32,
    device: Device,
}

/// A save file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaveFile {
    inodes: BTreeMap<HostInode, SavedInode>,
}

impl SaveFile {
    /// Parses a save file. The last line for an inode takes precedence.
    ///
    /// # Errors
    /// Returns the number of an invalid line, and the fault.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let mut save = Self::default();
        for (index, text) in text.split(|byte| *byte == b'\n').enumerate() {
            if text.is_empty() {
                continue;
            }
            let (inode, saved) = line(text).ok_or_else(|| {
                let shown = text.get(..100).unwrap_or(text).escape_ascii();
                format!(
                    "line {}: \"{shown}\" is not dev=…,ino=…,mode=…,uid=…,gid=…,nlink=…,rdev=…, as fakeroot -s \
                     writes it",
                    index + 1
                )
            })?;
            save.inodes.insert(inode, saved);
        }
        Ok(save)
    }

    /// Applies the state that programs in fakeroot saw. `hosts` contains the inode on the host of
    /// each inode of the tree.
    ///
    /// As in fakeroot, files that the save file does not name are owned by root. An empty regular
    /// file can represent a device that was created in fakeroot.
    ///
    /// # Errors
    /// If the save file has another file type for a file, or names no file of the tree.
    pub(super) fn apply(&self, tree: &mut Tree<Blob>, hosts: &[HostInode]) -> Result<(), String> {
        let mut known = Vec::new();
        let mut walk = tree.walk();
        while let Some(step) = walk.next() {
            if !step.first {
                continue;
            }
            let saved = hosts.get(step.id.index()).and_then(|host| self.inodes.get(host));
            let mut kind = None;
            if let Some(saved) = saved {
                kind = saved.kind(&tree.get(step.id).kind).map_err(|why| {
                    let mut path = Vec::new();
                    walk.write_path(&mut path);
                    format!("{}: {why}; was the tree copied since?", path.escape_ascii())
                })?;
            }
            known.push((step.id, saved.copied(), kind));
        }
        if !self.inodes.is_empty() && known.iter().all(|(_, saved, _)| saved.is_none()) {
            let message =
                "names no file of the tree: it knows files by inode number, and copies have other ones";
            return Err(message.to_owned());
        }
        for (id, saved, kind) in known {
            let metadata = tree.metadata_mut(id);
            (metadata.uid, metadata.gid) = saved.map_or((0, 0), |saved| (saved.uid, saved.gid));
            if let Some(saved) = saved {
                metadata.chmod(saved.permissions());
            }
            if let Some(kind) = kind {
                // OK to ignore: neither is a directory.
                let _ = tree.replace_kind(id, kind);
            }
        }
        Ok(())
    }
}

impl SavedInode {
    fn permissions(&self) -> u16 {
        u16::try_from(self.mode & 0o7777).unwrap_or(0)
    }

    /// Returns the type in fakeroot, if the host has another one.
    fn kind(&self, host: &Kind<Blob>) -> Result<Option<Kind<Blob>>, String> {
        use image_tree::Content as _;
        let file_type = FileType::from_mode(self.mode);
        let special = match file_type {
            Some(FileType::CharacterDevice) => Some(Kind::CharacterDevice(self.device)),
            Some(FileType::BlockDevice) => Some(Kind::BlockDevice(self.device)),
            Some(FileType::Fifo) => Some(Kind::Fifo),
            Some(FileType::Socket) => Some(Kind::Socket),
            Some(FileType::Directory | FileType::Regular | FileType::Symlink) | None => None,
        };
        match (special, host) {
            (Some(kind), Kind::Regular(content)) if content.is_empty() => Ok(Some(kind)),
            _ if file_type == Some(host.file_type()) => Ok(None),
            _ => {
                let (saved, now) = (self.mode, u32::from(host.type_bits()));
                Err(format!("the file's mode {saved:o} is of another type than {now:o}, which it has"))
            }
        }
    }
}

fn line(text: &[u8]) -> Option<(HostInode, SavedInode)> {
    let text = str::from_utf8(text).ok()?;
    let mut fields = text.split(',').map(|field| field.split_once('='));
    let mut next = |name: &str, radix: u32| {
        let (found, value) = fields.next()??;
        // from_str_radix accepts a sign.
        let digits = value.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let number = u64::from_str_radix(value, radix).ok()?;
        (found == name && digits).then_some(number)
    };
    let device = next("dev", 16)?;
    let inode = next("ino", 10)?;
    let mode = u32::try_from(next("mode", 8)?).ok().filter(|mode| *mode <= 0o177_777)?;
    let id = |id: u64| u32::try_from(id).ok();
    let uid = id(next("uid", 10)?)?;
    let gid = id(next("gid", 10)?)?;
    next("nlink", 10)?;
    let rdev = next("rdev", 10)?;
    let numbers = Device { major: rustix::fs::major(rdev), minor: rustix::fs::minor(rdev) };
    fields
        .next()
        .is_none()
        .then_some((HostInode { device, inode }, SavedInode { mode, uid, gid, device: numbers }))
}

#[cfg(test)]
mod tests {
    use image_tree::dump;

    use super::*;

    const TREE: &str = "\
/ 0 40755 2 1000 1000 0 0.0 - - -
/dev 0 100644 1 1000 1000 0 0.0 - - -
/file 3 100644 1 1000 1000 0 0.0 - abc -
/link 4 120777 1 1000 1000 0 0.0 file - -
";

    fn tree() -> (Tree<Blob>, Vec<HostInode>) {
        let tree = dump::parse(TREE.as_bytes(), |file| {
            let bytes = vec![0; usize::try_from(file.size).unwrap_or(0)];
            Ok::<_, std::io::Error>(Blob::from(bytes))
        });
        let hosts = (1..=4).map(|inode| HostInode { device: 0xfe00, inode }).collect();
        (tree.expect("a dump"), hosts)
    }

    fn applied(save: &str) -> Result<String, String> {
        let (mut tree, hosts) = tree();
        SaveFile::parse(save.as_bytes())?.apply(&mut tree, &hosts)?;
        let mut text = Vec::new();
        dump::write(&tree, &mut text, |_, _| Ok(dump::Body::None)).expect("memory");
        Ok(String::from_utf8(text).expect("ASCII"))
    }

    #[test]
    fn applies_owners_modes_and_devices() {
        let save = "dev=fe00,ino=2,mode=20600,uid=0,gid=5,nlink=1,rdev=259\n\
                    dev=fe00,ino=3,mode=104755,uid=7,gid=8,nlink=1,rdev=0\n\
                    dev=fe00,ino=4,mode=120777,uid=9,gid=10,nlink=1,rdev=0\n\
                    dev=fe01,ino=1,mode=100600,uid=9,gid=10,nlink=1,rdev=0\n";
        let expected = "\
/ 0 40755 2 0 0 0 0.0 - - -
/dev 0 20600 1 0 5 259 0.0 - - -
/file 3 104755 1 7 8 0 0.0 - - -
/link 4 120777 1 9 10 0 0.0 file - -
";
        assert_eq!(applied(save).as_deref(), Ok(expected));
        assert!(applied("").expect("nothing was changed in it").starts_with("/ 0 40755 2 0 0 "));
    }

    #[test]
    fn an_access_acl_follows_the_saved_mode() {
        let acl = r"\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x07\x00\xe8\x03\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff\x10\x00MASK\x00\xff\xff\xff\xff\x20\x00OTHER\x00\xff\xff\xff\xff";
        let line = |mode: &str, mask: &str, other: &str| {
            let acl = acl.replace("MASK", mask).replace("OTHER", other);
            format!("/ 0 {mode} 2 0 0 0 0.0 - - - system.posix_acl_access={acl}\n")
        };
        let before = line("40660", r"\x06", r"\x00");
        let mut tree = dump::parse(before.as_bytes(), |_| Ok::<_, std::io::Error>(Blob::from(Vec::new())));
        let tree = tree.as_mut().expect("a dump");
        let save =
            SaveFile::parse(b"dev=1,ino=1,mode=40644,uid=0,gid=0,nlink=1,rdev=0\n").expect("a save file");
        save.apply(tree, &[HostInode { device: 1, inode: 1 }]).expect("it is of the tree");
        let mut text = Vec::new();
        dump::write(tree, &mut text, |_, _| Ok(dump::Body::None)).expect("memory");
        assert_eq!(String::from_utf8(text).expect("ASCII"), line("40644", r"\x04", r"\x04"));
    }

    #[test]
    fn refuses_the_save_file_of_another_tree() {
        let error =
            applied("dev=fe00,ino=77,mode=100600,uid=9,gid=10,nlink=1,rdev=0\n").expect_err("no file");
        assert!(error.starts_with("names no file of the tree"), "{error}");
        let error =
            applied("dev=fe00,ino=3,mode=20600,uid=0,gid=0,nlink=1,rdev=259\n").expect_err("not empty");
        assert!(error.starts_with("/file: the file's mode 20600 is of another type than 100000"), "{error}");
        let error =
            applied("dev=fe00,ino=1,mode=100600,uid=0,gid=0,nlink=1,rdev=0\n").expect_err("no directory");
        assert!(error.starts_with("/: "), "{error}");
    }

    #[test]
    fn refuses_invalid_lines() {
        let good = "dev=fe00,ino=2,mode=20600,uid=0,gid=5,nlink=1,rdev=259";
        assert!(SaveFile::parse(good.as_bytes()).is_ok());
        for (from, to) in [
            ("dev=", "d="),
            ("fe00", "xy"),
            ("fe00", ""),
            ("ino=2", "ino=-2"),
            ("20600", "89"),
            ("20600", "1000000"),
            ("uid=0", "uid=4294967296"),
            ("gid=5", "gid=+5"),
            (",rdev=259", ""),
            ("259", "259,x=1"),
            (",", ";"),
        ] {
            let error = SaveFile::parse(good.replace(from, to).as_bytes()).expect_err(to);
            assert!(error.starts_with("line 1: "), "{error}");
        }
    }
}
