//! Paths of settings, and where they lead.

use image_tree::Directories;
use image_tree::glob::Glob;
use image_tree::path::{components, join};
use image_tree::resolve::{resolve_in_root, trace_in_root};

/// The directories whose content is made at boot, so that a tree does not tell whether a path in
/// them will exist.
const RUNTIME: [&[u8]; 7] = [b"run", b"proc", b"sys", b"dev", b"tmp", b"var/run", b"var/tmp"];

/// The maximum number of names that a pattern is compared with.
const MAX_MATCHES: usize = 10_000;

/// Returns true for a path in a directory whose content is made at boot.
pub(super) fn is_runtime(path: &[u8]) -> bool {
    let names: Vec<&[u8]> = components(path).collect();
    RUNTIME.iter().any(|directory| {
        let directory: Vec<&[u8]> = components(directory).collect();
        names.starts_with(&directory)
    })
}

/// The paths that match a pattern.
pub(super) struct Matches {
    /// The paths, sorted.
    pub(super) paths: Vec<Vec<u8>>,
    /// False if the tree may have more, which were not compared with the pattern.
    pub(super) is_complete: bool,
}

impl Matches {
    /// Returns the paths. If there may be more, adds a sentence about that to `unknown`.
    pub(super) fn reported(self, pattern: &[u8], unknown: &mut Vec<String>) -> Vec<Vec<u8>> {
        if !self.is_complete {
            let pattern = pattern.escape_ascii();
            unknown.push(format!(
                "{pattern} of a unit is compared with {MAX_MATCHES} names of the tree; the rest are skipped"
            ));
        }
        self.paths
    }
}

/// Returns the paths of the tree that match a pattern of paths; a path that is not a pattern is
/// returned as it is.
pub(super) fn matches<T: Directories>(tree: &T, pattern: &[u8]) -> Matches {
    let Some(glob) = Glob::is_pattern(pattern).then(|| Glob::parse(pattern).ok()).flatten() else {
        return Matches { paths: vec![pattern.to_vec()], is_complete: true };
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
    Matches { paths: found, is_complete: pending.is_empty() }
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
            assert!(found.is_complete, "{pattern}");
            found.paths.iter().map(|path| path.escape_ascii().to_string()).collect()
        };
        assert_eq!(found("/link/a/*.conf"), ["/link/a/x.conf", "/link/a/y.conf"]);
        assert_eq!(found("/data/*/?.conf"), ["/data/a/x.conf", "/data/a/y.conf", "/data/b/z.conf"]);
        assert_eq!(found("/data/none"), ["/data/none"]);
        assert!(found("/none/*").is_empty());
    }

    #[test]
    fn names_that_are_not_compared_with_a_pattern_are_reported() {
        let names: Vec<String> = (0..MAX_MATCHES).map(|number| format!("/d/{number:05}")).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (&name[..], "")).collect();
        let check = |count: usize, is_complete: bool| {
            // The directory is one of the names.
            let found = matches(&tree(&files[..count], &[]), b"/d/*");
            assert_eq!((found.paths.len(), found.is_complete), (MAX_MATCHES - 1, is_complete));
            let mut unknown = Vec::new();
            assert_eq!(found.reported(b"/d/*", &mut unknown).len(), MAX_MATCHES - 1);
            let expected =
                "/d/* of a unit is compared with 10000 names of the tree; the rest are skipped".to_owned();
            assert_eq!(unknown, if is_complete { vec![] } else { vec![expected] });
        };
        check(MAX_MATCHES - 1, true);
        check(MAX_MATCHES, false);
    }

    #[test]
    fn runtime_directories_are_those_that_boot_fills() {
        assert!([&b"/run/x"[..], b"/var/run/x", b"//dev", b"/proc/1"].iter().all(|path| is_runtime(path)));
        assert!([&b"/runner"[..], b"/var/lib", b"/", b"/etc/run"].iter().all(|path| !is_runtime(path)));
    }
}
