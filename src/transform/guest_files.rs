//! The mount points and empty files that a guest needs, and that images of containers lack: the
//! programs that run containers make them above the layers.

use std::fmt;

use image_tree::resolve::resolve_in_root;
use image_tree::{Inode, InodeId, Kind, Metadata, Name, Timestamp, Tree};

use crate::error::{Error, ErrorKind, Result};
use crate::log::{Log, Report as Logged};

/// The directories, with their permissions.
const DIRECTORIES: [(&str, u16); 6] =
    [("dev", 0o755), ("etc", 0o755), ("proc", 0o755), ("run", 0o755), ("sys", 0o755), ("tmp", 0o1777)];

/// The files of `/etc`, with their contents.
const FILES: [(&str, &str); 3] =
    [("hostname", ""), ("hosts", "127.0.0.1 localhost\n::1 localhost\n"), ("resolv.conf", "")];

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The time of what is added.
    pub time: Timestamp,
}

/// The paths that were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report(pub Vec<String>);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "added for the guest: {}", self.0.join(", "))
    }
}

impl Logged for Report {
    fn log(&self, log: &Log) {
        if !self.0.is_empty() {
            log.detail(self);
        }
    }
}

/// Adds what is absent, owned by root. Whatever has one of the names, also a link to nothing, is
/// unchanged.
///
/// # Errors
/// If the tree has the maximum number of inodes.
pub fn apply<C: From<Vec<u8>>>(tree: &mut Tree<C>, options: &Options) -> Result<Report> {
    let mut report = Report::default();
    let mut add = |tree: &mut Tree<C>, parent: InodeId, path: String, inode: Inode<C>| -> Result<()> {
        let name = path.rsplit('/').next().unwrap_or_default();
        if tree.lookup(parent, name.as_bytes()).is_some() {
            return Ok(());
        }
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| Error::new(ErrorKind::BadInput, error);
        let name = Name::new(name).map_err(|error| failed(error.into()))?;
        tree.insert(parent, name, inode).map_err(|error| failed(error.into()))?;
        report.0.push(path);
        Ok(())
    };
    let metadata = |mode| Metadata { mtime: options.time, ..Metadata::new(mode) };
    for (name, mode) in DIRECTORIES {
        add(tree, InodeId::ROOT, format!("/{name}"), Inode::directory(metadata(mode)))?;
    }
    // A link to a directory is followed; there is nothing to add beneath any other file.
    let etc = resolve_in_root(tree, b"/etc").filter(|id| tree.entries(*id).is_some());
    for (name, contents) in FILES {
        let Some(etc) = etc else { break };
        let kind = Kind::Regular(C::from(contents.as_bytes().to_vec()));
        add(tree, etc, format!("/etc/{name}"), Inode { metadata: metadata(0o644), kind })?;
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use image_tree::dump;

    use super::*;

    fn parse(text: &str) -> Tree<Vec<u8>> {
        let text = format!("/ 0 40755 2 0 0 0 0.0 - - -\n{text}");
        dump::parse(text.as_bytes(), |_| Ok::<_, std::io::Error>(Vec::new())).expect("a dump")
    }

    fn added(text: &str) -> (Tree<Vec<u8>>, Vec<String>) {
        let mut tree = parse(text);
        let report = apply(&mut tree, &Options { time: Timestamp::from_seconds(7) }).expect("there is room");
        (tree, report.0)
    }

    #[test]
    fn a_tree_without_files_gets_all() {
        let (tree, paths) = added("");
        assert_eq!(paths.len(), 9);
        for (path, mode) in [("/tmp", 0o1777), ("/proc", 0o755), ("/etc/resolv.conf", 0o644)] {
            let inode = tree.get(tree.resolve_no_symlinks(path.as_bytes()).expect(path));
            assert_eq!((inode.metadata.mode, inode.metadata.mtime.seconds()), (mode, 7), "{path}");
        }
        let hosts = tree.get(tree.resolve_no_symlinks(b"/etc/hosts").expect("it was added"));
        assert!(matches!(&hosts.kind, Kind::Regular(bytes) if bytes.starts_with(b"127.0.0.1 localhost\n")));
    }

    #[test]
    fn existing_names_are_unchanged() {
        let text = "/e 0 40700 2 5 5 0 1.0 - - -\n/e/hosts 0 100600 1 5 5 0 1.0 - - -\n\
                    /e/resolv.conf 4 120777 1 0 0 0 1.0 none - -\n/etc 1 120777 1 0 0 0 1.0 e - -\n\
                    /run 0 100644 1 5 5 0 1.0 - - -\n";
        let (tree, paths) = added(text);
        assert_eq!(paths, ["/dev", "/proc", "/sys", "/tmp", "/etc/hostname"]);
        let before = parse(text);
        for path in ["/e", "/e/hosts", "/e/resolv.conf", "/etc", "/run"] {
            let get = |tree: &Tree<Vec<u8>>| {
                let inode = tree.get(tree.resolve_no_symlinks(path.as_bytes()).expect(path)).clone();
                (inode.metadata, inode.kind.file_type())
            };
            assert_eq!(get(&tree), get(&before), "{path}");
        }
        assert!(tree.resolve_no_symlinks(b"/e/hostname").is_some());
        assert_eq!(added("/etc 0 100644 1 0 0 0 0.0 - - -\n").1.len(), 5);
    }
}
