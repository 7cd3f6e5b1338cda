//! The choice of a directory of kernel modules on the host.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use image_tree::Shown;

use crate::error::{Error, ErrorKind, Result};

/// The directories of modules beneath that of a version.
const DIRECTORIES: [&[u8]; 4] = [b"kernel", b"updates", b"extra", b"weak-updates"];

/// The modules of a version on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostVersion {
    /// The version: the name of its directory.
    pub name: Vec<u8>,
    /// Its directory. The path of one of standard input or of an image of containers begins with
    /// `./`.
    pub path: PathBuf,
}

/// Returns the version that `directory` is, or the wanted one of those in it; without a wanted one,
/// the only one.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) if there is none, if there are several and none is wanted, and
/// if it is another than the wanted one; [`Io`](ErrorKind::Io) if a directory cannot be read.
pub fn version(directory: &Path, wanted: Option<&[u8]>) -> Result<HostVersion> {
    let refuse = |what: String| Err(Error::new(ErrorKind::BadInput, format!("--modules: {what}")));
    let shown = Shown(directory.as_os_str().as_bytes());
    if !fs::metadata(directory).map_err(|error| Error::io(directory, error))?.is_dir() {
        return refuse(format!("{shown} is not a directory"));
    }
    if is_version(directory)? {
        let name = name_of(directory)?;
        return match wanted {
            Some(wanted) if wanted != name => refuse(format!(
                "--kver {}: {shown} has the modules of {}",
                wanted.escape_ascii(),
                name.escape_ascii()
            )),
            _ => Ok(HostVersion { name, path: as_path(directory) }),
        };
    }
    let mut found = BTreeMap::new();
    for name in names(directory)? {
        let path = directory.join(&name);
        if path.is_dir() && is_version(&path)? {
            found.insert(name.into_vec(), as_path(&path));
        }
    }
    let all: Vec<String> = found.keys().map(|name| name.escape_ascii().to_string()).collect();
    let there = all.join(", ");
    match wanted {
        _ if found.is_empty() => refuse(format!(
            "{shown} is not lib/modules/VERSION, nor a directory of versions: it has neither modules.* \
             nor kernel/"
        )),
        Some(wanted) => match found.remove(wanted) {
            Some(path) => Ok(HostVersion { name: wanted.to_vec(), path }),
            None => refuse(format!(
                "--kver {}: {shown} has no such version; it has {there}",
                wanted.escape_ascii()
            )),
        },
        None if found.len() > 1 => {
            refuse(format!("{shown} has modules of several versions; choose one by --kver: {there}"))
        }
        None => match found.pop_first() {
            Some((name, path)) => Ok(HostVersion { name, path }),
            None => refuse(format!("{shown} has no version")),
        },
    }
}

/// Returns true for a directory that has modules of the kernel, or lists of them.
fn is_version(directory: &Path) -> Result<bool> {
    let is_part = |name: &OsString| {
        let name = name.as_bytes();
        name.starts_with(b"modules.") || DIRECTORIES.contains(&name)
    };
    Ok(names(directory)?.iter().any(is_part))
}

fn names(directory: &Path) -> Result<Vec<OsString>> {
    let entries = fs::read_dir(directory).map_err(|error| Error::io(directory, error))?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
    names.collect::<std::io::Result<_>>().map_err(|error| Error::io(directory, error))
}

/// Returns the last name of a path, also of one such as `.`.
fn name_of(directory: &Path) -> Result<Vec<u8>> {
    if let Some(name) = directory.file_name() {
        return Ok(name.as_bytes().to_vec());
    }
    let whole = fs::canonicalize(directory).map_err(|error| Error::io(directory, error))?;
    Ok(whole.file_name().map(OsStr::as_bytes).unwrap_or_default().to_vec())
}

/// Returns a path that is not read as the name of an image or of standard input.
fn as_path(directory: &Path) -> PathBuf {
    if directory.is_absolute() { directory.to_owned() } else { Path::new(".").join(directory) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_directory_or_in_one() {
        let top = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| top.path().join(name);
        let found = |name: &str, wanted: Option<&str>| {
            version(&path(name), wanted.map(str::as_bytes)).map_err(|error| error.to_string())
        };
        for name in ["one/6.1/kernel", "two/6.1/updates", "two/6.2", "two/other", "none"] {
            fs::create_dir_all(path(name)).expect("it is new");
        }
        fs::write(path("two/6.2/modules.order"), "").expect("it is new");
        fs::write(path("file"), "").expect("it is new");
        for (name, wanted, expected) in [
            ("one", None, "one/6.1"),
            ("one/6.1", None, "one/6.1"),
            ("one/6.1", Some("6.1"), "one/6.1"),
            ("two", Some("6.2"), "two/6.2"),
            ("two", Some("6.1"), "two/6.1"),
        ] {
            let name_of = path(expected).file_name().expect("a name").as_bytes().to_vec();
            assert_eq!(found(name, wanted), Ok(HostVersion { name: name_of, path: path(expected) }));
        }
        for (name, wanted, expected) in [
            ("one/6.1", Some("6.2"), "--kver 6.2: "),
            ("one", Some("6.2"), "has no such version; it has 6.1"),
            ("two", None, "has modules of several versions; choose one by --kver: 6.1, 6.2"),
            ("none", None, "is not lib/modules/VERSION, nor a directory of versions"),
            ("file", None, "is not a directory"),
            ("gone", None, "No such file or directory"),
        ] {
            let error = found(name, wanted).expect_err("it is refused");
            assert!(error.contains(expected), "{error}");
        }
    }
}
