//! The links of a merged `/usr`, such as `/bin -> usr/bin`.
//!
//! Packages of Debian 13 and of recent releases of Ubuntu have them in base-files. Before, the program
//! that made the root directory created them, and packages still have files below `/bin` and `/lib`.

use image_tree::{Kind, LinkTarget, Metadata, Timestamp};

use super::payload::Payload;
use crate::blob::Blob;
use crate::stack::packages::PackageError;
use crate::stack::{AddError, Addition, MemberKind};

/// The links of every architecture.
const ALWAYS: [&str; 3] = ["bin", "sbin", "lib"];

/// Returns the further links of an architecture, by its name in Debian.
fn of_architecture(name: &str) -> &'static [&'static str] {
    match name {
        "amd64" | "x32" => &["lib32", "lib64", "libx32"],
        "i386" => &["lib64", "libx32"],
        "loong64" | "mips" | "mipsel" | "ppc64" | "sparc64" => &["lib32", "lib64"],
        "mips64el" | "mips64" => &["lib32", "lib64", "libo32"],
        "powerpc" | "ppc64el" | "sparc" => &["lib64"],
        "s390x" => &["lib32"],
        _ => &[],
    }
}

/// Returns the links that have to be there before the files of the packages: none unless base-files
/// is among them and does not have them.
pub(super) fn links(packages: &[Payload]) -> Vec<&'static str> {
    let Some(base) = packages.iter().find(|package| package.control.name == "base-files") else {
        return Vec::new();
    };
    let has_link = base.members.iter().any(|entry| {
        let path = entry.member.path.strip_prefix(b"./").unwrap_or(&entry.member.path);
        path == b"bin" && matches!(entry.member.kind, MemberKind::Inode(Kind::Symlink(_)))
    });
    match has_link {
        true => Vec::new(),
        false => ALWAYS.iter().chain(of_architecture(&base.control.architecture)).copied().collect(),
    }
}

/// Adds the links, and the directories that they lead to.
pub(super) fn add(
    links: &[&str],
    addition: &mut Addition<'_, Blob>,
    time: Timestamp,
) -> Result<(), PackageError> {
    for link in links {
        let target = format!("usr/{link}");
        addition.imply(target.as_bytes())?;
        let target = LinkTarget::new(target).map_err(|_| AddError::NoPath)?;
        let metadata = Metadata { mtime: time, ..Metadata::new(0o777) };
        addition.add(link.as_bytes(), metadata, MemberKind::Inode(Kind::Symlink(target)))?;
    }
    Ok(())
}
