//! The selection of packages of a release: everything from the specification to names, versions,
//! URLs and digests.

use std::fs::File;
use std::path::PathBuf;

use super::archive::{self, Acquired, Context};
use super::files::{self, Facts};
use super::index::{Index, Listed};
use super::options::PackageOptions;
use super::preferences::{Preferences, ReleaseFacts};
use super::resolve::{self, Answered, Request, Why};
use super::selected::{Location, Reason, SelectedPackage, Selection, Suite};
use super::spec::Spec;
use super::universe::{Ranked, Universe};
use crate::bounded::read_file;
use crate::closure::packages::dpkg::deb822;
use crate::error::{Error, ErrorKind, Result};
use crate::fetch::{Digest, join};
use crate::interrupt::Interrupt;

/// The longest file of preferences in bytes.
const MAX_PREFERENCES: u64 = 1 << 20;

/// The code names of releases before `/bin` and its kin became links.
const NOT_MERGED: [&str; 7] = ["wheezy", "jessie", "stretch", "trusty", "xenial", "bionic", "precise"];

/// A package file of the host that is requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPackage {
    /// The path.
    pub path: PathBuf,
    /// The facts about it.
    pub facts: Facts,
}

/// A selection, with the archives that it is from.
pub struct Selected {
    /// The packages.
    pub selection: Selection,
    /// The archives and their indices.
    pub acquired: Acquired,
    /// Messages about choices and about what is left out.
    pub notes: Vec<String>,
}

/// Reads the package files among the requested packages.
///
/// # Errors
/// If one is not a package or cannot be read.
pub fn local_packages(request: &Request, interrupt: &Interrupt) -> Result<Vec<LocalPackage>> {
    let files = request.include.iter().filter(|one| is_file(one)).map(PathBuf::from);
    files.map(|path| Ok(LocalPackage { facts: files::facts(&path, interrupt)?, path })).collect()
}

/// Returns true for a requested package that is a file of the host: it has a slash in front of the
/// name, and ends in `.deb`.
#[must_use]
pub fn is_file(included: &str) -> bool {
    included.ends_with(".deb") && included.contains('/')
}

/// Selects packages of a release for an architecture, as Debian calls it.
///
/// # Errors
/// Those of [`archive::places`] and [`archive::acquire`];
/// [`BadInput`](ErrorKind::BadInput) with the explanation if the packages cannot be installed.
pub fn select(
    spec: &Spec,
    options: &PackageOptions,
    architecture: &str,
    context: &Context<'_>,
) -> Result<Selected> {
    let local = &local_packages(&options.request, &context.watch.cancel)?[..];
    let mut preferences = Preferences::default();
    for path in &options.preferences {
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        let text = read_file(file, path, MAX_PREFERENCES)?;
        preferences.add(&text).map_err(|what| Error::at(ErrorKind::BadInput, path, what))?;
    }
    let mut architectures = vec![architecture.to_owned()];
    architectures.extend(options.foreign_architectures.iter().filter(|one| *one != architecture).cloned());
    let places = archive::places(spec, options)?;
    let acquired = archive::acquire(spec, &places, options, &architectures, context)?;
    let files = local.iter().map(control_index).collect::<Result<Vec<Index>>>()?;

    let mut ranked: Vec<Ranked<'_>> = acquired.indices.iter().map(|one| ranked(one, &acquired)).collect();
    ranked.extend(files.iter().map(|index| Ranked { index, priority: i32::MAX, release: None }));
    let mut universe = Universe::new(&ranked, architectures, &preferences);
    let request = with_files(&options.request, &files);
    let answer = resolve::resolve(&mut universe, &request)
        .map_err(|what| Error::new(ErrorKind::BadInput, format!("{spec}: {what}")))?;
    let mut packages = Vec::new();
    for answered in &answer.packages {
        packages.push(selected(&universe, answered, &acquired, local)?);
    }
    let mut notes = acquired.notes.clone();
    notes.extend(answer.notes);
    let release = &acquired.pockets[0].release;
    let codename = match release.field("codename") {
        "" => release.field("suite"),
        codename => codename,
    };
    let suite = Suite {
        origin: release.field("origin").to_owned(),
        codename: codename.to_owned(),
        version: release.field("version").to_owned(),
        is_usr_merged: !NOT_MERGED.contains(&codename),
    };
    let foreign_architectures = universe.architectures()[1..].to_vec();
    let architecture = architecture.to_owned();
    let selection = Selection { architecture, foreign_architectures, suite, packages };
    Ok(Selected { selection, acquired, notes })
}

/// Returns the index of a file of the host.
fn control_index(local: &LocalPackage) -> Result<Index> {
    let index = Index::parse(local.facts.control.clone());
    let index = index.map_err(|what| Error::at(ErrorKind::BadInput, &local.path, what))?;
    if index.packages().count() != 1 {
        let what = "its control file has not one paragraph";
        return Err(Error::at(ErrorKind::BadInput, &local.path, what));
    }
    Ok(index)
}

