//! The files of modules below a directory.

use image_tree::path::join;
use image_tree::resolve::resolve_in_root;
use image_tree::{Directories, InodeId, Kind};
use kmod_index::is_module;

use super::error::{Error, Result};

/// The most directories of one version, as links between them can multiply them.
pub const MAX_DIRECTORIES: usize = 1 << 16;

/// Names that depmod ignores in every directory: links to where the kernel was built.
pub const IGNORED: [&[u8]; 2] = [b"build", b"source"];

/// The file of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleFile {
    /// The path below the directory of the version.
    pub path: Vec<u8>,
    /// The regular file, where links lead.
    pub id: InodeId,
}

/// The modules of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundFiles {
    /// The files, in the order of their paths.
    pub files: Vec<ModuleFile>,
    /// The paths of links with the name of a module that lead to no regular file of the tree.
    pub dangling: Vec<Vec<u8>>,
}

/// A directory that is searched.
struct Directory {
    /// The path below the version; empty, or with a `/` at its end.
    path: Vec<u8>,
    /// Itself and the directories above it.
    chain: Vec<InodeId>,
}

/// Finds the modules below a directory of the tree, following links to files and directories as
/// depmod does.
///
/// # Errors
/// [`Error::Unusable`] if the path is not that of a directory, or it has more than
/// [`MAX_DIRECTORIES`].
pub fn find<T: Directories>(tree: &T, version: &[u8]) -> Result<FoundFiles> {
    let root = resolve_in_root(tree, version).filter(|id| tree.entries(*id).is_some());
    let root = root.ok_or_else(|| Error::unusable(version, "it is not a directory"))?;
    let mut found = FoundFiles::default();
    let mut left = vec![Directory { path: Vec::new(), chain: vec![root] }];
    let mut count = 0;
    while let Some(directory) = left.pop() {
        count += 1;
        if count > MAX_DIRECTORIES {
            let why = format_args!("it has more than {MAX_DIRECTORIES} directories");
            return Err(Error::unusable(version, why));
        }
        search(tree, version, &directory, &mut left, &mut found);
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    found.dangling.sort();
    Ok(found)
}

fn search<T: Directories>(
    tree: &T,
    version: &[u8],
    directory: &Directory,
    left: &mut Vec<Directory>,
    found: &mut FoundFiles,
) {
    let entries = directory.chain.last().and_then(|id| tree.entries(*id)).into_iter().flatten();
    for (name, id) in entries.filter(|(name, _)| !IGNORED.contains(&name.as_bytes())) {
        let path = [&directory.path, name.as_bytes()].concat();
        let target = match &tree.get(*id).kind {
            Kind::Symlink(_) => resolve_in_root(tree, &join(version, &path)),
            _ => Some(*id),
        };
        let is_module = is_module(name.as_bytes());
        match target.map(|target| (target, &tree.get(target).kind)) {
            Some((target, Kind::Directory(_))) if !directory.chain.contains(&target) => {
                let chain = [&directory.chain[..], &[target]].concat();
                left.push(Directory { path: [&path[..], b"/"].concat(), chain });
            }
            Some((id, Kind::Regular(_))) if is_module => found.files.push(ModuleFile { path, id }),
            None if is_module => found.dangling.push(path),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use image_tree::{Tree, dump};

    use super::*;

    #[test]
    fn links_are_followed_within_the_tree() {
        let text = b"/ 0 40755 1 0 0 0 0.0 - - -\n\
            /m 0 40755 1 0 0 0 0.0 - - -\n\
            /m/1 0 40755 1 0 0 0 0.0 - - -\n\
            /m/1/a.ko 1 100644 1 0 0 0 0.0 - x -\n\
            /m/1/b.ko 7 120777 1 0 0 0 0.0 /x.ko - -\n\
            /m/1/build 2 120777 1 0 0 0 0.0 /m - -\n\
            /m/1/c.ko.xz 5 120777 1 0 0 0 0.0 /no.ko - -\n\
            /m/1/d 0 40755 1 0 0 0 0.0 - - -\n\
            /m/1/d/e.ko.gz 1 100644 1 0 0 0 0.0 - x -\n\
            /m/1/d/f.txt 1 100644 1 0 0 0 0.0 - x -\n\
            /m/1/g 1 120777 1 0 0 0 0.0 d - -\n\
            /m/1/loop 2 120777 1 0 0 0 0.0 . - -\n\
            /x.ko 1 100644 1 0 0 0 0.0 - x -\n";
        let tree: Tree<Vec<u8>> = dump::parse(&text[..], |_| Ok::<_, ()>(Vec::new())).expect("it is valid");
        let found = find(&tree, b"/m/1").expect("it is a directory");
        let paths: Vec<_> = found.files.iter().map(|file| file.path.escape_ascii().to_string()).collect();
        assert_eq!(paths, ["a.ko", "b.ko", "d/e.ko.gz", "g/e.ko.gz"]);
        assert_eq!(found.dangling, [b"c.ko.xz"]);
        for path in [&b"/m/2"[..], b"/x.ko"] {
            let error = find(&tree, path).expect_err("not a directory");
            assert_eq!(error.to_string(), format!("{}: it is not a directory", path.escape_ascii()));
        }
    }
}
