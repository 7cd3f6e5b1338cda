//! The files of packages as requests.

use std::collections::BTreeSet;

use image_tree::path::{join, parent};
use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Directories, InodeId, Kind};

use super::error::Result;
use super::installed::Installed;
use super::model::Listed;
use super::places::{Place, Places};
use super::select::{self, Selected};
use crate::closure::requests::{NamePattern, Request};

/// The maximum number of packages in an origin that depend on each other in turn.
const MAX_CHAIN: usize = 8;

/// Returns a request for each file of the packages that names and patterns select, and sentences
/// about what could not be found.
///
/// # Errors
/// Returns an error if a name or pattern selects nothing, the tree has no database of packages, or
/// one that is damaged, of an unsupported format, or cannot be read.
pub fn requests<T: Directories<Content: Content>>(
    tree: &T,
    wanted: &[NamePattern],
    with_dependencies: bool,
) -> Result<(Vec<Request>, Vec<String>)> {
    if wanted.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let installed = Installed::read(tree)?;
    let mut selected = select::by_name(&installed, wanted)?;
    let mut unknown = Vec::new();
    if with_dependencies {
        select::add_dependencies(&installed, &mut selected, &mut unknown)?;
    }
    let mut requester = Requester {
        installed: &installed,
        places: Places::new(tree),
        tree,
        requests: Vec::new(),
        directories: BTreeSet::new(),
        missing: Vec::new(),
        incomplete: 0,
    };
    for position in 0..selected.len() {
        requester.take(&selected, position, &mut unknown)?;
    }
    unknown.extend(requester.missing_files());
    Ok((requester.requests, unknown))
}

struct Requester<'i, 't, T> {
    installed: &'i Installed<'t, T>,
    places: Places<'t, T>,
    tree: &'t T,
    requests: Vec<Request>,
    /// The directories that are requested already: packages share most of them.
    directories: BTreeSet<InodeId>,
    /// The first files of lists that the tree does not have, and the number of all.
    missing: Vec<Vec<u8>>,
    incomplete: usize,
}

impl<T: Directories<Content: Content>> Requester<'_, '_, T> {
    /// Requests the files of a package.
    fn take(&mut self, selected: &[Selected], position: usize, unknown: &mut Vec<String>) -> Result<()> {
        let index = selected[position].index;
        let Some(mut files) = self.installed.files(index)? else {
            let name = self.installed.shown(index);
            unknown.push(format!("the database has no list of files for package {name}"));
            return Ok(());
        };
        if self.installed.has_only_regular_files(index) {
            files.extend(self.links_to(&files));
        }
        let origin = self.origin(selected, position);
        let mut seen = BTreeSet::new();
        for Listed { path, optional } in files {
            match self.places.find(&path) {
                None if optional => {}
                None => self.miss(path),
                Some(Place { id, path: real }) => {
                    let is_new = match self.tree.is_directory(id) {
                        true => self.directories.insert(id),
                        false => seen.insert(real),
                    };
                    if is_new {
                        self.requests.push(Request::Member { path, origin: origin.clone() });
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the symbolic links beside the files of a list that lead to these files, such as
    /// `libx.so.1` to `libx.so.1.2`: a list of checksums has no links.
    fn links_to(&mut self, files: &[Listed]) -> Vec<Listed> {
        let ids: BTreeSet<InodeId> =
            files.iter().filter_map(|listed| Some(self.places.find(&listed.path)?.id)).collect();
        let directories: BTreeSet<&[u8]> = files.iter().map(|listed| parent(&listed.path)).collect();
        let mut links = Vec::new();
        for directory in directories {
            let entries = resolve_in_root(self.tree, directory).and_then(|id| self.tree.entries(id));
            for (name, id) in entries.into_iter().flatten() {
                let path = join(directory, name.as_bytes());
                if matches!(self.tree.get(*id).kind, Kind::Symlink(_))
                    && resolve_in_root(self.tree, &path).is_some_and(|target| ids.contains(&target))
                {
                    links.push(Listed::new(path));
                }
            }
        }
        links
    }

    fn miss(&mut self, path: Vec<u8>) {
        self.incomplete += 1;
        if self.missing.len() < 3 {
            self.missing.push(path);
        }
    }

    /// Returns a sentence about the listed files that the tree does not have.
    fn missing_files(&self) -> Option<String> {
        let first: Vec<String> = self.missing.iter().map(|path| path.escape_ascii().to_string()).collect();
        let more = match self.incomplete - first.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (self.incomplete > 0).then(|| {
            format!("files that the lists of packages have and the tree does not: {}{more}", first.join(", "))
        })
    }

    /// Returns the words that complete "requested by": the package, and those that depend on it.
    fn origin(&self, selected: &[Selected], position: usize) -> Vec<u8> {
        let mut origin = format!("package {}", self.installed.shown(selected[position].index));
        let mut by = selected[position].by;
        for _ in 0..MAX_CHAIN {
            let Some(position) = by else { return origin.into_bytes() };
            origin += &format!(", on which {} depends", self.installed.shown(selected[position].index));
            by = selected[position].by;
        }
        if by.is_some() {
            origin += ", and so on";
        }
        origin.into_bytes()
    }
}