fn ranked<'a>(one: &'a archive::PocketIndex, acquired: &'a Acquired) -> Ranked<'a> {
    let pocket = &acquired.pockets[one.pocket];
    let release = &pocket.release;
    let site = pocket.roots.first().and_then(|root| root.split_once("://"));
    let site = site.map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    let facts = ReleaseFacts {
        suite: release.field("suite"),
        codename: release.field("codename"),
        version: release.field("version"),
        origin: release.field("origin"),
        label: release.field("label"),
        component: &one.component,
        site: site.rsplit('@').next().unwrap_or_default(),
    };
    Ranked { index: &one.index, priority: release.priority(), release: Some(facts) }
}

/// Returns the request with the names of files in place of their paths.
fn with_files(request: &Request, files: &[Index]) -> Request {
    let names = request.include.iter().filter(|one| !is_file(one)).cloned();
    let of_files = files.iter().filter_map(|index| {
        let package = index.packages().next()?;
        let name = String::from_utf8_lossy(index.names().nth(package.name)?).into_owned();
        let architecture = String::from_utf8_lossy(package.architecture);
        Some(if architecture == "all" { name } else { format!("{name}:{architecture}") })
    });
    Request { include: names.chain(of_files).collect(), ..request.clone() }
}

fn selected(
    universe: &Universe<'_>,
    answered: &Answered,
    acquired: &Acquired,
    local: &[LocalPackage],
) -> Result<SelectedPackage> {
    let package = universe.package(answered.id);
    let Listed { version, architecture, paragraph, priority, is_essential, .. } = package.listed;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let name = universe.display_name(answered.id).split(':').next().unwrap_or_default().to_owned();
    let (location, size, sha256) = match acquired.indices.get(package.index) {
        Some(index) => {
            let roots = &acquired.pockets[index.pocket].roots;
            in_archive(paragraph, roots).map_err(|what| {
                let what = format!("{}: package {name}: {what}", index.request.what);
                Error::new(ErrorKind::BadInput, what)
            })?
        }
        None => {
            let file = &local[package.index - acquired.indices.len()];
            (Location::File(file.path.clone()), file.facts.size, file.facts.sha256)
        }
    };
    let reason = match &answered.why {
        Why::Requested if matches!(location, Location::File(_)) => Reason::File,
        Why::Requested => Reason::Requested,
        Why::Essential => Reason::Essential,
        Why::Priority => Reason::Priority(priority.name().to_owned()),
        Why::Dependency { field, by, relation } => {
            Reason::Dependency { field, by: universe.display_name(*by), relation: relation.clone() }
        }
    };
    Ok(SelectedPackage {
        name,
        version: text(version),
        architecture: text(architecture),
        is_essential,
        location,
        size,
        sha256,
        reason,
        control: paragraph.trim_ascii_end().to_vec(),
    })
}

/// Returns the location of a package's file, its size and its digest.
fn in_archive(paragraph: &[u8], roots: &[String]) -> Result<(Location, u64, [u8; 32]), String> {
    let field = |name: &str| {
        let mut paragraphs = deb822::paragraphs(paragraph);
        let value = paragraphs.next().and_then(|paragraph| paragraph.get(name.as_bytes()));
        let value = value.ok_or_else(|| format!("has no {name}"))?;
        str::from_utf8(value).map_err(|_| format!("its {name} is not UTF-8"))
    };
    let path = field("Filename")?;
    let path = path.strip_prefix("./").unwrap_or(path);
    let is_safe = !path.split('/').any(|part| matches!(part, "" | "." | ".."));
    if !is_safe || path.chars().any(|one| one.is_control() || one == '\\') {
        return Err(format!("its Filename \"{}\" is not a path in an archive", path.escape_debug()));
    }
    let size = field("Size")?;
    let size: u64 =
        size.parse().map_err(|_| format!("its Size \"{}\" is not a number", size.escape_debug()))?;
    let digest: Digest = field("SHA256")?.parse().map_err(|error| format!("its SHA256: {error}"))?;
    let urls = roots.iter().map(|root| join(root, path)).collect();
    Ok((Location::Archive { path: path.to_owned(), urls }, size, digest.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_archives_have_safe_paths() {
        let digest = "ab".repeat(32);
        let found = |filename: &str, size: &str| {
            let text = format!("Package: a\nFilename: {filename}\nSize: {size}\nSHA256: {digest}\n");
            in_archive(text.as_bytes(), &["http://a/debian".to_owned(), "file:/b".to_owned()])
        };
        let (location, size, sha256) = found("./pool/a_1:2.deb", "12").expect("a location");
        let urls = vec!["http://a/debian/pool/a_1:2.deb".to_owned(), "file:/b/pool/a_1:2.deb".to_owned()];
        assert_eq!(location, Location::Archive { path: "pool/a_1:2.deb".to_owned(), urls });
        assert_eq!((size, sha256), (12, [0xab; 32]));
        for path in ["../a", "/etc/a", "a/../b", "a//b", "a\\b"] {
            assert!(found(path, "1").expect_err(path).contains("is not a path in an archive"));
        }
        assert_eq!(found("a", "-1").expect_err("a size"), "its Size \"-1\" is not a number");
        assert_eq!(in_archive(b"Package: a\n", &[]).expect_err("nothing"), "has no Filename");
    }

    #[test]
    fn files_differ_from_names_by_a_slash() {
        assert!(is_file("./a.deb") && is_file("/srv/a_1_all.deb"));
        assert!(!is_file("a.deb") && !is_file("a/b") && !is_file("bash"));
    }
}
