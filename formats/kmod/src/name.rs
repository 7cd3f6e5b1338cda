//! Names of modules and aliases, as kmod normalizes them.

use image_tree::path::{base_name, split_last};

/// The endings of files with modules.
const EXTENSIONS: [&[u8]; 4] = [b".ko", b".ko.gz", b".ko.xz", b".ko.zst"];

/// Returns true if a file's name is that of a module: it ends in `.ko`, `.ko.gz`, `.ko.xz` or
/// `.ko.zst`.
#[must_use]
pub fn is_module(name: &[u8]) -> bool {
    EXTENSIONS.iter().any(|extension| name.len() > extension.len() && name.ends_with(extension))
}

/// Returns the name of the module in a file: the part of the last component up to its first dot,
/// with `_` in place of `-`.
///
/// ```
/// assert_eq!(kmod_index::module_name(b"kernel/fs/9p/9p-net.ko.xz"), b"9p_net");
/// ```
#[must_use]
pub fn module_name(path: &[u8]) -> Vec<u8> {
    let name = base_name(path).split(|byte| *byte == b'.').next().unwrap_or_default();
    with_underscores(name)
}

/// Returns a name with `_` in place of every `-`.
#[must_use]
pub fn with_underscores(name: &[u8]) -> Vec<u8> {
    name.iter().map(|byte| if *byte == b'-' { b'_' } else { *byte }).collect()
}

/// Returns an alias with `_` in place of `-`, except in sets as `[0-9]`. `None` if a bracket is not
/// closed or not opened: such an alias cannot be looked up.
#[must_use]
pub fn normalize_alias(alias: &[u8]) -> Option<Vec<u8>> {
    let mut normal = Vec::with_capacity(alias.len());
    let mut in_set = false;
    for byte in alias {
        match byte {
            b']' if !in_set => return None,
            b']' => in_set = false,
            b'[' => in_set = true,
            _ => {}
        }
        normal.push(if *byte == b'-' && !in_set { b'_' } else { *byte });
    }
    (!in_set).then_some(normal)
}

/// Returns the path that names a module in `modules.order`: up to its name and `.ko`, without the
/// ending of a compression.
pub(crate) fn uncompressed(path: &[u8]) -> &[u8] {
    let (directory, name) = split_last(path);
    let name = name.split(|byte| *byte == b'.').next().unwrap_or_default();
    &path[..path.len().min(directory.len() + name.len() + b".ko".len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_at_the_first_dot() {
        for (path, name) in [
            ("kernel/a-b.ko", "a_b"),
            ("a.b.ko.xz", "a"),
            ("kernel/x/.ko", ""),
            ("drivers/net/ppp_async", "ppp_async"),
        ] {
            assert_eq!(module_name(path.as_bytes()), name.as_bytes(), "{path}");
        }
    }

    #[test]
    fn files_are_modules_by_their_ending() {
        let names: [&[u8]; 7] =
            [b"a.ko", b"a.ko.gz", b"a.ko.xz", b"a.ko.zst", b".ko", b"a.ko.bz2", b"a.ko.debug"];
        let found: Vec<bool> = names.iter().map(|name| is_module(name)).collect();
        assert_eq!(found, [true, true, true, true, false, false, false]);
    }

    #[test]
    fn sets_of_an_alias_keep_their_dashes() {
        for (alias, normal) in [
            ("fs-9p", Some("fs_9p")),
            ("usb:v-[0-9]*-", Some("usb:v_[0-9]*_")),
            ("a]-", None),
            ("a[-", None),
            ("[[]-", Some("[[]_")),
            ("", Some("")),
        ] {
            let normal = normal.map(|normal| normal.as_bytes().to_vec());
            assert_eq!(normalize_alias(alias.as_bytes()), normal, "{alias}");
        }
    }

    #[test]
    fn paths_of_the_order_lose_the_compression() {
        assert_eq!(uncompressed(b"kernel/a-b.ko.xz"), b"kernel/a-b.ko");
        assert_eq!(uncompressed(b"a.ko"), b"a.ko");
        assert_eq!(uncompressed(b"kernel/a"), b"kernel/a");
    }
}
