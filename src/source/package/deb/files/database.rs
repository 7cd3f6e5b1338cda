//! The database of packages, `/var/lib/dpkg`: of dpkg and apt, or what scanners read of it.
//!
//! ```text
//! status                     a paragraph for each package, `install ok installed`
//! available                  empty
//! arch                       the architectures, if there are several
//! diversions, statoverride   three lines for each diversion; empty
//! info/format                the version of the names below
//! info/P.list, P:ARCH.list   the paths of a package, with its architecture for `Multi-Arch: same`
//! info/P.*                   the other files of its description
//! triggers/File, …           the packages that are interested in a path or a name
//!
//! status.d/P, P.md5sums      what scanners read in images without dpkg
//! ```

mod checksums;
mod status;
mod triggers;

use std::path::Path;

use image_tree::{Kind, Metadata};

use self::checksums::Checksums;
pub(super) use self::checksums::conffile_paths;
use super::options::{Diversion, Options, PackageDatabase};
use super::package::Package;
use crate::blob::Blob;
use crate::error::{Error, ErrorKind, Result};
use crate::stack::{AddError, Addition, MemberKind, Stack};

/// The directory of the database, without the first slash.
const DIRECTORY: &str = "var/lib/dpkg";

/// Adds the database to the tree of the packages.
pub(super) fn add(stack: &mut Stack<Blob>, packages: &[Package], options: &Options<'_>) -> Result<()> {
    let mut writing = Writing { addition: stack.members(metadata(0o755, options)), options };
    match options.database {
        PackageDatabase::None => return Ok(()),
        PackageDatabase::StatusD => writing.status_d(packages)?,
        PackageDatabase::Full => writing.full(packages)?,
    }
    drop(writing.addition.finish());
    Ok(())
}

fn metadata(mode: u16, options: &Options<'_>) -> Metadata {
    Metadata { mtime: options.time, ..Metadata::new(mode) }
}

struct Writing<'s, 'o> {
    addition: Addition<'s, Blob>,
    options: &'o Options<'o>,
}

impl Writing<'_, '_> {
    fn full(&mut self, packages: &[Package]) -> Result<()> {
        for directory in ["alternatives", "info", "parts", "triggers", "updates"] {
            let path = format!("{DIRECTORY}/{directory}");
            self.addition.imply(path.as_bytes()).map_err(|error| failed(&path, error))?;
        }
        let mut status = Vec::new();
        for package in packages {
            let checksums = Checksums::of(package, self.options.interrupt)?;
            status::write(&mut status, package, &checksums);
            self.info(package, &checksums)?;
        }
        self.text("status", status)?;
        self.text("available", Vec::new())?;
        self.text("diversions", diversions(self.options.diversions))?;
        self.text("statoverride", Vec::new())?;
        self.text("info/format", b"1\n".to_vec())?;
        let architectures = architectures(packages, self.options);
        if !architectures.is_empty() {
            self.text(
                "arch",
                architectures.iter().flat_map(|name| [name.as_bytes(), b"\n"].concat()).collect(),
            )?;
        }
        for (name, text) in triggers::files(packages)? {
            self.text(&format!("triggers/{name}"), text)?;
        }
        Ok(())
    }

    /// Writes the files of one package.
    fn info(&mut self, package: &Package, checksums: &Checksums) -> Result<()> {
        let name = package.control.qualified_name();
        let list = package.files.iter().flat_map(|path| [path.as_slice(), b"\n"].concat()).collect();
        self.text(&format!("info/{name}.list"), list)?;
        if let Some(text) = &checksums.generated {
            self.text(&format!("info/{name}.md5sums"), text.clone())?;
        }
        for (kind, file) in &package.control.files {
            let metadata = Metadata { mtime: file.mtime, ..Metadata::new(file.mode) };
            self.file(&format!("info/{name}.{kind}"), metadata, file.content.clone())?;
        }
        Ok(())
    }

    fn status_d(&mut self, packages: &[Package]) -> Result<()> {
        for package in packages {
            let checksums = Checksums::of(package, self.options.interrupt)?;
            let name =
                match packages.iter().filter(|other| other.control.name == package.control.name).count() {
                    1 => package.control.name.clone(),
                    _ => format!("{}_{}", package.control.name, package.control.architecture),
                };
            let mut status = Vec::new();
            status::write(&mut status, package, &checksums);
            self.text(&format!("status.d/{name}"), status)?;
            let sums = match (&checksums.generated, package.control.files.get("md5sums")) {
                (Some(text), _) => Blob::from(text.clone()),
                (None, Some(file)) => file.content.clone(),
                (None, None) => continue,
            };
            self.file(&format!("status.d/{name}.md5sums"), metadata(0o644, self.options), sums)?;
        }
        Ok(())
    }

    fn text(&mut self, path: &str, text: Vec<u8>) -> Result<()> {
        self.file(path, metadata(0o644, self.options), Blob::from(text))
    }

    fn file(&mut self, path: &str, metadata: Metadata, content: Blob) -> Result<()> {
        let path = format!("{DIRECTORY}/{path}");
        let kind = MemberKind::Inode(Kind::Regular(content));
        self.addition.add(path.as_bytes(), metadata, kind).map_err(|error| failed(&path, error))?;
        Ok(())
    }
}

fn failed(path: &str, error: AddError) -> Error {
    let what = format!("cannot be added to the packages: {error}; --package-db none leaves it out");
    Error::at(ErrorKind::BadInput, Path::new("/").join(path), what)
}

/// Returns the architectures of a tree, its own first; none if there is only one.
fn architectures(packages: &[Package], options: &Options<'_>) -> Vec<String> {
    let of = |name: &str| packages.iter().find(|package| package.control.name == name);
    let mut found: Vec<String> = options.architectures.to_vec();
    let first = ["dpkg", "base-files"].into_iter().filter_map(of).chain(packages);
    for Package { control, .. } in first {
        if control.architecture != "all" && !found.contains(&control.architecture) {
            found.push(control.architecture.clone());
        }
    }
    let own = usize::from(!found.is_empty());
    found[own..].sort();
    if found.len() > 1 { found } else { Vec::new() }
}

/// Returns the text of the diversions.
fn diversions(diversions: &[Diversion]) -> Vec<u8> {
    let mut text = Vec::new();
    for Diversion { from, to, by } in diversions {
        let by = by.as_deref().unwrap_or(":");
        for line in [from.as_slice(), to, by.as_bytes()] {
            text.extend([line, b"\n"].concat());
        }
    }
    text
}
