//! Paths of settings, and where they lead.

use image_tree::Directories;
use image_tree::glob::Glob;
use image_tree::path::{components, join};
use image_tree::resolve::{resolve_in_root, trace_in_root};

/// The directories whose content is made at boot, so that a tree does not tell whether a path in
/// them will exist.
const RUNTIME: [&[u8]; 7] = [b"run", b"proc", b"sys", b"dev", b"tmp", b"var/run", b"var/tmp"];

/// The maximum number of directories that a pattern visits, and of files that match.
const MAX_MATCHES: usize = 10_000;

/// Returns true for a path in a directory whose content is made at boot.
pub(super) fn is_runtime(path: &[u8]) -> bool {
    let names: Vec<&[u8]> = components(path).collect();
    RUNTIME.iter().any(|directory| {
        let directory: Vec<&[u8]> = components(directory).collect();
        names.starts_with(&directory)
    })
}

/// Returns the paths of the tree that match a pattern of paths, sorted; a path that is not a
/// pattern is returned as it is.
pub(super) fn matches<T: Directories>(tree: &T, pattern: &[u8]) -> Vec<Vec<u8>> {
    let Some(glob) = Glob::is_pattern(pattern).then(|| Glob::parse(pattern).ok()).flatten() else {
        return vec![pattern.to_vec()];
    };
    // The directories before the first component with a pattern may be links.
    let is_plain = |name: &&[u8]| !Glob::is_pattern(name);
    let base = components(pattern).take_while(is_plain).fold(Vec::new(), |base, name| join(&base, name));
    let mut found = Vec::new();
    let mut pending = vec![(if base.is_empty() { b"/".to_vec() } else { base })];
    for _ in 0..MAX_MATCHES {
        let Some(path) = pending.pop() else { break };
        if glob.matches(&path) {
            found.push(path.clone());
        }
        if glob.may_match_beneath(&path) {
            let entries = resolve_in_root(tree, &path).and_then(|id| tree.entries(id));
            pending.extend(entries.into_iter().flatten().map(|(name, _)| join(&path, name.as_bytes())));
        }
    }
    found.sort_unstable();
    found
}

/// Returns true if a path resolves in the tree.
pub(super) fn exists<T: Directories>(tree: &T, path: &[u8]) -> bool {
    trace_in_root(tree, path, &mut 0).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::testing::small_tree::tree;

    #[test]
    fn a_pattern_matches_names_of_the_tree() {
        let files =
            [("/data/a/x.conf", ""), ("/data/a/y.conf", ""), ("/data/b/z.conf", ""), ("/data/a/n", "")];
        let tree = tree(&files, &[("/link", "data")]);
        let found = |pattern: &str| -> Vec<String> {
            let found = matches(&tree, pattern.as_bytes());
            found.iter().map(|path| path.escape_ascii().to_string()).collect()
        };
        assert_eq!(found("/link/a/*.conf"), ["/link/a/x.conf", "/link/a/y.conf"]);
        assert_eq!(found("/data/*/?.conf"), ["/data/a/x.conf", "/data/a/y.conf", "/data/b/z.conf"]);
        assert_eq!(found("/data/none"), ["/data/none"]);
        assert!(found("/none/*").is_empty());
    }

    #[test]
    fn runtime_directories_are_those_that_boot_fills() {
        assert!([&b"/run/x"[..], b"/var/run/x", b"//dev", b"/proc/1"].iter().all(|path| is_runtime(path)));
        assert!([&b"/runner"[..], b"/var/lib", b"/", b"/etc/run"].iter().all(|path| !is_runtime(path)));
    }
}
