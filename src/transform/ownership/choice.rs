//! The choice of the owners, and its text on the command line.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::id_map::IdMap;
use crate::accounts;
use crate::shown;

/// The source of the owners.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ownership {
    /// `root`: user and group 0 own every file.
    Root,
    /// `keep`: each file keeps the owner it has.
    Keep,
    /// `UID:GID`: one owner for all files.
    Ids {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
    },
    /// `map:RANGES`: each owner is shifted as in a user namespace.
    Map(IdMap),
    /// `fakeroot:FILE`: the owners saved by `fakeroot -s FILE`.
    Fakeroot(PathBuf),
    /// `xattr`: the owners that container tools recorded in xattrs, see [`xattr`](super::xattr);
    /// the other files have the source's default owner.
    Xattr,
    /// `FILE`: a manifest, mtree(5); the files it does not name have the source's default owner.
    Mtree(PathBuf),
}

impl Ownership {
    /// Parses the forms above. Any other text is the path of a manifest; one that looks like
    /// another form can begin with `./`.
    ///
    /// # Errors
    /// Returns a message if numbers or ranges are invalid.
    pub fn parse(text: &OsStr) -> Result<Self, String> {
        let bytes = text.as_bytes();
        let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
        match bytes {
            b"" => return Err("the owner is empty".to_owned()),
            b"root" => return Ok(Ownership::Root),
            b"keep" => return Ok(Ownership::Keep),
            b"xattr" => return Ok(Ownership::Xattr),
            _ => {}
        }
        if let Some(ranges) = bytes.strip_prefix(b"map:") {
            return IdMap::parse(&String::from_utf8_lossy(ranges)).map(Ownership::Map);
        }
        if let Some(file) = bytes.strip_prefix(b"fakeroot:") {
            return Ok(Ownership::Fakeroot(path(file)));
        }
        if bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b':') && bytes.contains(&b':') {
            let mut ids = bytes.split(|byte| *byte == b':').map(accounts::parse_id);
            return match (ids.next().flatten(), ids.next().flatten(), ids.next()) {
                (Some(uid), Some(gid), None) => Ok(Ownership::Ids { uid, gid }),
                _ => Err(format!(
                    "{} is not UID:GID, two numbers from 0 to 4294967294; 4294967295 is the -1 of chown(2), which no \
                     file can have",
                    shown::name(text)
                )),
            };
        }
        Ok(Ownership::Mtree(path(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_every_form() {
        let parse = |text: &str| Ownership::parse(OsStr::new(text));
        for (text, expected) in [
            ("root", Ownership::Root),
            ("keep", Ownership::Keep),
            ("xattr", Ownership::Xattr),
            ("7:8", Ownership::Ids { uid: 7, gid: 8 }),
            ("fakeroot:a:b", Ownership::Fakeroot("a:b".into())),
            ("map:0:1:2", Ownership::Map(IdMap::parse("0:1:2").expect("a map"))),
            ("./7:8", Ownership::Mtree("./7:8".into())),
            ("owners.mtree", Ownership::Mtree("owners.mtree".into())),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        for text in ["", "7:", ":8", "1:2:3", "4294967295:0", "map:", "map:0"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
