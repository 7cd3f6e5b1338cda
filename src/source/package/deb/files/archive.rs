//! The file of a package, deb(5): two tar archives in an ar archive.
//!
//! ```text
//! debian-binary    "2.0\n"
//! control.tar.*    fields, scripts, checksums
//! data.tar.*       files
//! ```
//!
//! Members whose name begins with `_` are ignored, and so are others behind the files. A second one
//! of the three is refused: which of them counts would depend on the reader.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image_tree::Content as _;

use super::ar::{self, ArError, Member};
use crate::blob::{Archive, ArchiveRange};
use crate::error::{Error, ErrorKind, Result, classify_read_error};
use crate::source::tar::Compression;

/// The longest member `debian-binary`, in bytes.
const MAX_VERSION: u64 = 64;

/// The file of a package, which stays open and must not change.
#[derive(Clone, Debug)]
pub(super) struct Deb {
    /// All of its bytes.
    pub(super) file: ArchiveRange,
    /// The fields, scripts and checksums.
    pub(super) control: Part,
    /// The files.
    pub(super) data: Part,
}

/// One of the two tar archives.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// The name of the member.
    pub(super) name: String,
    /// Its bytes.
    pub(super) bytes: ArchiveRange,
    /// Its compression, by its name.
    pub(super) compression: Option<Compression>,
}

impl Deb {
    /// Opens a file and finds its parts; `path` is its name in errors.
    pub(super) fn open(file: File, path: &Path) -> Result<Self> {
        let archive = Archive::host(file, path).map_err(|error| Error::io(path, error))?;
        Self::of(ArchiveRange::whole(Arc::new(archive)), path)
    }

    /// Returns a package in memory.
    pub(super) fn of(file: ArchiveRange, path: &Path) -> Result<Self> {
        let refuse = |what: String| Err(Error::at(ErrorKind::BadInput, path, what));
        let members = ar::members(&file).map_err(|error| match error {
            ArError::Read(error) => classify_read_error(error),
            fault => Error::at(ErrorKind::BadInput, path, format!("is not a Debian package: {fault}")),
        })?;
        let range = |member: &Member| {
            let (archive, start) = file.place();
            ArchiveRange::new(Arc::clone(archive), start + member.offset, member.len)
        };
        let mut members = members.into_iter();
        match members.next() {
            Some(member) if member.name == "debian-binary" => check_version(&range(&member), path)?,
            Some(member) => {
                let name = member.name;
                return refuse(format!(
                    "is not a Debian package: its first member is {name}, and not debian-binary"
                ));
            }
            None => return refuse("is not a Debian package: it has no members".to_owned()),
        }
        let (mut control, mut data) = (None, None);
        for member in members {
            let found = [(&mut control, "control.tar"), (&mut data, "data.tar")]
                .into_iter()
                .find_map(|(place, start)| Some((place, member.name.strip_prefix(start)?)));
            let Some((place, suffix)) = found else {
                if member.name.starts_with('_') || data.is_some() {
                    continue;
                }
                return refuse(format!("has the member {}, which packages do not have there", member.name));
            };
            let compression = compression(suffix).ok_or_else(|| {
                let what = format!("has the member {}, whose compression is unknown", member.name);
                Error::at(ErrorKind::BadInput, path, what)
            })?;
            let part = Part { bytes: range(&member), name: member.name.clone(), compression };
            if let Some(Part { name: first, .. }) = place.replace(part) {
                return refuse(format!("has both {first} and {}, and may have one of them", member.name));
            }
            if control.is_none() {
                return refuse(format!("has {} before control.tar", member.name));
            }
        }
        let missing = |what: &str| Error::at(ErrorKind::BadInput, path, format!("has no member {what}"));
        let control = control.ok_or_else(|| missing("control.tar"))?;
        let data = data.ok_or_else(|| missing("data.tar"))?;
        Ok(Self { file, control, data })
    }
}

/// Returns the compression that the end of a member's name states.
fn compression(suffix: &str) -> Option<Option<Compression>> {
    Some(match suffix {
        "" => None,
        ".gz" => Some(Compression::Gzip),
        ".xz" => Some(Compression::Xz),
        ".zst" => Some(Compression::Zstd),
        ".bz2" => Some(Compression::Bzip2),
        ".lzma" => Some(Compression::Lzma),
        _ => return None,
    })
}

