//! Finds the directory that a path leads to, through links and missing directories.

use std::borrow::Cow;

use image_tree::{Inode, InodeId, Kind, MAX_DEPTH, Name};

use super::limits::{MAX_LINK_STEPS, MAX_LINKS};
use super::{AddError, Addition};

/// Returns the names a path consists of: none for the root, in any spelling.
pub(super) fn components(path: &[u8]) -> Result<Vec<&[u8]>, AddError> {
    if path.is_empty() {
        return Err(AddError::NoPath);
    }
    let names = path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    let count = names.clone().count();
    if count > MAX_DEPTH {
        return Err(AddError::TooDeep(count));
    }
    let names: Vec<&[u8]> = names.collect();
    for name in &names {
        if *name == b".." {
            return Err(AddError::Upwards);
        }
        Name::new(name)?;
    }
    Ok(names)
}

/// The treatment of missing directories on a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Create,
    Stop,
    /// Same as `Stop`; a symbolic link that a directory of the source replaces is not followed.
    StopAtReplaced,
}

impl<C: Clone> Addition<'_, C> {
    /// Creates the directories of a path that are missing, as those above a member.
    ///
    /// # Errors
    /// If the path is invalid, or leads through something other than a directory.
    pub fn imply(&mut self, path: &[u8]) -> Result<(), AddError> {
        let names = components(path)?;
        self.descend(&names, Missing::Create).map(|_| ())
    }

    /// Returns the directory that contains a member, created if it is missing. `names` are those of
    /// the member's path without the last one.
    pub(super) fn parent(&mut self, path: &[u8], names: &[&[u8]]) -> Result<InodeId, AddError> {
        let slash = path.iter().rposition(|byte| *byte == b'/');
        let (written, name) = slash.map_or((&b""[..], path), |slash| (&path[..slash], &path[slash + 1..]));
        // Otherwise the name is part of what is written before the last slash.
        let is_key = !matches!(name, b"" | b".");
        if let Some((_, id)) = self.last.as_ref().filter(|(last, _)| is_key && last == written) {
            return Ok(*id);
        }
        // OK to use the root: missing directories are created.
        let directory = self.descend(names, Missing::Create)?.unwrap_or(InodeId::ROOT);
        if is_key {
            self.last = Some((written.to_vec(), directory));
        }
        Ok(directory)
    }

    /// Returns the directory that names lead to from the root, following links; none if a directory
    /// is missing and `missing` forbids to create it.
    pub(super) fn descend(&mut self, names: &[&[u8]], missing: Missing) -> Result<Option<InodeId>, AddError> {
        // The directories from the root on, without it.
        let mut here: Vec<InodeId> = Vec::new();
        // The remaining components, the next one last.
        let mut pending: Vec<Cow<'_, [u8]>> = names.iter().rev().map(|name| Cow::Borrowed(*name)).collect();
        let mut links = 0;
        while let Some(name) = pending.pop() {
            match &*name {
                b"" | b"." => continue,
                b".." => {
                    here.pop();
                    continue;
                }
                _ => {}
            }
            let directory = here.last().copied().unwrap_or(InodeId::ROOT);
            let Some(id) = self.stack.tree.lookup(directory, &name) else {
                if missing != Missing::Create {
                    return Ok(None);
                }
                here.push(self.create_directory(directory, &name)?);
                continue;
            };
            match &self.stack.tree.get(id).kind {
                Kind::Directory(_) => {
                    here.push(id);
                }
                Kind::Symlink(_)
                    if missing == Missing::StopAtReplaced && self.is_replaced(directory, &name) =>
                {
                    return Ok(None);
                }
                Kind::Symlink(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(AddError::TooManyLinks);
                    }
                    let target = target.as_bytes();
                    if self.stack.rules.is_layer && missing == Missing::Create && id.index() < self.lower {
                        let link = [&b"/"[..], &self.path_of(&here), &name].concat();
                        self.report.followed.insert(link);
                    }
                    if target.starts_with(b"/") {
                        here.clear();
                    }
                    let before = pending.len();
                    pending.extend(target.rsplit(|byte| *byte == b'/').map(|name| Cow::Owned(name.to_vec())));
                    self.steps += (pending.len() - before) as u64;
                    if self.steps > MAX_LINK_STEPS {
                        return Err(AddError::TooManySteps);
                    }
                }
                kind => {
                    let is = kind.file_type();
                    let parent = [self.path_of(&here), name.to_vec()].concat();
                    return Err(AddError::NotADirectory { parent, is });
                }
            }
        }
        Ok(Some(here.last().copied().unwrap_or(InodeId::ROOT)))
    }

    fn is_replaced(&self, directory: InodeId, link: &[u8]) -> bool {
        self.replaced_links.get(&directory).is_some_and(|names| names.contains(link))
    }

    /// Makes a directory that no member is for.
    fn create_directory(&mut self, parent: InodeId, name: &[u8]) -> Result<InodeId, AddError> {
        let inode = Inode::directory(self.metadata.clone());
        let id =
            self.stack.tree.insert(parent, Name::new(name)?, inode).map_err(|_| AddError::TooManyInodes)?;
        self.report.implied.insert(id);
        self.report.created += 1;
        Ok(id)
    }

    /// Returns the path of nested directories, each followed by a slash, for messages.
    fn path_of(&self, chain: &[InodeId]) -> Vec<u8> {
        let mut path = Vec::new();
        let mut directory = InodeId::ROOT;
        for id in chain {
            let entries = self.stack.tree.entries(directory).into_iter().flatten();
            if let Some((name, _)) = entries.into_iter().find(|(_, entry)| *entry == id) {
                path.extend_from_slice(name.as_bytes());
                path.push(b'/');
            }
            directory = *id;
        }
        path
    }
}
