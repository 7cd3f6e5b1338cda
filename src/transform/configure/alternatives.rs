//! Links of alternatives with their database, as update-alternatives(1) of dpkg makes them.
//!
//! ```text
//!  /var/lib/dpkg/info/*.postinst ──▶ lines update-alternatives --install, by package
//!  /var/lib/dpkg/alternatives/NAME ─▶ what is installed already
//!
//!  LINK ──▶ /etc/alternatives/NAME ──▶ the choice of the highest priority
//! ```
//!
//! No script is run: a line counts if it is literal, wherever it is in its script.

mod command;
mod group;

use image_tree::path::{base_name, join};
use image_tree::{Inode, Kind, LinkTarget, Shown};

use self::command::{Install, Lines};
use self::group::Group;
use super::site::{Site, refused};
use crate::error::Result;

const SCRIPTS: &[u8] = b"/var/lib/dpkg/info";
const DATABASE: &[u8] = b"/var/lib/dpkg/alternatives";
const CHOSEN: &[u8] = b"/etc/alternatives";

pub(super) fn apply(site: &mut Site<'_>) -> Result<()> {
    let mut groups = Group::read_all(site, DATABASE)?;
    let mut is_new = false;
    for name in site.names(SCRIPTS) {
        let Some(package) = name.strip_suffix(b".postinst") else { continue };
        let text = site.text(&join(SCRIPTS, &name))?.unwrap_or_default();
        let Lines { installs, unknown } = command::lines(&text);
        for line in unknown {
            site.problem(format!("{}: this line depends on the script: {line}", Shown(package)));
        }
        for install in installs {
            is_new = true;
            if let Err(why) = add(site, &mut groups, &install) {
                site.problem(format!("{}: {} is not installed: {why}", Shown(package), Shown(&install.path)));
            }
        }
    }
    if !is_new && groups.is_empty() {
        return Ok(());
    }
    for group in &mut groups {
        for (name, link) in group.take_unused() {
            if site.target(&link).is_some() {
                site.remove(&link);
            }
            site.remove(&join(CHOSEN, &name));
        }
        make(site, group)?;
    }
    Ok(())
}

/// Adds a choice to its group, by the checks of update-alternatives.
fn add(site: &Site<'_>, groups: &mut Vec<Group>, install: &Install) -> Result<(), String> {
    install.check()?;
    if site.find(&install.path).is_none() {
        return Err("the file does not exist".to_owned());
    }
    for (link, name) in install.links() {
        if !site.is_directory(image_tree::path::parent(link)) {
            return Err(format!("the directory of {} does not exist", Shown(link)));
        }
        let other = groups
            .iter()
            .find(|group| group.name != install.name && (group.has_name(name) || group.has_link(link)));
        if let Some(other) = other {
            return Err(format!("{} is one of the links of {}", Shown(link), Shown(&other.name)));
        }
    }
    let at = match groups.iter().position(|group| group.name == install.name) {
        Some(at) => at,
        None => {
            let at = groups.partition_point(|group| group.name < install.name);
            groups.insert(at, Group::new(install));
            at
        }
    };
    groups[at].add(install);
    Ok(())
}

/// Makes the links and the database of a group.
fn make(site: &mut Site<'_>, group: &Group) -> Result<()> {
    let current = site.target(&join(CHOSEN, &group.name)).map(<[u8]>::to_vec);
    let Some(choice) = group.choose(current.as_deref()) else { return Ok(()) };
    let links = [(&group.name, &group.link, Some(&choice.path))].into_iter();
    let slaves = group.slaves.iter().map(|(name, link)| (name, link, choice.slaves.get(name)));
    for (name, link, path) in links.chain(slaves) {
        let chosen = join(CHOSEN, name);
        match path.filter(|path| site.find(path).is_some()) {
            Some(path) => {
                link_to(site, &chosen, path, path)?;
                match site.find_link(link) {
                    Some(id) if !matches!(site.tree.get(id).kind, Kind::Symlink(_)) => {
                        site.problem(format!("{} is a file and does not become a link", Shown(link)));
                    }
                    _ => link_to(site, link, &chosen, path)?,
                }
                if site.find(link).is_none() {
                    site.problem(format!("{} leads in a circle by way of {}", Shown(link), Shown(path)));
                }
            }
            None => {
                if site.target(link).is_some() {
                    site.remove(link);
                }
                site.remove(&chosen);
            }
        }
    }
    site.write(&join(DATABASE, &group.name), group.to_text(), 0o644)?;
    Ok(())
}

/// Makes a link with the time of the file that it leads to in the end.
fn link_to(site: &mut Site<'_>, path: &[u8], target: &[u8], file: &[u8]) -> Result<()> {
    if site.target(path) == Some(target) {
        return Ok(());
    }
    let mut metadata = site.metadata(0o777);
    if let Some(id) = site.find_link(file) {
        metadata.mtime = site.tree.get(id).metadata.mtime;
    }
    let target = LinkTarget::new(target).map_err(|error| refused(path, &error.to_string()))?;
    debug_assert!(!base_name(path).is_empty(), "a link has a name");
    site.put(path, Inode { metadata, kind: Kind::Symlink(target) })?;
    Ok(())
}

#[cfg(test)]
mod tests;
