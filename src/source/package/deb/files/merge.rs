//! Merges the files of packages into one tree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use image_tree::{Kind, Metadata};

use super::options::{Diversion, Options};
use super::owners::Named;
use super::package::{Package, PackageFile, PackageTree};
use super::payload::Payload;
use super::relations::PackageRelations;
use super::{database, merged_usr};
use crate::blob::Blob;
use crate::error::{Error, ErrorKind, Result};
use crate::shown;
use crate::source::container::Message;
use crate::source::tar::{Entry, OwnerNames};
use crate::stack::packages::{Conflict, PackageError, Packages, Put};
use crate::stack::{Addition, MemberKind, Rules, Stack, Whiteouts};

/// Merges packages that were read.
pub(super) fn merge(
    files: &[PackageFile],
    payloads: Vec<Payload>,
    options: &Options<'_>,
) -> Result<PackageTree> {
    let mut ordered: Vec<(Payload, &PackageFile)> = payloads.into_iter().zip(files).collect();
    // The metadata of a directory is that of the first package with it. Those that every system has
    // come first, as with the tools that make root directories.
    ordered.sort_by_key(|(Payload { control, .. }, _)| {
        (!control.is_essential(), control.name.clone(), control.architecture.clone())
    });
    for (payload, file) in &ordered {
        check_identity(payload, file)?;
    }
    check_names(&ordered)?;
    let (mut payloads, origins): (Vec<Payload>, Vec<&PackageFile>) = ordered.into_iter().unzip();
    let controls: Vec<_> = payloads.iter().map(|payload| payload.control.clone()).collect();
    let links = if options.merged_usr { merged_usr::links(&payloads) } else { Vec::new() };
    let mut stack = Stack::new(Rules { whiteouts: Whiteouts::Keep, ..Rules::default() });
    let implied = Metadata { mtime: options.time, ..Metadata::new(0o755) };
    let mut merging = Merging {
        options,
        relations: PackageRelations::of(&controls),
        packages: Packages::default(),
        addition: stack.members(implied),
        names: payloads.iter().map(|payload| shown::path(&payload.name).to_string()).collect(),
        records: Vec::new(),
        messages: Vec::new(),
    };
    let failed = |error| plain_error(Path::new("the packages"), error);
    merged_usr::add(&links, &mut merging.addition, options.time).map_err(failed)?;
    for (number, payload) in payloads.iter_mut().enumerate() {
        options.interrupt.check()?;
        merging.add(number, payload)?;
    }
    let Merging { records, messages, relations, addition, .. } = merging;
    let packages: Vec<Package> = payloads
        .into_iter()
        .zip(controls.into_iter().zip(origins))
        .zip(records)
        .map(|((Payload { sha256, size, .. }, (control, origin)), record)| {
            let Record { mut files, taken, contents, excluded } = record;
            files.retain(|path| !taken.contains(path));
            let (reason, vendor) = (origin.reason.clone(), origin.vendor.clone());
            Package { control, sha256, size, reason, vendor, files, contents, excluded }
        })
        .collect();
    drop(addition.finish());
    database::add(&mut stack, &packages, options)?;
    let (tree, ids) = stack.finish_with_ids();
    let named = relations.named.into_inner().into_iter();
    let named = named.filter_map(|(id, named)| Some((ids.get(id.index()).copied().flatten()?, named)));
    let named = named.collect();
    Ok(PackageTree { tree, packages, messages, named })
}

/// The state of a merge.
struct Merging<'m, 's> {
    options: &'m Options<'m>,
    relations: PackageRelations,
    packages: Packages<Blob>,
    addition: Addition<'s, Blob>,
    /// The names of the packages in messages.
    names: Vec<String>,
    /// The facts about the files of each package.
    records: Vec<Record>,
    messages: Vec<Message>,
}

/// The facts about the files of a package.
struct Record {
    /// The paths, in the order of the package.
    files: Vec<Vec<u8>>,
    /// The paths that another package took over.
    taken: BTreeSet<Vec<u8>>,
    /// The contents that checksums are needed of, by path.
    contents: BTreeMap<Vec<u8>, Blob>,
    /// The paths that the filter left out.
    excluded: BTreeSet<Vec<u8>>,
}

impl Merging<'_, '_> {
    /// Adds the files of a package.
    fn add(&mut self, number: usize, payload: &mut Payload) -> Result<()> {
        let name = self.names[number].clone();
        self.messages.extend(std::mem::take(&mut payload.messages).into_iter().map(
            |message| match message {
                Message::Warning(text) => Message::Warning(format!("{name}: {text}")),
                Message::Detail(text) => Message::Detail(format!("{name}: {text}")),
            },
        ));
        self.packages.begin(number);
        let (files, taken, excluded) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        self.records.push(Record { files, taken, contents: contents(payload)?, excluded });
        let mut excluded = Excluded::of(&payload.members, self.options);
        for entry in std::mem::take(&mut payload.members) {
            self.add_entry(number, payload, &mut excluded, entry)?;
        }
        Ok(())
    }

