//! The part of a package that describes it: fields, scripts and lists of files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image_tree::{Content as _, Kind, Timestamp};

use super::stanza::Stanza;
use crate::blob::{Archive, ArchiveRange, Blob};
use crate::bounded;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::source::tar::{self, Limits};
use crate::stack::MemberKind;

/// The most bytes that the part unpacks to: 32 MiB. The list of checksums is the longest of its
/// files, with some hundred bytes for each file.
pub(super) const MAX_LEN: u64 = 32 << 20;

/// The most files of the part.
const MAX_FILES: u64 = 1000;

/// One file of the part.
#[derive(Clone, Debug)]
pub struct ControlFile {
    /// Its bytes.
    pub content: Blob,
    /// Its permissions.
    pub mode: u16,
    /// Its time.
    pub mtime: Timestamp,
}

/// The description of a package.
#[derive(Clone, Debug)]
pub struct Control {
    /// The name of the package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, or `all`.
    pub architecture: String,
    /// All of its fields.
    pub stanza: Stanza,
    /// The other files by name: scripts, checksums, triggers and so on.
    pub files: BTreeMap<String, ControlFile>,
    /// The tar archive as it is.
    pub(super) archive: ArchiveRange,
}

impl Control {
    /// Reads the part, a tar archive that was unpacked; `name` is its name in messages.
    pub(super) fn read(archive: Vec<u8>, name: &Path, interrupt: &Interrupt) -> Result<Self> {
        let archive = ArchiveRange::whole(Arc::new(Archive::memory(archive.into())));
        let limits = Limits { max_size: MAX_LEN, max_entries: MAX_FILES, decoder_memory: None };
        let (entries, _) = tar::Reader::part(&archive, name, limits, interrupt).read_members()?.into_parts();
        let refuse = |path: &[u8], what: &str| {
            Error::at(ErrorKind::BadInput, name, format!("{}: {what}", path.escape_ascii()))
        };
        let mut files = BTreeMap::new();
        for tar::Entry { member, .. } in entries {
            let path = member.path.strip_prefix(b"./").unwrap_or(&member.path);
            let content = match member.kind {
                MemberKind::Inode(Kind::Directory(_)) if matches!(path, b"" | b".") => continue,
                MemberKind::Inode(Kind::Regular(content)) => content,
                _ => return Err(refuse(path, "is not a regular file")),
            };
            let file_name = str::from_utf8(path).ok().filter(|text| is_file_name(text));
            let file_name = file_name.ok_or_else(|| refuse(path, "is not a name that dpkg has a use for"))?;
            let mtime = member.metadata.mtime;
            let file = ControlFile { content, mode: member.metadata.mode & 0o777, mtime };
            if files.insert(file_name.to_owned(), file).is_some() {
                return Err(refuse(path, "is there twice"));
            }
        }
        let control = files.remove("control").ok_or_else(|| refuse(b"control", "is missing"))?;
        let text = bounded::read_content(&control.content, MAX_LEN, "control")?;
        let at = |what: String| Error::at(ErrorKind::BadInput, name, format!("control: {what}"));
        let stanza = Stanza::parse(&text).map_err(at)?;
        let field = |field: &str, is_valid: fn(&str) -> bool| {
            let value = stanza.get(field).ok_or_else(|| at(format!("has no field {field}")))?;
            let text = str::from_utf8(value).ok().filter(|text| is_valid(text));
            let wrong =
                || at(format!("the field {field} is \"{}\", which it cannot be", value.escape_ascii()));
            text.map(str::to_owned).ok_or_else(wrong)
        };
        let (package, version) = (field("Package", is_package_name)?, field("Version", is_version)?);
        let architecture = field("Architecture", is_architecture)?;
        Ok(Self { name: package, version, architecture, stanza, files, archive })
    }

    /// Returns the text of one of the files; none if the package does not have it.
    pub(super) fn text(&self, name: &str, package: &Path) -> Result<Option<Vec<u8>>> {
        let Some(file) = self.files.get(name) else { return Ok(None) };
        let named = PathBuf::from(package);
        let shown = crate::shown::path(&named).to_string();
        bounded::read_content(&file.content, MAX_LEN, format_args!("{shown}: {name}")).map(Some)
    }

    /// Returns true for a package whose versions for several architectures can be installed at once.
    #[must_use]
    pub fn is_multi_arch_same(&self) -> bool {
        self.stanza.get("Multi-Arch").is_some_and(|value| value == b"same")
    }

    /// Returns true for a package that every system needs.
    #[must_use]
    pub fn is_essential(&self) -> bool {
        self.stanza.get("Essential").is_some_and(|value| value.eq_ignore_ascii_case(b"yes"))
    }

    /// The name in dpkg's database: with the architecture, if those of several can be installed.
    #[must_use]
    pub fn qualified_name(&self) -> String {
        match self.is_multi_arch_same() {
            true => format!("{}:{}", self.name, self.architecture),
            false => self.name.clone(),
        }
    }

    /// The number of bytes that stay in memory.
    pub(super) fn size(&self) -> usize {
        usize::try_from(self.archive.len()).unwrap_or(usize::MAX)
    }
}

/// Returns true for a name that a file of dpkg's database can have behind that of the package.
fn is_file_name(name: &str) -> bool {
    /// The longest name that dpkg accepts, in bytes.
    const MAX: usize = 50;
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+');
    // `list` is a name of the database's own.
    !name.is_empty() && name.len() <= MAX && name != "list" && name.bytes().all(is_valid)
}

/// Returns true for the name of a package, by Debian's policy.
fn is_package_name(name: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    (2..=128).contains(&name.len())
        && name.bytes().all(is_valid)
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// Returns true for a version.
fn is_version(version: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b".+-:~".contains(&byte);
    !version.is_empty() && version.len() <= 512 && version.bytes().all(is_valid)
}

/// Returns true for the name of an architecture.
fn is_architecture(name: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !name.is_empty() && name.len() <= 64 && name.bytes().all(is_valid) && !name.starts_with('-')
}
