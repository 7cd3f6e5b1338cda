//! The request for packages: a variant, and names.

use std::collections::BTreeSet;

use super::answer::Why;
use super::explain;
use crate::named::named;
use crate::source::package::deb::index::Priority;
use crate::source::package::deb::universe::{Id, Universe};

/// The packages that are selected besides the named ones, as mmdebstrap calls them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Variant {
    /// The essential ones.
    Essential,
    /// Also apt.
    Apt,
    /// The essential ones and those of priority required.
    #[default]
    Required,
    /// Also apt.
    Minbase,
    /// Also those of priority important.
    Important,
    /// Also those of priority standard.
    Standard,
    /// None.
    Custom,
}

named!(
    Variant,
    "a variant",
    [
        Essential => "essential",
        Apt => "apt",
        Required => "required",
        Minbase => "minbase",
        Important => "important",
        Standard => "standard",
        Custom => "custom",
    ]
);

/// A request for packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The packages that are selected besides the named ones.
    pub variant: Variant,
    /// The names, each with `:ARCHITECTURE`, `=VERSION` or `/SUITE` after it.
    pub include: Vec<String>,
    /// The names of packages that must not be selected, each with `:ARCHITECTURE` after it or not.
    pub exclude: Vec<String>,
    /// True if recommended packages are selected where that is possible.
    pub recommends: bool,
}

/// The requested packages in order, each once.
pub(super) struct Wanted {
    pub(super) packages: Vec<(Id, Why)>,
    /// The packages that must not be selected.
    pub(super) excluded: Vec<Id>,
    pub(super) notes: Vec<String>,
}

/// Returns the requested packages, and takes the versions that the request names.
///
/// # Errors
/// A message with all names and versions that the archives lack.
pub(super) fn wanted(universe: &mut Universe<'_>, request: &Request) -> Result<Wanted, String> {
    let mut wanted = Wanted { packages: Vec::new(), excluded: Vec::new(), notes: Vec::new() };
    let mut faults = Vec::new();
    let mut named = Vec::new();
    for text in &request.include {
        match named_package(universe, text, &mut wanted.notes) {
            Ok(id) => named.push(id),
            Err(fault) => faults.push(fault),
        }
    }
    let apt = [Variant::Apt, Variant::Minbase].contains(&request.variant);
    if apt {
        match universe.find(b"apt", None) {
            Some(id) => named.push(id),
            None => faults.push(explain::available(universe, b"apt")),
        }
    }
    for full in &request.exclude {
        let (name, architecture) = split_architecture(full);
        match universe.find(name.as_bytes(), architecture) {
            Some(id) if named.contains(&id) => {
                faults.push(format!("{} is both included and excluded", full.escape_debug()));
            }
            Some(id) => wanted.excluded.push(id),
            None => wanted.notes.push(format!(
                "{} is not the name of a package of the archives, so that excluding it has no effect",
                full.escape_debug()
            )),
        }
    }
    if !faults.is_empty() {
        return Err(faults.join("; "));
    }
    for id in (0..).take(universe.packages().len()) {
        let package = universe.package(id);
        if package.architecture == 0
            && request.variant.takes(package.listed.is_essential, package.listed.priority)
        {
            let why = if package.listed.is_essential { Why::Essential } else { Why::Priority };
            wanted.packages.push((id, why));
        }
    }
    // The order is that in which apt would be given them: by name.
    wanted.packages.sort_by_key(|(id, why)| (*why != Why::Essential, universe.display_name(*id)));
    let of_variant: BTreeSet<Id> = wanted.packages.iter().map(|(id, _)| *id).collect();
    let mut seen = BTreeSet::new();
    for id in named {
        if !of_variant.contains(&id) && seen.insert(id) {
            wanted.packages.push((id, Why::Requested));
        }
    }
    Ok(wanted)
}

impl Variant {
    /// Returns true if packages like this are selected without being named.
    fn takes(self, is_essential: bool, priority: Priority) -> bool {
        let least = match self {
            Self::Custom => return false,
            Self::Essential | Self::Apt => None,
            Self::Required | Self::Minbase => Some(Priority::Required),
            Self::Important => Some(Priority::Important),
            Self::Standard => Some(Priority::Standard),
        };
        is_essential || least.is_some_and(|least| priority <= least)
    }
}

/// Returns the package of a name, version and suite as in apt's arguments.
fn named_package(universe: &mut Universe<'_>, text: &str, notes: &mut Vec<String>) -> Result<Id, String> {
    let (full, limit) = match text.find(['=', '/']) {
        Some(at) => (&text[..at], Some((text.as_bytes()[at], &text[at + 1..]))),
        None => (text, None),
    };
    let (name, architecture) = split_architecture(full);
    let shown = full.escape_debug();
    let found = universe.find(name.as_bytes(), architecture);
    let id = match found {
        Some(id) => id,
        None => provider(universe, name, architecture, notes)?,
    };
    let Some((kind, limit)) = limit else { return Ok(id) };
    let version = match kind {
        b'=' => limit.as_bytes(),
        _ => {
            let of_suite = |index: usize| {
                universe
                    .release(index)
                    .is_some_and(|release| [release.suite, release.codename].contains(&limit))
            };
            let versions = universe.versions_of(name.as_bytes()).filter(|(index, _)| of_suite(*index));
            let mut versions: Vec<&[u8]> = versions.map(|(_, listed)| listed.version).collect();
            versions.sort_by(|a, b| crate::source::package::deb::version::compare(a, b));
            let none = || {
                format!(
                    "{} has no {shown}; {}",
                    limit.escape_debug(),
                    explain::available(universe, name.as_bytes())
                )
            };
            versions.pop().ok_or_else(none)?
        }
    };
    if !universe.take(id, version) {
        let there = explain::available(universe, name.as_bytes());
        return Err(format!("{shown} has no version {}: {there}", limit.escape_debug()));
    }
    Ok(id)
}

/// Returns the only package that provides a name.
fn provider(
    universe: &Universe<'_>,
    name: &str,
    architecture: Option<&[u8]>,
    notes: &mut Vec<String>,
) -> Result<Id, String> {
    let native = universe.providers(name.as_bytes()).map(|(id, _)| id);
    let mut native: Vec<Id> = native.filter(|id| universe.package(*id).architecture == 0).collect();
    native.dedup();
    match native[..] {
        [one] if architecture.is_none() => {
            let (name, provider) = (name.escape_debug(), universe.display_name(one));
            notes.push(format!("{name} is provided by {provider}, which is selected"));
            Ok(one)
        }
        _ => {
            let there = explain::available(universe, name.as_bytes());
            let several = native.len() > 1 && architecture.is_none();
            let advice = if several { ": include one of them by its name" } else { "" };
            let of = architecture.map(|one| format!(" for {}", one.escape_ascii())).unwrap_or_default();
            Err(format!("{there}{of}{advice}"))
        }
    }
}

fn split_architecture(name: &str) -> (&str, Option<&[u8]>) {
    match name.split_once(':') {
        Some((name, architecture)) => (name, Some(architecture.as_bytes())),
        None => (name, None),
    }
}
