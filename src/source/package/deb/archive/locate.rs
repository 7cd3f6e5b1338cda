//! The pockets of a release: the suites that belong to it, with their Release files.

use std::path::Path;

use super::hosts::{Place, Places};
use super::release::Release;
use super::snapshot::{self, PLACEHOLDER};
use crate::cache::Cache;
use crate::error::{Error, ErrorKind, Result};
use crate::fetch::{Fetcher, Length, Request, join};
use crate::source::package::deb::options::PackageOptions;
use crate::source::package::deb::spec::Spec;
use crate::source::package::trust::{Verified, check_validity, verify_detached, verify_inrelease};
use crate::threads::Threads;
use crate::watch::Watch;

/// The longest Release file in bytes; that of Debian has 140 KB.
const MAX_RELEASE: u64 = 64 << 20;

/// The pockets besides the release that every distribution has.
const POCKETS: [&str; 2] = ["updates", "security"];

/// The means by which archives are read.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The client.
    pub fetcher: &'a Fetcher<'a>,
    /// The cache of parsed indices.
    pub cache: Option<&'a Cache>,
    /// The threads that parse indices.
    pub threads: &'a Threads,
    /// Receives the progress, and stops the work.
    pub watch: &'a Watch,
    /// The time in seconds since 1970 at which metadata has to be valid.
    pub now: i64,
}

/// A suite of an archive.
#[derive(Clone, Debug)]
pub struct Pocket {
    /// The suite, such as `trixie-updates`.
    pub suite: String,
    /// The roots of the archives that have it.
    pub roots: Vec<String>,
    /// The directory of its Release file below the root.
    pub directory: String,
    /// The Release file.
    pub release: Release,
    /// The names and bytes of the signed files: `InRelease`, or `Release` and `Release.gpg`.
    pub signed: Vec<(&'static str, Vec<u8>)>,
    /// The fingerprints of the keys that signed it.
    pub signers: Vec<String>,
}

/// The pockets of a release, and messages about those that were not found.
pub(super) struct Located {
    pub(super) pockets: Vec<Pocket>,
    pub(super) notes: Vec<String>,
}

/// A suite, as far as it was found.
enum Found {
    Pocket(Box<Pocket>),
    /// No root has it.
    Missing,
    /// The cache lacks its files, and no root may be asked for them.
    NotCached(Error),
}

/// Signed files, which were verified.
struct Signed {
    verified: Verified,
    /// The names and bytes.
    files: Vec<(&'static str, Vec<u8>)>,
    /// The URL of the text, for messages.
    name: String,
}

/// Finds the pockets of a release.
///
/// # Errors
/// If no root has the release; if a pocket that was named is nowhere; if a Release file is not signed
/// by the keys, is not of the suite or has expired; if a file cannot be read or fetched.
pub(super) fn locate(
    spec: &Spec,
    places: &Places,
    options: &PackageOptions,
    context: &Context<'_>,
) -> Result<Located> {
    let search = Search { spec, places, options, context };
    let (mut pockets, mut notes) = (Vec::new(), Vec::new());
    match search.find(&spec.suite, true, &mut notes)? {
        Found::Pocket(main) => pockets.push(*main),
        Found::Missing => return Err(search.nowhere(&spec.suite)),
        Found::NotCached(error) => return Err(error),
    }
    let (names, are_named): (Vec<&str>, bool) = match &options.pockets {
        Some(names) => (names.iter().map(String::as_str).collect(), true),
        None => (POCKETS.to_vec(), false),
    };
    let names = if spec.is_flat() { Vec::new() } else { names };
    for name in names.into_iter().filter(|name| *name != "release") {
        let suite = format!("{}-{name}", spec.suite);
        let mut found = search.find(&suite, false, &mut notes)?;
        if name == "security" && !matches!(found, Found::Pocket(_)) {
            // The form of Debian 10 and before.
            let old = search.find(&format!("{}/updates", spec.suite), false, &mut notes)?;
            found = if matches!(old, Found::Pocket(_)) { old } else { found };
        }
        match found {
            Found::Pocket(pocket) => pockets.push(*pocket),
            Found::Missing if are_named => return Err(search.nowhere(&suite)),
            Found::NotCached(error) if are_named => return Err(error),
            Found::Missing => notes.push(format!("{suite} is in no archive, and left out")),
            Found::NotCached(_) => {
                notes.push(format!("{suite} is not in the cache, and left out because of --offline"));
            }
        }
    }
    Ok(Located { pockets, notes })
}

struct Search<'s> {
    spec: &'s Spec,
    places: &'s Places,
    options: &'s PackageOptions,
    context: &'s Context<'s>,
}

impl Search<'_> {
    /// Finds a suite. Adds messages about roots that are skipped.
    fn find(&self, suite: &str, is_main: bool, notes: &mut Vec<String>) -> Result<Found> {
        let mut found: Option<Pocket> = None;
        let (mut refused, mut not_cached) = (None, None);
        for place in &self.places.places {
            let pocket = match self.at(place, suite) {
                // Other archives may have a suite of that name, signed by keys of their own.
                Err(error) if is_main && !place.is_certain && error.kind() == ErrorKind::BadInput => {
                    notes.push(format!("an archive of apt's sources is skipped: {error}"));
                    refused = refused.or(Some(error));
                    continue;
                }
                // Which archives have the suite is not known without the network.
                Err(error) if Fetcher::is_not_cached(&error) => {
                    not_cached = not_cached.or(Some(error));
                    continue;
                }
                pocket => pocket?,
            };
            match (&mut found, pocket) {
                (Some(first), Some(other)) => first.roots.extend(other.roots),
                (None, Some(first)) => found = Some(first),
                (_, None) => {}
            }
            if found.is_some() && !self.places.are_named {
                break;
            }
        }
        match (found, refused, not_cached) {
            (Some(pocket), ..) => Ok(Found::Pocket(Box::new(pocket))),
            (None, Some(error), _) => Err(error),
            (None, None, Some(error)) => Ok(Found::NotCached(error)),
            (None, None, None) => Ok(Found::Missing),
        }
    }

