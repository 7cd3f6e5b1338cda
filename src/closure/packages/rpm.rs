//! rpm's database: a file of SQLite whose table `Packages` has the header of each package.

mod header;
mod rich;
pub mod sqlite;

use image_tree::Content;

use self::sqlite::{Database, Payload, Problem};
use super::model::{Capability, Listed, Package, Requirement};
pub use header::Header;

/// The directories of the database; the first is often a link to the second.
pub(super) const DIRECTORIES: [&[u8]; 2] = [b"/var/lib/rpm", b"/usr/lib/sysimage/rpm"];
/// The name of the database.
pub(super) const NAME: &[u8] = b"rpmdb.sqlite";
/// Files that mean that `NAME` is not complete.
pub(super) const JOURNALS: [&[u8]; 2] = [b"-wal", b"-journal"];
/// The names of databases in other formats, and the formats.
pub(super) const OTHERS: [(&[u8], &str); 2] = [(b"Packages", "Berkeley DB"), (b"Packages.db", "ndb")];

/// The table of packages.
const TABLE: &[u8] = b"Packages";

/// Requirements with one of these flags are for the scripts that install or remove a package
/// (`RPMSENSE_SCRIPT_*`, `RPMSENSE_TRIGGER*`, `RPMSENSE_PRETRANS` and its kin), or for rpm itself
/// (`RPMSENSE_RPMLIB`, `RPMSENSE_KEYRING`).
const NOT_AT_RUN_TIME: u32 = 1 << 5
    | 1 << 7
    | 1 << 9
    | 1 << 10
    | 1 << 11
    | 1 << 12
    | 1 << 13
    | 1 << 16
    | 1 << 17
    | 1 << 18
    | 1 << 20
    | 1 << 21
    | 1 << 24
    | 1 << 25
    | 1 << 26;
/// `RPMSENSE_MISSINGOK`: the requirement is only a recommendation.
const MISSING_OK: u32 = 1 << 19;
/// `RPMSENSE_LESS`, `RPMSENSE_GREATER` and `RPMSENSE_EQUAL`.
const COMPARISON: u32 = 0b1110;
const EQUAL: u32 = 0b1000;
/// `RPMFILE_GHOST`.
const GHOST: u32 = 1 << 6;

/// Returns the location of each package's header.
///
/// # Errors
/// Returns an error if the file is not a database of SQLite, is damaged, or has no table of
/// packages.
pub fn rows<C: Content>(database: &Database<'_, C>) -> Result<Vec<Payload>, Problem> {
    let root = database.table(TABLE)?;
    let root = root.ok_or(Problem::Malformed("it has no table of packages"))?;
    database.rows(root)
}

/// Reads the header of a package.
///
/// # Errors
/// Returns an error if it cannot be read or is damaged.
pub fn header<C: Content>(database: &Database<'_, C>, row: &Payload) -> Result<Header, Problem> {
    let record = database.read(row)?;
    // The first column is the number of the package, and the second its header.
    let bytes = sqlite::column(&record, 1).ok_or(Problem::Malformed("a package has no header"))?;
    Header::parse(bytes.to_vec()).map_err(Problem::Malformed)
}

/// Returns what the header of a package states; `None` for a key, which rpm stores as a package.
#[must_use]
pub fn package(header: &Header) -> Option<Package> {
    let name = header.string(header::NAME)?;
    if name == b"gpg-pubkey" {
        return None;
    }
    let versions = header.strings(header::PROVIDE_VERSION);
    let provides = header.strings(header::PROVIDE_NAME).into_iter().enumerate().map(|(at, name)| {
        let version = versions.get(at).filter(|version| !version.is_empty());
        Capability { version: version.map(|version| version.to_vec()), ..Capability::new(name) }
    });
    Some(Package {
        name: name.to_vec(),
        architecture: header.string(header::ARCH).unwrap_or_default().to_vec(),
        requires: requires(header),
        provides: provides.collect(),
        ..Package::default()
    })
}

fn requires(header: &Header) -> Vec<Requirement> {
    let flags = header.numbers(header::REQUIRE_FLAGS);
    let versions = header.strings(header::REQUIRE_VERSION);
    let mut requires = Vec::new();
    for (at, name) in header.strings(header::REQUIRE_NAME).into_iter().enumerate() {
        let flags = flags.get(at).copied().unwrap_or_default();
        if flags & (NOT_AT_RUN_TIME | MISSING_OK) != 0 || name.starts_with(b"rpmlib(") {
            continue;
        }
        if name.starts_with(b"(") {
            requires.extend(rich::parse(name));
            continue;
        }
        let is_exact = flags & COMPARISON == EQUAL;
        let version = versions.get(at).filter(|version| is_exact && !version.is_empty());
        let version = version.map(|version| version.to_vec());
        requires.push(Requirement::Package(Capability { version, ..Capability::new(name) }));
    }
    requires
}

/// Returns the files and directories of a package.
#[must_use]
pub fn files(header: &Header) -> Vec<Listed> {
    let flags = header.numbers(header::FILE_FLAGS);
    let is_ghost = |at: usize| flags.get(at).is_some_and(|flags| flags & GHOST != 0);
    let directories = header.strings(header::DIR_NAMES);
    let indexes = header.numbers(header::DIR_INDEXES);
    let path = |at: usize, name: &[u8]| {
        let index = usize::try_from(*indexes.get(at)?).ok()?;
        Some([directories.get(index)?, name].concat())
    };
    let names = header.strings(header::BASE_NAMES).into_iter().enumerate();
    let mut paths: Vec<(usize, Vec<u8>)> =
        names.filter_map(|(at, name)| Some((at, path(at, name)?))).collect();
    if paths.is_empty() {
        // Packages built before rpm 4 have whole paths.
        let old = header.strings(header::OLD_FILE_NAMES).into_iter().enumerate();
        paths = old.map(|(at, path)| (at, path.to_vec())).collect();
    }
    let listed = paths.into_iter().filter(|(_, path)| path.starts_with(b"/") && path.len() > 1);
    listed.map(|(at, path)| Listed { path, optional: is_ghost(at) }).collect()
}
