//! The indices of the pockets of a release.

use initramfs::codec::CompressedPiece;

use super::hosts::Places;
use super::locate::{Context, Located, Pocket, locate};
use super::release::Listed;
use crate::cache::{Key, KeyBuilder};
use crate::error::{Error, ErrorKind, Result};
use crate::fetch::{Fetched, Length, Request, join};
use crate::source::package::deb::index::{self, Index};
use crate::source::package::deb::options::PackageOptions;
use crate::source::package::deb::spec::Spec;
use crate::source::tar::Compression;

/// The pockets of a release with their indices.
pub struct Acquired {
    /// The pockets that have packages, that of the release first.
    pub pockets: Vec<Pocket>,
    /// The indices in the order of pockets, components and architectures.
    pub indices: Vec<PocketIndex>,
    /// Messages about pockets that are left out.
    pub notes: Vec<String>,
}

/// An index of a pocket.
pub struct PocketIndex {
    /// The number of the pocket.
    pub pocket: usize,
    /// The component; empty for that of a flat repository.
    pub component: String,
    /// The request by which its file is fetched.
    pub request: Request,
    /// The path of its file below the root of the archive.
    pub path: String,
    /// The index.
    pub index: Index,
}

/// An index that is to be read.
struct Wanted {
    pocket: usize,
    component: String,
    listed: Listed,
    path: String,
    request: Request,
}

/// Fetches and parses the indices of a release for architectures, the native one first. Those whose
/// parsed form is in the cache are not fetched.
///
/// # Errors
/// Those of finding the pockets; if the release, or a pocket that was named, has no packages for an
/// architecture; if an index is not the one that the Release file lists, also after both were fetched
/// once more.
pub fn acquire(
    spec: &Spec,
    places: &Places,
    options: &PackageOptions,
    architectures: &[String],
    context: &Context<'_>,
) -> Result<Acquired> {
    let mut located = locate(spec, places, options, context)?;
    let mut is_second = false;
    loop {
        let Located { pockets, notes } = &located;
        let (wanted, more) = wanted(spec, pockets, options, architectures)?;
        let notes: Vec<String> = notes.iter().cloned().chain(more).collect();
        let failed = match read(wanted, context) {
            Ok(indices) => return Ok(Acquired { pockets: located.pockets, indices, notes }),
            Err(error) => error,
        };
        let may_be_new = matches!(failed.kind(), ErrorKind::BadInput | ErrorKind::Io) && !options.offline;
        if is_second || !may_be_new {
            return Err(failed);
        }
        // The mirror may have been updated between the Release file and the indices.
        let again = locate(spec, places, options, context)?;
        let signed =
            |pockets: &[Pocket]| pockets.iter().map(|pocket| pocket.signed.clone()).collect::<Vec<_>>();
        if signed(&again.pockets) == signed(&located.pockets) {
            if failed.kind() != ErrorKind::BadInput {
                return Err(failed);
            }
            let dates: Vec<&str> = again.pockets.iter().map(|pocket| pocket.release.field("date")).collect();
            let what = format!(
                "{failed}; the mirror mixes files of different days (its Release is of {})",
                dates.join(", ")
            );
            return Err(Error::new(ErrorKind::BadInput, what));
        }
        (located, is_second) = (again, true);
    }
}

/// Returns the indices to read, and messages about components and architectures without one.
fn wanted(
    spec: &Spec,
    pockets: &[Pocket],
    options: &PackageOptions,
    architectures: &[String],
) -> Result<(Vec<Wanted>, Vec<String>)> {
    let (mut wanted, mut notes) = (Vec::new(), Vec::new());
    for (number, pocket) in pockets.iter().enumerate() {
        let suite = &pocket.suite;
        let refused = |what: String| Err(Error::new(ErrorKind::BadInput, format!("{spec}: {what}")));
        let there = |field: &str| pocket.release.words(field).collect::<Vec<_>>().join(" ");
        let mut without: Vec<&str> = architectures.iter().map(String::as_str).collect();
        let mut absent = Vec::new();
        for component in components(spec, pocket, options) {
            let before = wanted.len();
            for architecture in of_pocket(pocket, architectures) {
                let path = match spec.is_flat() {
                    true => "Packages".to_owned(),
                    false => format!("{component}/binary-{architecture}/Packages"),
                };
                let Some(listed) = pocket.release.index(&path) else { continue };
                without.retain(|one| *one != architecture);
                let path = format!("{}/{}", pocket.directory, listed.path).trim_start_matches('/').to_owned();
                if wanted.iter().all(|other: &Wanted| (other.pocket, &other.path) != (number, &path)) {
                    let request = request(pocket, &listed, &path);
                    let component = component.clone();
                    wanted.push(Wanted { pocket: number, component, listed, path, request });
                }
            }
            if wanted.len() == before && options.components.contains(&component) {
                absent.push(component);
            }
        }
        if let (0, [component, ..]) = (number, &absent[..]) {
            let (component, native, there) =
                (component.escape_debug(), &architectures[0], there("components"));
            return refused(format!(
                "the component {component} is not in the archive for {native}; its components are {there}"
            ));
        }
        if !without.is_empty() {
            let what = format!("{suite} has no packages for {}", without.join(" and "));
            if number == 0 || options.pockets.is_some() {
                return refused(format!("{what}; its architectures are {}", there("architectures")));
            }
            let is_left_out = without.len() == architectures.len();
            notes.push(if is_left_out { format!("{what}, and is left out") } else { what });
        }
        if without.len() < architectures.len() {
            let note = |one: &String| format!("{suite} has no component {}", one.escape_debug());
            notes.extend(absent.iter().map(note));
        }
    }
    Ok((wanted, notes))
}