    fn nowhere(&self, suite: &str) -> Error {
        let roots: Vec<String> = self.places.places.iter().map(|place| without_login(&place.url)).collect();
        let advice = if self.places.are_named { "" } else { "; --mirror URL names another archive" };
        let roots = roots.join(", ");
        Error::new(
            ErrorKind::BadInput,
            format!("{}: no archive has the suite {suite}: tried {roots}{advice}", self.spec),
        )
    }

    /// Returns the suite of a root; `None` if it does not have it.
    fn at(&self, place: &Place, suite: &str) -> Result<Option<Pocket>> {
        let root = &place.url;
        let Some(time) = &self.options.snapshot else {
            return self.current(place, root, suite, self.context.now);
        };
        let seconds = snapshot::seconds(time)?;
        if root.contains(PLACEHOLDER) {
            return self.current(place, &root.replace(PLACEHOLDER, time), suite, seconds);
        }
        let Some(now) = self.current(place, root, suite, self.context.now)? else { return Ok(None) };
        let template = now.release.field("snapshots");
        if !template.contains(PLACEHOLDER) {
            let root = without_login(root);
            let what = format!(
                "--snapshot: {suite} of {root} does not say where its snapshots are; --mirror URL with {PLACEHOLDER} in it does"
            );
            return Err(Error::new(ErrorKind::Usage, what));
        }
        let root = template.replace(PLACEHOLDER, time);
        self.current(place, root.trim_end_matches('/'), suite, seconds)
    }

