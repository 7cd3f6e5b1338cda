//! The requests for units and rules, and the dependencies that kept files imply.

use std::collections::{BTreeMap, BTreeSet};

use image_tree::path::base_name;
use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Directories};

use crate::closure::config::file::read;
use crate::closure::config::{gconv, nss, pam, udev, unit};
use crate::closure::dependency::{Dependencies, Dependency, Target};
use crate::closure::error::{Error, Result};
use crate::closure::kept::Closure;
use crate::closure::ld_so::conf;
use crate::closure::reason::Kind;
use crate::closure::requests::{Charsets, Keep, NamePattern, Request};

/// Dependencies that were not requested by path.
#[derive(Debug, Default)]
pub(super) struct Implied {
    pub(super) dependencies: Vec<Dependency>,
    /// Sentences about dependencies that cannot be determined.
    pub(super) unknown: Vec<String>,
}

impl Implied {
    fn take(&mut self, dependencies: Dependencies) {
        self.dependencies.extend(dependencies.known);
        self.unknown.extend(dependencies.unknown);
    }

    fn configured(&mut self, path: &[u8], reason: &str) {
        let (target, reason) = (Target::File(vec![path.to_vec()]), reason.to_owned());
        self.dependencies.push(Dependency { target, kind: Kind::Configured, required: false, reason });
    }
}

/// Returns the requests for units and rules, and sentences about those that cannot be
/// determined.
pub(super) fn requested<T: Directories<Content: Content>>(
    tree: &T,
    keep: &Keep,
) -> Result<(Vec<Request>, Vec<String>)> {
    let mut found = Implied::default();
    let mut units = Vec::new();
    for wanted in &keep.units {
        match &wanted.glob {
            None => units.push(wanted.text.clone()),
            Some(glob) => {
                let matching = unit::matching(tree, glob);
                if matching.is_empty() {
                    return Err(Error::NoMatchingUnit(wanted.text.clone()));
                }
                units.extend(matching);
            }
        }
    }
    found.take(unit::dependencies(tree, &units, keep.follow)?);
    for wanted in &keep.rules {
        for path in rules(tree, wanted)? {
            take_rules(tree, keep, &path, &mut found)?;
        }
    }
    let requests =
        keep.requests.iter().cloned().chain(found.dependencies.into_iter().map(Request::Dependency));
    Ok((requests.collect(), found.unknown))
}

/// Returns the rules files that a flag selects. A file hides those of the same name in later
/// directories.
fn rules<T: Directories<Content: Content>>(tree: &T, wanted: &NamePattern) -> Result<Vec<Vec<u8>>> {
    let text = &wanted.text;
    if text.starts_with(b"/") {
        return Ok(vec![text.clone()]);
    }
    let mut found: BTreeMap<&[u8], Vec<u8>> = BTreeMap::new();
    for directory in udev::DIRECTORIES {
        let entries = resolve_in_root(tree, directory).and_then(|id| tree.entries(id));
        for name in entries.into_iter().flatten().map(|(name, _)| name.as_bytes()) {
            let is_wanted = wanted.glob.as_ref().map_or(name == text, |glob| glob.matches(name));
            if is_wanted && name.ends_with(b".rules") {
                found.entry(name).or_insert_with(|| [directory, b"/", name].concat());
            }
        }
    }
    if found.is_empty() {
        return Err(Error::RulesNotFound(text.clone()));
    }
    Ok(found.into_values().collect())
}

