//! A directory with the packages of a selection and the metadata of their archives, which is an
//! archive itself: `--mirror file:DIR` builds from it.
//!
//! ```text
//! DIR/dists/SUITE/InRelease                     as it was signed
//! DIR/dists/SUITE/main/binary-ARCH/Packages.xz  the whole index, of whose packages some are here
//! DIR/pool/…                                    the packages
//! ```

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

use super::archive::{Acquired, Context};
use super::selected::{Location, SelectedPackage, Selection};
use crate::error::{Error, Result};
use crate::fetch::{Digest, Length, Request};

/// The number of files and bytes of a directory that was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The number of packages.
    pub packages: u64,
    /// The bytes of all files.
    pub bytes: u64,
}

/// Fetches the packages of a selection and writes them into a directory, with the metadata of the
/// archives. Files that are there already are replaced.
///
/// # Errors
/// One error that names all packages that the archives lack; if a file cannot be fetched or written.
pub fn write(
    selection: &Selection,
    acquired: &Acquired,
    to: &Path,
    context: &Context<'_>,
) -> Result<Written> {
    let mut requests: Vec<Request> = Vec::new();
    let mut paths: Vec<String> = Vec::new();
    let mut written = Written::default();
    for package in &selection.packages {
        match &package.location {
            Location::Archive { path, .. } => {
                requests.extend(request(package));
                paths.push(path.clone());
            }
            Location::File(path) => {
                let name = path.file_name().unwrap_or_default();
                let file = File::open(path).map_err(|error| Error::io(path, error))?;
                written.bytes += place(file, &to.join(name))?;
            }
        }
        written.packages += 1;
    }
    for index in &acquired.indices {
        requests.push(index.request.clone());
        paths.push(index.path.clone());
    }
    context.fetcher.fetch_each(&requests, context.threads, context.watch, &mut |number, file| {
        written.bytes += place(file.into_file(), &to.join(&paths[number]))?;
        Ok(())
    })?;
    // The signed files are last: a directory that has them is complete.
    for pocket in &acquired.pockets {
        for (name, bytes) in &pocket.signed {
            written.bytes += place(&bytes[..], &to.join(&pocket.directory).join(name))?;
        }
    }
    Ok(written)
}

/// Returns the request of a package; `None` for a file of the host.
#[must_use]
pub fn request(package: &SelectedPackage) -> Option<Request> {
    let Location::Archive { urls, .. } = &package.location else { return None };
    Some(Request {
        what: format!("package {} {}", package.name, package.version),
        urls: urls.clone(),
        digest: Some(Digest(package.sha256)),
        length: Length::Exactly(package.size),
    })
}

/// Writes a file under another name, and gives it its own once it is complete.
fn place(mut bytes: impl io::Read, path: &Path) -> Result<u64> {
    let failed = |error: io::Error| Error::io(path, error);
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(failed)?;
    let mut file = NamedTempFile::new_in(directory).map_err(failed)?;
    let len = io::copy(&mut bytes, &mut file).map_err(failed)?;
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(readable).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(len)
}