/// Fails unless the format has the major version 2.
fn check_version(member: &ArchiveRange, path: &Path) -> Result<()> {
    let len = usize::try_from(member.len().min(MAX_VERSION)).unwrap_or(0);
    let mut text = vec![0; len];
    member.read_at(&mut text, 0).map_err(classify_read_error)?;
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_version = line.strip_prefix(b"2.").is_some_and(|minor| {
        !minor.is_empty() && minor.iter().all(u8::is_ascii_digit) && line.len() < text.len()
    });
    if is_version {
        return Ok(());
    }
    let what = format!("has the format version \"{}\", and 2.0 is read", line.escape_ascii());
    Err(Error::at(ErrorKind::BadInput, path, what))
}

/// Returns the name of a part of a package in messages.
pub(super) fn part_name(package: &Path, part: &Part) -> PathBuf {
    let mut name = package.as_os_str().to_owned();
    name.push(": ");
    name.push(&part.name);
    name.into()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Returns an ar archive with these members.
    pub(in super::super) fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = ar::MAGIC.to_vec();
        for (name, content) in members {
            let header =
                format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, "100644", content.len());
            bytes.extend(header.bytes());
            bytes.extend(*content);
            bytes.extend(vec![b'\n'; content.len() % 2]);
        }
        bytes
    }

    fn deb(members: &[(&str, &[u8])]) -> Result<Deb> {
        let archive = Archive::memory(ar(members).into());
        Deb::of(ArchiveRange::whole(Arc::new(archive)), Path::new("a.deb"))
    }

    const VERSION: (&str, &[u8]) = ("debian-binary", b"2.0\n");

    #[test]
    fn parts_are_found_with_their_compression() {
        for (suffix, expected) in [
            ("", None),
            (".gz", Some(Compression::Gzip)),
            (".xz", Some(Compression::Xz)),
            (".zst", Some(Compression::Zstd)),
            (".bz2", Some(Compression::Bzip2)),
        ] {
            let (control, data) = (format!("control.tar{suffix}"), format!("data.tar{suffix}"));
            let members = [VERSION, ("_note", b"x"), (&control, b"ab"), (&data, b"c"), ("_gpgorigin", b"")];
            let found = deb(&members).expect("a package");
            assert_eq!((found.control.compression, found.data.compression), (expected, expected));
            assert_eq!((found.control.bytes.len(), found.data.bytes.len()), (2, 1));
        }
        deb(&[("debian-binary", b"2.1\nmore\n"), ("control.tar", b""), ("data.tar", b""), ("later", b"")])
            .expect("a later minor version");
    }

    #[test]
    fn packages_of_another_form_are_refused() {
        type Member = (&'static str, &'static [u8]);
        let (control, data): (Member, Member) = (("control.tar", b""), ("data.tar", b""));
        let cases: [(&[Member], &str); 12] = [
            (&[], "it has no members"),
            (&[control, data], "its first member is control.tar"),
            (&[("debian-binary", b"3.0\n"), control, data], "has the format version \"3.0\""),
            (&[("debian-binary", b"2.0"), control, data], "has the format version"),
            (&[VERSION], "has no member control.tar"),
            (&[VERSION, control], "has no member data.tar"),
            (&[VERSION, data, control], "has data.tar before control.tar"),
            (&[VERSION, control, data, ("data.tar.xz", b"")], "has both data.tar and data.tar.xz"),
            (&[VERSION, control, control, data], "has both control.tar and control.tar"),
            (&[VERSION, control, ("other", b""), data], "has the member other"),
            (&[VERSION, control, ("data.tar.br", b"")], "whose compression is unknown"),
            (&[VERSION, control, ("data.tarx", b"")], "whose compression is unknown"),
        ];
        for (members, expected) in cases {
            let error = deb(members).expect_err(expected);
            assert_eq!(error.kind(), ErrorKind::BadInput);
            let text = error.to_string();
            assert!(text.starts_with("a.deb: ") && text.contains(expected), "{text}, and not {expected}");
        }
    }
}
