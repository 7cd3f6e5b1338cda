//! The roots of archives: those that are named, or those of apt's sources.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sources::{Entry, SignedBy, parse_list, parse_sources};
use crate::bounded::read_file;
use crate::error::{Error, ErrorKind, Result};
use crate::shown;
use crate::source::package::deb::options::PackageOptions;
use crate::source::package::deb::spec::{Distribution, Spec};
use crate::source::package::trust::{Keyring, Signer};

/// The longest file of sources, and the longest file of keys, in bytes.
const MAX_LEN: u64 = 16 << 20;

/// The schemes of URLs that files are fetched from.
const SCHEMES: [&str; 3] = ["http://", "https://", "file:"];

/// The root of an archive, and the keys that have to sign it.
#[derive(Clone, Debug)]
pub struct Place {
    /// The URL.
    pub url: String,
    /// True if it was named for this source, or its sources name the distribution's keys: it has to be
    /// signed by them.
    pub is_certain: bool,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// The fingerprints of those of the keys that apt's sources name; none for all of them.
    pub fingerprints: Vec<String>,
}

impl Place {
    /// Returns true if one of the keys that apt's sources name signed, or a subkey of it. A `!` after a
    /// fingerprint excludes subkeys.
    pub(super) fn accepts(&self, signer: &Signer) -> bool {
        let is_signer = |fingerprint: &String| match fingerprint.strip_suffix('!') {
            Some(exact) => exact == signer.key,
            None => [&signer.certificate, &signer.key].contains(&fingerprint),
        };
        self.fingerprints.is_empty() || self.fingerprints.iter().any(is_signer)
    }
}

/// The roots of archives.
#[derive(Debug)]
pub struct Places {
    /// The roots, in the order in which they are tried.
    pub places: Vec<Place>,
    /// True if all of them were named.
    pub are_named: bool,
}

/// Returns the roots of the archives of a release, and the keys.
///
/// # Errors
/// If none is known, or no key, with the flags that name them; if a file cannot be read.
pub fn places(spec: &Spec, options: &PackageOptions) -> Result<Places> {
    let shared = shared_keyring(spec, &options.keyrings)?.map(Arc::new);
    if !options.mirrors.is_empty() {
        let keyring = shared.ok_or_else(|| no_keys(spec))?;
        let places = options.mirrors.iter().map(|url| place(url, &keyring)).collect::<Result<_>>()?;
        return Ok(Places { places, are_named: true });
    }
    let entries = entries(&options.apt_sources)?;
    let of_release = entries.iter().filter(|(entry, _)| match spec.distribution {
        Distribution::Other => entry.suites.contains(&spec.suite),
        distribution => may_be_of(distribution, &entry.signed_by),
    });
    let mut places: Vec<Place> = Vec::new();
    for (Entry { uris, signed_by, .. }, file) in of_release {
        let keyring = match &shared {
            Some(keyring) => Arc::clone(keyring),
            None => Arc::new(keyring_of_entry(spec, signed_by, file)?),
        };
        let is_certain = match spec.distribution {
            // apt has keys of its own for entries that name none, which are not looked for.
            Distribution::Other => !keyring.is_empty(),
            _ => !signed_by.files.is_empty(),
        };
        let SignedBy { fingerprints, .. } = signed_by;
        for uri in uris {
            let url = uri.trim_end_matches('/');
            let is_new = |other: &Place| (other.url.as_str(), &other.fingerprints) != (url, fingerprints);
            if SCHEMES.iter().any(|scheme| url.starts_with(scheme)) && places.iter().all(is_new) {
                let (url, keyring, fingerprints) =
                    (url.to_owned(), Arc::clone(&keyring), fingerprints.clone());
                places.push(Place { url, is_certain, keyring, fingerprints });
            }
        }
    }
    if places.is_empty() {
        return Err(Error::new(ErrorKind::Usage, no_archive(spec, &options.apt_sources)));
    }
    if places.iter().all(|place| place.keyring.is_empty()) {
        return Err(no_keys(spec));
    }
    Ok(Places { places, are_named: false })
}

fn place(url: &str, keyring: &Arc<Keyring>) -> Result<Place> {
    let root = url.trim_end_matches('/');
    if !SCHEMES.iter().any(|scheme| root.starts_with(scheme)) {
        let url = url.escape_debug();
        return Err(Error::new(
            ErrorKind::Usage,
            format!("--mirror \"{url}\": the URL of an archive begins with http://, https:// or file:"),
        ));
    }
    let (url, keyring) = (root.to_owned(), Arc::clone(keyring));
    Ok(Place { url, is_certain: true, keyring, fingerprints: Vec::new() })
}

/// Returns true if keys of a distribution may have to sign an archive.
fn may_be_of(distribution: Distribution, signed_by: &SignedBy) -> bool {
    let prefix = format!("{}-archive-", distribution.name());
    let is_of = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&prefix)
    };
    signed_by.files.is_empty() || signed_by.files.iter().any(is_of)
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

/// Reads the keys of all archives: those of files that are named, or those of the distribution.
fn shared_keyring(spec: &Spec, named: &[PathBuf]) -> Result<Option<Keyring>> {
    let installed = spec.distribution.keyrings().iter().map(Path::new).find(|path| path.exists());
    let paths: Vec<&Path> = match named {
        [] => installed.into_iter().collect(),
        named => named.iter().map(PathBuf::as_path).collect(),
    };
    let mut keyring = Keyring::default();
    for path in paths {
        keyring.add(&read(path)?, path)?;
    }
    Ok(Some(keyring).filter(|keyring| !keyring.is_empty()))
}

/// Reads the keys that an entry of `file` names. Those of a distribution are not taken from there.
fn keyring_of_entry(spec: &Spec, signed_by: &SignedBy, file: &Path) -> Result<Keyring> {
    let mut keyring = Keyring::default();
    if spec.distribution == Distribution::Other {
        for path in &signed_by.files {
            keyring.add(&read(path)?, path)?;
        }
        if let Some(text) = &signed_by.inline {
            keyring.add(text.as_bytes(), file)?;
        }
    }
    Ok(keyring)
}

fn no_keys(spec: &Spec) -> Error {
    let advice = match spec.distribution.keyring_package() {
        Some(package) => format!("install {package}, or name its file with --keyring FILE"),
        None => "name the file of its keys with --keyring FILE".to_owned(),
    };
    Error::new(ErrorKind::Usage, format!("{spec}: its keys are not on this host: {advice}"))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    read_file(file, path, MAX_LEN)
}
