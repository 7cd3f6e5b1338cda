//! Paths as bytes: components separated by `/`, in any encoding.

/// Returns the part of a path after its last `/`: empty if the path ends in one.
#[must_use]
pub fn base_name(path: &[u8]) -> &[u8] {
    split_last(path).1
}

/// Returns the directory of an absolute path: the part before its last `/`, or `/` itself.
#[must_use]
pub fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| *byte == b'/') {
        None | Some(0) => b"/",
        Some(slash) => &path[..slash],
    }
}

/// Returns a path up to and including its last `/`, and the rest of it.
#[must_use]
pub fn split_last(path: &[u8]) -> (&[u8], &[u8]) {
    path.split_at(path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1))
}

/// Returns a directory and a relative path, with one `/` between them unless the directory ends in
/// one. An empty directory is the root.
#[must_use]
pub fn join(directory: &[u8], relative: &[u8]) -> Vec<u8> {
    let slash: &[u8] = if directory.ends_with(b"/") { b"" } else { b"/" };
    [directory, slash, relative].concat()
}

/// Returns a path without the slashes at its end; `/` for a path of slashes only.
#[must_use]
pub fn without_trailing_slashes(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(1, |last| last + 1);
    path.get(..end).unwrap_or(path)
}

/// Returns the components of a path that are not empty.
pub fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> + Clone {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_at_their_last_slash() {
        for (path, directory, name) in [
            ("/usr/lib", "/usr", "lib"),
            ("/usr", "/", "usr"),
            ("usr", "/", "usr"),
            ("/usr/", "/usr", ""),
            ("/", "/", ""),
            ("", "/", ""),
        ] {
            assert_eq!(parent(path.as_bytes()), directory.as_bytes(), "{path}");
            assert_eq!(base_name(path.as_bytes()), name.as_bytes(), "{path}");
            let (before, after) = split_last(path.as_bytes());
            assert_eq!([before, after].concat(), path.as_bytes(), "{path}");
        }
    }

    #[test]
    fn joined_paths_have_one_slash_between_them() {
        assert_eq!(join(b"/usr", b"lib"), b"/usr/lib");
        assert_eq!(join(b"/", b"usr/lib"), b"/usr/lib");
        assert_eq!(join(b"", b"usr"), b"/usr");
    }

    #[test]
    fn trailing_slashes_are_removed_except_from_the_root() {
        for (path, plain) in [("/usr//", "/usr"), ("/usr", "/usr"), ("//", "/"), ("/", "/"), ("", "")] {
            assert_eq!(without_trailing_slashes(path.as_bytes()), plain.as_bytes(), "{path}");
        }
    }

    #[test]
    fn empty_components_are_skipped() {
        assert_eq!(components(b"//usr//lib/").collect::<Vec<_>>(), [b"usr", b"lib"]);
        assert_eq!(components(b"/").count(), 0);
    }
}
