//! Paths of a tree as a process inside it would see them.

use image_tree::{InodeId, Kind, Tree};

/// The most symbolic links that one path may lead through: the kernel's own limit.
pub const MAX_LINKS: usize = 40;

/// The inode at a path of the tree, following symbolic links as a process would for which the tree's root is
/// `/`: an absolute target starts there again, and `..` stops there. Nothing of the host is looked at.
///
/// `path` is taken from the root, with or without a leading `/`. There is no inode when a component is missing
/// or no directory, or when there are more than [`MAX_LINKS`] links, as in a loop.
#[must_use]
pub fn resolve<C>(tree: &Tree<C>, path: &[u8]) -> Option<InodeId> {
    let mut here = Tree::<C>::ROOT;
    let mut above = Vec::new();
    // The components still to come, the next one last. Each link adds at most the 4095 bytes of its target, so
    // the limit on links bounds this too.
    let mut pending: Vec<&[u8]> = components_reversed(path).collect();
    let mut links = 0;
    while let Some(component) = pending.pop() {
        let entries = tree.entries(here)?;
        match component {
            b"" | b"." => {}
            b".." => here = above.pop().unwrap_or(Tree::<C>::ROOT),
            name => {
                let next = *entries.get(name)?;
                if let Kind::Symlink(target) = &tree.get(next).kind {
                    links += 1;
                    if links > MAX_LINKS {
                        return None;
                    }
                    if target.as_bytes().starts_with(b"/") {
                        above.clear();
                        here = Tree::<C>::ROOT;
                    }
                    pending.extend(components_reversed(target.as_bytes()));
                } else {
                    above.push(here);
                    here = next;
                }
            }
        }
    }
    Some(here)
}

fn components_reversed(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.rsplit(|byte| *byte == b'/')
}

#[cfg(test)]
mod tests {
    use image_tree::{Inode, LinkTarget, Metadata, Name};

    use super::*;

    /// A tree of files, each of which contains its own path, and links.
    fn tree(files: &[&str], links: &[(&str, &str)]) -> Tree<Vec<u8>> {
        let mut tree = Tree::new(Metadata::new(0o755));
        for file in files {
            add(&mut tree, file, Kind::Regular(file.as_bytes().to_vec()));
        }
        for (path, target) in links {
            add(&mut tree, path, Kind::Symlink(LinkTarget::new(target).expect("a valid target")));
        }
        tree
    }

    fn add(tree: &mut Tree<Vec<u8>>, path: &str, kind: Kind<Vec<u8>>) {
        let metadata = Metadata::new(0o755);
        let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut parent = Tree::<Vec<u8>>::ROOT;
        for directory in directories.split('/').filter(|name| !name.is_empty()) {
            parent = tree.lookup(parent, directory.as_bytes()).unwrap_or_else(|| {
                let name = Name::new(directory).expect("a valid name");
                tree.insert(parent, name, Inode::directory(metadata.clone())).expect("it is new")
            });
        }
        tree.insert(parent, Name::new(name).expect("a valid name"), Inode { metadata, kind })
            .expect("it is new");
    }

    fn check(tree: &Tree<Vec<u8>>, path: &str, expected: Option<&str>) {
        let found = resolve(tree, path.as_bytes()).map(|id| tree.path_of(id));
        let found = found.map(|path| String::from_utf8(path).expect("a text path"));
        assert_eq!(found.as_deref(), expected, "{path}");
    }

    #[test]
    fn plain_paths() {
        let tree = tree(&["/usr/bin/env"], &[]);
        check(&tree, "/usr/bin/env", Some("/usr/bin/env"));
        check(&tree, "usr//bin/./env", Some("/usr/bin/env"));
        check(&tree, "/", Some("/"));
        check(&tree, "", Some("/"));
        check(&tree, "/usr/bin/", Some("/usr/bin"));
        check(&tree, "/usr/bin/../../usr", Some("/usr"));
        check(&tree, "/usr/lib", None);
        check(&tree, "/usr/bin/env/", None);
        check(&tree, "/usr/bin/env/.", None);
        check(&tree, "/usr/bin/env/..", None);
    }

    #[test]
    fn nothing_leads_out_of_the_tree() {
        let tree = tree(
            &["/bin/sh"],
            &[("/etc/up", "../../../../bin/sh"), ("/etc/top", "/.."), ("/var/lib/absolute", "/../bin/sh")],
        );
        check(&tree, "../../bin/sh", Some("/bin/sh"));
        check(&tree, "/bin/../../bin/sh", Some("/bin/sh"));
        check(&tree, "/etc/up", Some("/bin/sh"));
        check(&tree, "/etc/top", Some("/"));
        check(&tree, "/var/lib/absolute", Some("/bin/sh"));
    }

    #[test]
    fn links_are_relative_to_where_they_lie() {
        let tree = tree(
            &["/usr/lib/systemd/systemd", "/usr/bin/dash"],
            &[
                ("/bin", "usr/bin"),
                ("/lib", "usr/lib"),
                ("/usr/sbin", "bin"),
                ("/sbin", "usr/sbin"),
                ("/usr/bin/init", "../lib/systemd/systemd"),
                ("/usr/bin/sh", "dash"),
                ("/usr/self", "."),
            ],
        );
        check(&tree, "/sbin/init", Some("/usr/lib/systemd/systemd"));
        check(&tree, "/bin/sh", Some("/usr/bin/dash"));
        // `..` is of the directory, not of the link that led to it.
        check(&tree, "/sbin/..", Some("/usr"));
        check(&tree, "/usr/self/self/../usr/bin/dash", Some("/usr/bin/dash"));
        check(&tree, "/usr/self/self/bin/dash", Some("/usr/bin/dash"));
    }

    #[test]
    fn links_that_lead_nowhere() {
        let tree = tree(
            &["/file"],
            &[
                ("/dangling", "missing"),
                ("/self", "self"),
                ("/a", "/b"),
                ("/b", "a"),
                ("/through", "file/x"),
                ("/slash", "file/"),
                ("/growing", "growing/growing/growing"),
            ],
        );
        for path in ["/dangling", "/self", "/a", "/b", "/through", "/slash", "/growing"] {
            check(&tree, path, None);
        }
    }

    #[test]
    fn links_are_counted() {
        let links: Vec<_> = (0..=MAX_LINKS).map(|n| (format!("/l{n}"), format!("l{}", n + 1))).collect();
        let links: Vec<_> = links.iter().map(|(path, target)| (path.as_str(), target.as_str())).collect();
        let tree = tree(&[&format!("/l{}", MAX_LINKS + 1)], &links);
        check(&tree, "/l1", Some(&format!("/l{}", MAX_LINKS + 1)));
        check(&tree, "/l0", None);
    }
}