fn components(spec: &Spec, pocket: &Pocket, options: &PackageOptions) -> Vec<String> {
    if spec.is_flat() {
        return vec![String::new()];
    }
    if !options.components.is_empty() {
        return options.components.clone();
    }
    let there: Vec<&str> = pocket.release.words("components").collect();
    // Those of security archives have the name of another directory in front.
    let has_main = there.is_empty() || there.iter().any(|one| one.rsplit('/').next() == Some("main"));
    if has_main { vec!["main".to_owned()] } else { there.into_iter().map(str::to_owned).collect() }
}

/// Returns the architectures of indices: with that of packages for all, if they have one of their own.
fn of_pocket<'a>(pocket: &Pocket, architectures: &'a [String]) -> Vec<&'a str> {
    let mut names: Vec<&str> = architectures.iter().map(String::as_str).collect();
    let release = &pocket.release;
    let is_split = release.words("architectures").any(|one| one == "all")
        && !release.words("no-support-for-architecture-all").any(|one| one == "Packages");
    if is_split {
        names.push("all");
    }
    names
}

/// Returns the request of an index: by its digest where the archive supports that, and by its name.
fn request(pocket: &Pocket, listed: &Listed, path: &str) -> Request {
    let by_hash = path.rsplit_once('/').map_or(String::new(), |(directory, _)| format!("{directory}/"));
    let by_hash = format!("{by_hash}by-hash/SHA256/{}", listed.digest);
    let has_digests = pocket.release.is_set("acquire-by-hash");
    let urls = pocket.roots.iter().flat_map(|root| {
        let by_digest = has_digests.then(|| join(root, &by_hash));
        by_digest.into_iter().chain([join(root, path)])
    });
    Request {
        what: format!("{} of {}", listed.path, pocket.suite),
        urls: urls.collect(),
        digest: Some(listed.digest),
        length: Length::Exactly(listed.len),
    }
}

/// Reads the indices: those that the cache has, and the others from the archives.
fn read(wanted: Vec<Wanted>, context: &Context<'_>) -> Result<Vec<PocketIndex>> {
    if let Some(one) = wanted.iter().find(|one| one.listed.len > index::MAX_LEN as u64) {
        let what = format!(
            "{} has {} bytes, more than the limit of {}",
            one.request.what,
            one.listed.len,
            index::MAX_LEN
        );
        return Err(Error::new(ErrorKind::BadInput, what));
    }
    let keys: Vec<Key> = wanted.iter().map(key).collect();
    let found = context.threads.map(wanted.len(), |at, (): &mut ()| {
        let piece = context.cache.and_then(|cache| cache.find(&keys[at]));
        Ok(piece.and_then(|piece| Index::decode(piece.bytes)))
    })?;
    let missing: Vec<usize> = (0..wanted.len()).filter(|at| found[*at].is_none()).collect();
    let requests: Vec<Request> = missing.iter().map(|at| wanted[*at].request.clone()).collect();
    let fetched = context.fetcher.fetch_all(&requests, context.threads, context.watch)?;
    let fetched: Vec<(usize, Option<Fetched>)> =
        missing.into_iter().zip(fetched.into_iter().map(Some)).collect();
    let fetched = std::sync::Mutex::new(fetched);
    let count = requests.len();
    let parsed = context.threads.map(count, |at, (): &mut ()| {
        context.watch.cancel.check()?;
        let (number, file) = {
            let mut fetched = fetched.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            (fetched[at].0, fetched[at].1.take())
        };
        let file = file.ok_or_else(|| Error::new(ErrorKind::Io, "an index was read twice"))?;
        let index = parse(&wanted[number], file)?;
        if let Some(cache) = context.cache {
            cache.put(&keys[number], &CompressedPiece { bytes: index.encode(), note: 0 });
        }
        Ok((number, index))
    })?;
    let mut indices: Vec<Option<Index>> = found;
    for (number, index) in parsed {
        indices[number] = Some(index);
    }
    let indices = wanted.into_iter().zip(indices).filter_map(|(one, index)| {
        let Wanted { pocket, component, path, request, .. } = one;
        Some(PocketIndex { pocket, component, request, path, index: index? })
    });
    Ok(indices.collect())
}

