//! The roots of archives: those that are named, or those of apt's sources.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::sources::{Entry, SignedBy, parse_list, parse_sources};
use crate::bounded::read_file;
use crate::error::{Error, ErrorKind, Result};
use crate::shown;
use crate::source::package::deb::options::PackageOptions;
use crate::source::package::deb::spec::{Distribution, Spec};
use crate::source::package::trust::Keyring;

/// The longest file of sources, and the longest file of keys, in bytes.
const MAX_LEN: u64 = 16 << 20;

/// The schemes of URLs that files are fetched from.
const SCHEMES: [&str; 3] = ["http://", "https://", "file:"];

/// The root of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The URL.
    pub url: String,
    /// True if it was named for this source, or its sources name the distribution's keys: it has to be
    /// signed by them.
    pub is_certain: bool,
}

/// The roots of archives, and the keys that have to sign them.
#[derive(Debug)]
pub struct Places {
    /// The roots, in the order in which they are tried.
    pub places: Vec<Place>,
    /// True if all of them were named.
    pub are_named: bool,
    /// The keys.
    pub keyring: Keyring,
}

/// Returns the roots of the archives of a release, and the keys.
///
/// # Errors
/// If none is known, or no key, with the flags that name them; if a file cannot be read.
pub fn places(spec: &Spec, options: &PackageOptions) -> Result<Places> {
    if !options.mirrors.is_empty() {
        let places = options.mirrors.iter().map(|url| place(url)).collect::<Result<_>>()?;
        return Ok(Places { places, are_named: true, keyring: keyring(spec, &options.keyrings, &[])? });
    }
    let entries = entries(&options.apt_sources)?;
    let of_release = entries.iter().filter(|(entry, _)| match spec.distribution {
        Distribution::Other => entry.suites.contains(&spec.suite),
        distribution => may_be_of(distribution, &entry.signed_by),
    });
    let of_release: Vec<&(Entry, PathBuf)> = of_release.collect();
    let mut places: Vec<Place> = Vec::new();
    for (entry, _) in &of_release {
        let is_certain =
            spec.distribution == Distribution::Other || matches!(entry.signed_by, SignedBy::Files(_));
        for uri in &entry.uris {
            let url = uri.trim_end_matches('/');
            if SCHEMES.iter().any(|scheme| url.starts_with(scheme))
                && places.iter().all(|other| other.url != url)
            {
                places.push(Place { url: url.to_owned(), is_certain });
            }
        }
    }
    if places.is_empty() {
        return Err(Error::new(ErrorKind::Usage, no_archive(spec, &options.apt_sources)));
    }
    let keyring = keyring(spec, &options.keyrings, &of_release)?;
    Ok(Places { places, are_named: false, keyring })
}

fn place(url: &str) -> Result<Place> {
    let root = url.trim_end_matches('/');
    if !SCHEMES.iter().any(|scheme| root.starts_with(scheme)) {
        let url = url.escape_debug();
        return Err(Error::new(
            ErrorKind::Usage,
            format!("--mirror \"{url}\": the URL of an archive begins with http://, https:// or file:"),
        ));
    }
    Ok(Place { url: root.to_owned(), is_certain: true })
}

/// Returns true if keys of a distribution may have to sign an archive.
fn may_be_of(distribution: Distribution, signed_by: &SignedBy) -> bool {
    let SignedBy::Files(files) = signed_by else { return true };
    let prefix = format!("{}-archive-", distribution.name());
    files.iter().any(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&prefix)
    })
}

fn no_archive(spec: &Spec, apt_sources: &[PathBuf]) -> String {
    let files = match apt_sources {
        [] => "the sources of apt (/etc/apt/sources.list, /etc/apt/sources.list.d)".to_owned(),
        files => files.iter().map(|file| shown::path(file).to_string()).collect::<Vec<_>>().join(", "),
    };
    let keys = match spec.distribution.keyring_package() {
        Some(package) => format!("and --keyring its keys, unless {package} is installed"),
        None => "and --keyring FILE its keys".to_owned(),
    };
    format!("{spec}: {files} have no archive of it; --mirror URL names one, {keys}")
}

/// Reads the sources of apt with the file of each: those that are named, or those of the host.
fn entries(named: &[PathBuf]) -> Result<Vec<(Entry, PathBuf)>> {
    let mut files: Vec<PathBuf> = Vec::new();
    if named.is_empty() {
        let main = PathBuf::from("/etc/apt/sources.list");
        files.extend(Some(main).filter(|file| file.exists()));
        let parts = Path::new("/etc/apt/sources.list.d");
        if parts.is_dir() {
            files.extend(parts_of(parts)?);
        }
    }
    for path in named {
        if path.is_dir() { files.extend(parts_of(path)?) } else { files.push(path.clone()) }
    }
    let mut entries = Vec::new();
    for file in files {
        let text = read(&file)?;
        let is_paragraphs = file.extension().is_some_and(|extension| extension == "sources");
        let parsed = if is_paragraphs { parse_sources(&text) } else { parse_list(&text) };
        let parsed = parsed.map_err(|what| Error::at(ErrorKind::BadInput, &file, what))?;
        entries.extend(parsed.into_iter().map(|entry| (entry, file.clone())));
    }
    Ok(entries)
}

/// Returns the files of a directory that apt reads, in the order of their names.
fn parts_of(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| Error::io(directory, error))? {
        let path = entry.map_err(|error| Error::io(directory, error))?.path();
        if path.extension().is_some_and(|extension| extension == "list" || extension == "sources") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads the keys: those of files that are named, those of the distribution, or those that apt's
/// sources name.
fn keyring(spec: &Spec, named: &[PathBuf], entries: &[&(Entry, PathBuf)]) -> Result<Keyring> {
    let mut keyring = Keyring::default();
    let installed = spec.distribution.keyrings().iter().map(Path::new).find(|path| path.exists());
    if !named.is_empty() {
        for path in named {
            keyring.add(&read(path)?, path)?;
        }
    } else if let Some(path) = installed {
        keyring.add(&read(path)?, path)?;
    } else if spec.distribution == Distribution::Other {
        for (entry, file) in entries {
            match &entry.signed_by {
                SignedBy::Files(paths) => {
                    for path in paths {
                        keyring.add(&read(path)?, path)?;
                    }
                }
                SignedBy::Inline(text) => keyring.add(text.as_bytes(), file)?,
                SignedBy::Trusted | SignedBy::Fingerprints(_) => {}
            }
        }
    }
    if keyring.is_empty() {
        let advice = match spec.distribution.keyring_package() {
            Some(package) => format!("install {package}, or name its file with --keyring FILE"),
            None => "name the file of its keys with --keyring FILE".to_owned(),
        };
        return Err(Error::new(ErrorKind::Usage, format!("{spec}: its keys are not on this host: {advice}")));
    }
    Ok(keyring)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    read_file(file, path, MAX_LEN)
}