    fn current(&self, place: &Place, root: &str, suite: &str, now: i64) -> Result<Option<Pocket>> {
        let directory = match suite.strip_suffix('/') {
            Some(flat) => match flat.trim_start_matches("./") {
                "." => String::new(),
                flat => flat.to_owned(),
            },
            None => format!("dists/{suite}"),
        };
        let url = |name: &str| join(root, format!("{directory}/{name}").trim_start_matches('/'));
        let Some(Signed { verified, files: signed, name }) = self.verified(place, &url, suite, now)? else {
            return Ok(None);
        };
        let Verified { text, signers } = verified;
        let refused = |what: String| Error::at(ErrorKind::BadInput, &name, what);
        if !signers.iter().any(|signer| place.accepts(signer)) {
            let keys: Vec<&str> = signers.iter().map(|signer| signer.key.as_str()).collect();
            return Err(refused(format!(
                "is signed by {}, which Signed-By in apt's sources does not name; --mirror URL names an archive in \
                 place of them",
                keys.join(" and ")
            )));
        }
        let release = Release::parse(&text).map_err(refused)?;
        check_validity(release.optional("date"), release.optional("valid-until"), Path::new(&name), now)?;
        if !suite.ends_with('/') && !release.is_of(suite) {
            let (found, codename) =
                (release.field("suite").escape_debug(), release.field("codename").escape_debug());
            return Err(refused(format!("is of the suite {found} ({codename}), and not of {suite}")));
        }
        let signers = signers.into_iter().map(|signer| signer.key).collect();
        let roots = vec![root.to_owned()];
        Ok(Some(Pocket { suite: suite.to_owned(), roots, directory, release, signed, signers }))
    }

    /// Returns the signed files, of which `url` returns the URLs; `None` if they are missing.
    fn verified(
        &self,
        place: &Place,
        url: &dyn Fn(&str) -> String,
        suite: &str,
        now: i64,
    ) -> Result<Option<Signed>> {
        let fetcher = self.context.fetcher;
        let name = |file: &str| without_login(&url(file));
        let (inrelease, not_cached) = match self.signed(&url("InRelease"), suite) {
            // The cache may have the other form.
            Err(error) if Fetcher::is_not_cached(&error) => (None, Some(error)),
            inrelease => (inrelease?, None),
        };
        if let Some(bytes) = inrelease {
            let name = name("InRelease");
            let verified = verify_inrelease(&bytes, Path::new(&name), &place.keyring, now)?;
            fetcher.remember(&request(&url("InRelease"), suite), &bytes);
            return Ok(Some(Signed { verified, files: vec![("InRelease", bytes)], name }));
        }
        let text = match (self.signed(&url("Release"), suite), not_cached) {
            (Err(error), Some(first)) if Fetcher::is_not_cached(&error) => return Err(first),
            (text, _) => text?,
        };
        let Some(text) = text else { return Ok(None) };
        let name = name("Release");
        let Some(signatures) = self.signed(&url("Release.gpg"), suite)? else {
            let what = "is not signed: it has neither Release.gpg nor InRelease beside it";
            return Err(Error::at(ErrorKind::BadInput, name, what));
        };
        let verified = verify_detached(&text, &signatures, Path::new(&name), &place.keyring, now)?;
        fetcher.remember(&request(&url("Release"), suite), &text);
        fetcher.remember(&request(&url("Release.gpg"), suite), &signatures);
        Ok(Some(Signed { verified, files: vec![("Release", text), ("Release.gpg", signatures)], name }))
    }

    /// Fetches a signed file, which is verified later; `None` if it is missing.
    fn signed(&self, url: &str, suite: &str) -> Result<Option<Vec<u8>>> {
        let fetched = self.context.fetcher.fetch_optional(&request(url, suite), self.context.watch)?;
        let read = |error| Error::io(without_login(url), error);
        fetched.map(|fetched| fetched.into_bytes().map_err(read)).transpose()
    }
}

fn request(url: &str, suite: &str) -> Request {
    let name = url.rsplit('/').next().unwrap_or_default();
    Request {
        what: format!("{name} of {suite}"),
        urls: vec![url.to_owned()],
        digest: None,
        length: Length::AtMost(MAX_RELEASE),
    }
}

/// Returns a URL without the login in it, for messages.
pub(super) fn without_login(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
    let host = host.rsplit('@').next().unwrap_or_default();
    match path {
        Some(path) => format!("{scheme}://{host}/{path}"),
        None => format!("{scheme}://{host}"),
    }
}