/// Returns the key of a parsed index: the digest of its file.
fn key(wanted: &Wanted) -> Key {
    let mut key = KeyBuilder::new("deb packages 1");
    key.bytes(&wanted.listed.digest.0);
    key.finish()
}

fn parse(wanted: &Wanted, file: Fetched) -> Result<Index> {
    let name = file.url().to_owned();
    let refused = |what: String| Error::at(ErrorKind::BadInput, &name, what);
    let limit = wanted.listed.unpacked.unwrap_or(index::MAX_LEN as u64).min(index::MAX_LEN as u64);
    let bytes = file.into_bytes().map_err(|error| Error::io(&name, error))?;
    let is_packed = !wanted.listed.path.ends_with("/Packages") && wanted.listed.path != "Packages";
    let text = match Compression::of(&bytes).filter(|_| is_packed) {
        Some(compression) => {
            compression.unpack(&bytes[..], limit, None).map_err(|error| refused(error.to_string()))?
        }
        None => bytes,
    };
    Index::parse(text).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::package::deb::archive::Release;

    const DIGEST: &str = "abababababababababababababababababababababababababababababababab";

    fn pocket(fields: &str) -> Pocket {
        let text = format!("{fields}SHA256:\n {DIGEST} 9 main/binary-amd64/Packages.xz\n");
        Pocket {
            suite: "trixie".to_owned(),
            roots: vec!["http://a".to_owned(), "http://b".to_owned()],
            directory: "dists/trixie".to_owned(),
            release: Release::parse(&text).expect("a release"),
            signed: Vec::new(),
            signers: Vec::new(),
        }
    }

    #[test]
    fn components_are_main_or_all() {
        let spec = Spec::parse("debian:trixie".as_ref()).expect("valid").expect("a specification");
        let of = |fields: &str, named: &[&str]| {
            let named = named.iter().map(|name| (*name).to_owned()).collect();
            let options = PackageOptions { components: named, ..PackageOptions::default() };
            components(&spec, &pocket(fields), &options)
        };
        assert_eq!(of("", &[]), ["main"]);
        assert_eq!(of("Components: updates/main updates/contrib\n", &[]), ["main"]);
        assert_eq!(of("Components: stable test\n", &[]), ["stable", "test"]);
        assert_eq!(of("Components: main\n", &["x"]), ["x"]);
    }

    #[test]
    fn packages_for_all_architectures_may_have_an_index_of_their_own() {
        let names = ["amd64".to_owned()];
        let of = |fields: &str| of_pocket(&pocket(fields), &names).join(" ");
        assert_eq!(of("Architectures: amd64\n"), "amd64");
        assert_eq!(of("Architectures: all amd64\n"), "amd64 all");
        let fields = "Architectures: all amd64\nNo-Support-for-Architecture-all: Packages\n";
        assert_eq!(of(fields), "amd64");
    }

    #[test]
    fn indices_are_fetched_by_their_digest_first() {
        let urls = |fields: &str| {
            let pocket = pocket(fields);
            let listed = pocket.release.index("main/binary-amd64/Packages").expect("an index");
            request(&pocket, &listed, "dists/trixie/main/binary-amd64/Packages.xz").urls
        };
        let directory = "/dists/trixie/main/binary-amd64";
        let by_name = |root: &str| format!("{root}{directory}/Packages.xz");
        let by_digest = |root: &str| format!("{root}{directory}/by-hash/SHA256/{DIGEST}");
        assert_eq!(urls(""), [by_name("http://a"), by_name("http://b")]);
        let (a, b) = ("http://a", "http://b");
        assert_eq!(urls("Acquire-By-Hash: yes\n"), [by_digest(a), by_name(a), by_digest(b), by_name(b)]);
    }
}