    fn add_entry(
        &mut self,
        number: usize,
        payload: &mut Payload,
        excluded: &mut Excluded,
        mut entry: Entry,
    ) -> Result<()> {
        let path = absolute(&entry.member.path);
        if path.contains(&b'\n') {
            let what =
                format!("{}: a path with a newline, which no list of files can have", path.escape_ascii());
            return Err(Error::at(ErrorKind::BadInput, &payload.data_name, what));
        }
        self.records[number].files.push(if path == b"/" { b"/.".to_vec() } else { path.clone() });
        if excluded.takes(&path, &mut entry) {
            self.records[number].excluded.insert(path);
            return Ok(());
        }
        let package = &payload.control.name;
        if let Some(to) = diverted(self.options.diversions, &path, package) {
            entry.member.path = to.to_vec();
        }
        if let MemberKind::HardLink(target) = &mut entry.member.kind
            && let Some(to) = diverted(self.options.diversions, &absolute(target), package)
        {
            *target = to.to_vec();
        }
        let owner = entry.owner.take();
        self.relations.current.replace(owner.as_deref().cloned().unwrap_or_default());
        let before = self.addition.implied_count();
        let (metadata, kind) = (entry.member.metadata.clone(), entry.member.kind.clone());
        let put = self.addition.put(&mut self.packages, &self.relations, &entry.member.path, metadata, kind);
        let put = put.map_err(|error| self.error(payload, &entry, error))?;
        let made = self.addition.implied_count() - before;
        let charged = (0..made).try_for_each(|_| payload.budget.entry());
        charged.map_err(|problem| entry.error(&payload.data_name, problem))?;
        self.record(number, (put, path), owner);
        Ok(())
    }

    /// Records what became of a file.
    fn record(&mut self, number: usize, (put, path): (Put, Vec<u8>), owner: Option<Box<OwnerNames>>) {
        match put {
            Put::New { inode, replaced } => {
                if let (Some(inode), Some(names)) = (inode, owner) {
                    let named = Named { package: number, path: path.clone(), names };
                    self.relations.named.borrow_mut().insert(inode, named);
                }
                for other in replaced {
                    self.take_over((number, other), &path);
                }
            }
            Put::Lost(winner) => self.take_over((winner, number), &path),
            Put::Present | Put::Shared => {}
        }
    }

    /// Removes a file from the list of the package that lost it.
    fn take_over(&mut self, (winner, loser): (usize, usize), path: &[u8]) {
        let taken = &mut self.records[loser].taken;
        taken.extend(other_path(path));
        taken.insert(path.to_vec());
        let (winner, loser) = (&self.names[winner], &self.names[loser]);
        let path = path.escape_ascii();
        self.messages.push(Message::Detail(format!("{path}: the file of {winner} replaces that of {loser}")));
    }

    fn error(&self, payload: &Payload, entry: &Entry, error: PackageError) -> Error {
        match error {
            PackageError::Add(error) => entry.error(&payload.data_name, error),
            PackageError::Read(error) => error,
            PackageError::Conflict(Conflict { package, present, new }) => {
                let path = entry.member.path.escape_ascii();
                let other = &self.names[package];
                let what = format!(
                    "{path}: is {new} here, and {present} in {other}; neither package replaces the files of the other, and \
                     both are not equal: leave out one of the packages, or the path with --path-exclude"
                );
                Error::at(ErrorKind::BadInput, &payload.name, what)
            }
        }
    }
}

/// Returns the contents of a package that checksums are needed of: configuration files, or all files
/// if it has no list of checksums.
fn contents(payload: &Payload) -> Result<BTreeMap<Vec<u8>, Blob>> {
    let all = !payload.control.files.contains_key("md5sums");
    let conffiles = payload.control.text("conffiles", &payload.name)?.unwrap_or_default();
    let conffiles: BTreeSet<Vec<u8>> = database::conffile_paths(&conffiles).into_iter().collect();
    if !all && conffiles.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut contents = BTreeMap::new();
    for entry in &payload.members {
        let path = absolute(&entry.member.path);
        let content = match &entry.member.kind {
            MemberKind::Inode(Kind::Regular(content)) => Some(content.clone()),
            MemberKind::Inode(_) => None,
            MemberKind::HardLink(target) => contents.get(&absolute(target)).cloned(),
        };
        if let Some(content) = content {
            contents.insert(path, content);
        }
    }
    contents.retain(|path, _| all || conffiles.contains(path));
    Ok(contents)
}

/// Returns the error for a file that is not one of a package.
pub(super) fn plain_error(name: &Path, error: PackageError) -> Error {
    match error {
        PackageError::Read(error) => error,
        error => Error::at(ErrorKind::BadInput, name, error),
    }
}

/// The metadata, the contents and the owners of a regular file that the filter excludes.
type ExcludedFile = (Metadata, Kind<Blob>, Option<Box<OwnerNames>>);

