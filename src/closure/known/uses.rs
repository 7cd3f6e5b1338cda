//! The files that a kept program or library uses.

mod accounts;
mod python;

use image_tree::path::{base_name, parent};
use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Directories, InodeId, Kind};

use super::expand::{self, Place};
use super::table::Matched;
use crate::closure::accounts::NamedAccounts;
use crate::closure::dependency::Target;
use crate::closure::error::Result;

/// The directory of configuration, in which a name does not make a file a program.
const CONFIGURATION: &[u8] = b"/etc/";

/// The files that a program or library is known to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// The existing files.
    pub files: Vec<Target>,
    /// Files that must exist.
    pub required: Vec<Target>,
    /// The accounts that it looks up.
    pub accounts: NamedAccounts,
    /// The services of PAM.
    pub services: Vec<Vec<u8>>,
    /// Sentences about files that cannot be determined.
    pub unknown: Vec<String>,
}

impl Uses {
    /// Returns what an entry says about a path without links in its directory. Nothing if the path
    /// is not that of a program or library.
    ///
    /// # Errors
    /// Returns an error if a file of the tree cannot be read or is too long.
    pub fn of<T: Directories<Content: Content>>(
        tree: &T,
        matched: Matched<'_, '_>,
        path: &[u8],
        library_directories: &[Vec<u8>],
    ) -> Result<Self> {
        let mut uses = Self::default();
        let directory = resolve_in_root(tree, parent(path));
        let Some(id) = directory.and_then(|id| tree.lookup(id, base_name(path))) else { return Ok(uses) };
        let entry = matched.entry;
        if !entry.sites.is_empty() {
            uses.files.extend(python::environment(tree, path, &mut uses.unknown)?);
        }
        if path.starts_with(CONFIGURATION) || !is_program(tree, id, path) {
            return Ok(uses);
        }
        let prefix = parent(parent(path));
        let place = Place { prefix, version: matched.version, library_directories };
        for alternatives in &entry.requires {
            let candidates = expand::candidates(tree, alternatives, &place);
            if !candidates.is_empty() {
                uses.required.push(Target::File(candidates));
            }
        }
        for text in &entry.files {
            uses.files.extend(expand::find(tree, text, &place));
        }
        for text in &entry.sites {
            for target in expand::find(tree, text, &place) {
                if let Target::File(paths) = target {
                    uses.files.extend(python::site(tree, &paths[0], &mut uses.unknown)?);
                }
            }
        }
        entry.users.iter().for_each(|user| uses.accounts.add_user(user.as_bytes()));
        entry.groups.iter().for_each(|group| uses.accounts.add_group(group.as_bytes()));
        if uses.accounts != NamedAccounts::default() {
            let databases = [&b"/etc/passwd"[..], b"/etc/group"].map(<[u8]>::to_vec);
            uses.files.extend(databases.into_iter().filter_map(|path| expand::existing(tree, path)));
        }
        if entry.shells {
            accounts::add(tree, &mut uses.files, &mut uses.accounts)?;
        }
        uses.services.extend(entry.pam.iter().map(|service| service.clone().into_bytes()));
        Ok(uses)
    }
}

/// Returns true for a regular file that is executable or a library. A link is not one: its target
/// is kept too.
fn is_program<T: Directories>(tree: &T, id: InodeId, path: &[u8]) -> bool {
    let inode = tree.get(id);
    let is_library = base_name(path).windows(3).any(|part| part == b".so");
    matches!(inode.kind, Kind::Regular(_)) && (is_library || inode.metadata.mode & 0o111 != 0)
}