/// Adds a rules file, the programs that it runs, and the accounts that own its devices.
fn take_rules<T: Directories<Content: Content>>(
    tree: &T,
    keep: &Keep,
    path: &[u8],
    found: &mut Implied,
) -> Result<()> {
    // A link to /dev/null disables the rules of that name, and is kept unchanged.
    let (target, kind) = (Target::Name(path.to_vec()), Kind::Configured);
    found.dependencies.push(Dependency {
        target,
        kind,
        required: true,
        reason: "is a file of udev's rules".to_owned(),
    });
    let Some(text) = read(tree, path)? else { return Ok(()) };
    found.configured(path, "is a file of udev's rules");
    let rules = udev::Rules::parse(path, &text);
    found.take(rules.dependencies);
    for (names, accounts) in [(&rules.owners, &b"/etc/passwd"[..]), (&rules.groups, b"/etc/group")] {
        if !names.is_empty() {
            found.configured(accounts, "has accounts to which udev's rules give devices");
        }
    }
    for name in rules.units {
        match unit::dependencies(tree, std::slice::from_ref(&name), keep.follow) {
            Ok(dependencies) => found.take(dependencies),
            // Rules name units of packages that may not be installed.
            Err(error) if !matches!(error, Error::Read(_) | Error::NotAUnit(_)) => found
                .unknown
                .push(format!("{}, which {} starts: {error}", name.escape_ascii(), path.escape_ascii())),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Returns the dependencies implied by the kept files: those that C libraries open by themselves,
/// and those that flags add.
pub(super) fn implied<T: Directories<Content: Content>>(
    tree: &T,
    keep: &Keep,
    closure: &Closure,
    has_cache: bool,
) -> Result<Implied> {
    let mut found = Implied::default();
    let names: BTreeSet<&[u8]> = closure.kept.keys().map(|path| base_name(path)).collect();
    let libgcc = nss::libgcc(names.iter().copied());
    let has_glibc = !libgcc.known.is_empty();
    found.take(libgcc);
    if has_glibc && keep.nss {
        const PATH: &[u8] = b"/etc/nsswitch.conf";
        if let Some(text) = read(tree, PATH)? {
            found.configured(PATH, "says which name services glibc opens");
            found.take(nss::dependencies(&text));
        }
    }
    let directories = &closure.library_directories;
    if has_cache && !directories.is_empty() {
        for path in conf::configured(tree)?.files {
            found.configured(&path, "says which directories /etc/ld.so.cache is made of");
        }
    }
    if let Some(charsets) = &keep.gconv {
        take_gconv(tree, directories, charsets, &mut found)?;
    }
    for service in &keep.pam {
        let dependencies = pam::dependencies(tree, service, directories)?;
        if dependencies.known.is_empty() {
            return Err(Error::ServiceNotFound(service.clone()));
        }
        found.take(dependencies);
    }
    if keep.openssl {
        found.take(nss::openssl(directories));
    }
    Ok(found)
}

/// Adds glibc's modules beneath the library directories, and the files that list them.
fn take_gconv<T: Directories<Content: Content>>(
    tree: &T,
    directories: &[Vec<u8>],
    charsets: &Charsets,
    found: &mut Implied,
) -> Result<()> {
    let only = match charsets {
        Charsets::All => None,
        Charsets::Only(names) => Some(&names[..]),
    };
    let mut unlisted: BTreeSet<&[u8]> = only.into_iter().flatten().map(Vec::as_slice).collect();
    for directory in directories {
        let directory = [directory, &b"/gconv"[..]].concat();
        let Some(id) = resolve_in_root(tree, &directory) else { continue };
        let beneath = |name: &[u8]| [&directory, &b"/"[..], name].concat();
        let mut lists = vec![beneath(b"gconv-modules")];
        if let Some(more) = tree.lookup(id, b"gconv-modules.d")
            && let Some(entries) = tree.entries(more)
        {
            let names = entries.keys().map(|name| name.as_bytes()).filter(|name| name.ends_with(b".conf"));
            lists.extend(names.map(|name| beneath(&[b"gconv-modules.d/", name].concat())));
        }
        // The alias of a character set may be defined in another file than its module.
        let mut all = Vec::new();
        for list in lists {
            let Some(text) = read(tree, &list)? else { continue };
            found.configured(&list, "lists modules for character sets");
            all.extend_from_slice(&text);
            all.push(b'\n');
        }
        found.take(gconv::dependencies(&directory, &all, only));
        unlisted.retain(|charset| {
            gconv::dependencies(&directory, &all, Some(&[charset.to_vec()])).known.is_empty()
        });
        found.configured(&beneath(b"gconv-modules.cache"), "lists modules for character sets");
    }
    found.unknown.extend(unlisted.into_iter().map(|charset| {
        let charset = charset.escape_ascii();
        format!("--gconv {charset}: no gconv-modules of the tree lists it; glibc has only a few, as UTF-8, without")
    }));
    Ok(())
}