/// The files of a package that the filter excludes.
struct Excluded {
    paths: BTreeSet<Vec<u8>>,
    /// The excluded regular files, for hard links to them, and the paths of the first of these links.
    files: BTreeMap<Vec<u8>, ExcludedFile>,
    moved: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Excluded {
    fn of(members: &[Entry], options: &Options<'_>) -> Self {
        let mut excluded = Self { paths: BTreeSet::new(), files: BTreeMap::new(), moved: BTreeMap::new() };
        if options.filter.is_empty() {
            return excluded;
        }
        let mut needed = BTreeSet::new();
        for entry in members {
            let path = absolute(&entry.member.path);
            let may_lead =
                matches!(entry.member.kind, MemberKind::Inode(Kind::Directory(_) | Kind::Symlink(_)));
            if options.filter.excludes(&path, may_lead) {
                excluded.paths.insert(path);
                continue;
            }
            let mut above = image_tree::path::parent(&path);
            while above.len() > 1 && needed.insert(above.to_vec()) {
                above = image_tree::path::parent(above);
            }
        }
        // Directories above an included file stay.
        excluded.paths.retain(|path| !needed.contains(path));
        excluded
    }

    /// Returns true for a member that is left out. A hard link to a file that was left out becomes that
    /// file.
    fn takes(&mut self, path: &[u8], entry: &mut Entry) -> bool {
        if self.paths.is_empty() {
            return false;
        }
        let is_excluded = self.paths.contains(path);
        match &mut entry.member.kind {
            MemberKind::Inode(kind) => {
                if is_excluded && matches!(kind, Kind::Regular(_)) {
                    let kept = (entry.member.metadata.clone(), kind.clone(), entry.owner.clone());
                    self.files.insert(path.to_vec(), kept);
                }
            }
            MemberKind::HardLink(target) if !is_excluded => {
                let wanted = absolute(target);
                if let Some(first) = self.moved.get(&wanted) {
                    *target = first.clone();
                } else if let Some((metadata, kind, owner)) = self.files.get(&wanted).cloned() {
                    self.moved.insert(wanted, path.to_vec());
                    entry.member.metadata = metadata;
                    entry.member.kind = MemberKind::Inode(kind);
                    entry.owner = owner;
                }
            }
            MemberKind::HardLink(_) => {}
        }
        is_excluded
    }
}

/// Returns the absolute path of a member, without empty components and `.`.
fn absolute(path: &[u8]) -> Vec<u8> {
    let names = path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    let mut absolute = Vec::with_capacity(path.len() + 1);
    for name in names {
        absolute.push(b'/');
        absolute.extend_from_slice(name);
    }
    if absolute.is_empty() {
        absolute.push(b'/');
    }
    absolute
}

/// Returns the other path of a file below the links of a merged `/usr`.
fn other_path(path: &[u8]) -> Option<Vec<u8>> {
    let below = path.strip_prefix(b"/usr").unwrap_or(path);
    let is_merged = [&b"/bin/"[..], b"/sbin/", b"/lib"].iter().any(|start| below.starts_with(start));
    let other = || if below == path { [b"/usr", path].concat() } else { below.to_vec() };
    is_merged.then(other)
}

/// Returns the path that a diversion gives to a file of a package.
fn diverted<'d>(diversions: &'d [Diversion], path: &[u8], package: &str) -> Option<&'d [u8]> {
    let found = diversions.iter().find(|one| one.from == path && one.by.as_deref() != Some(package));
    found.map(|one| one.to.as_slice())
}

/// Fails if a package is not the one that the index states.
fn check_identity(payload: &Payload, file: &PackageFile) -> Result<()> {
    let Some(expected) = &file.expected else { return Ok(()) };
    let control = &payload.control;
    for (what, found, stated) in [
        ("name", &control.name, &expected.name),
        ("version", &control.version, &expected.version),
        ("architecture", &control.architecture, &expected.architecture),
    ] {
        if found != stated {
            let what = format!("has the {what} {found}, and not {stated} as stated");
            return Err(Error::at(ErrorKind::BadInput, &payload.name, what));
        }
    }
    Ok(())
}

/// Fails if two packages have one name, unless they are for different architectures and made for
/// that.
fn check_names(ordered: &[(Payload, &PackageFile)]) -> Result<()> {
    let mut by_name: BTreeMap<&str, Vec<&Payload>> = BTreeMap::new();
    for (payload, _) in ordered {
        let others = by_name.entry(&payload.control.name).or_default();
        let clashes = |other: &&&Payload| {
            let (one, other) = (&payload.control, &other.control);
            one.architecture == other.architecture
                || !(one.is_multi_arch_same() && other.is_multi_arch_same())
        };
        if let Some(other) = others.iter().find(clashes) {
            let (name, version, architecture) =
                (&other.control.name, &other.control.version, &other.control.architecture);
            let what = format!(
                "is the package {name} {} for {}, and {} is {version} for {architecture}: one of both can be in a tree",
                payload.control.version,
                payload.control.architecture,
                shown::path(&other.name)
            );
            return Err(Error::at(ErrorKind::BadInput, &payload.name, what));
        }
        others.push(payload);
    }
    Ok(())
}
