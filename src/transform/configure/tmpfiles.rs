//! The files of tmpfiles.d(5) and of dpkg's statoverride, as `systemd-tmpfiles --create` and dpkg
//! make them.
//!
//! ```text
//!  tmpfiles.d/*.conf ─▶ lines ─▶ first one for a path counts ─▶ creating types, parents first
//!                                                           └──▶ then those for patterns: modes,
//!                                                                owners, ACLs, xattrs
//! ```
//!
//! Lines with `!` are for the time of boot; those that only remove have no effect. Inode flags (`h`)
//! are no part of a tree.

mod acl;
mod create;
mod line;
mod pattern;
mod permissions;
mod statoverride;

use std::collections::BTreeMap;

use image_tree::Shown;
use image_tree::path::parent;

use self::line::{Line, Parsed};
use super::site::Site;
use super::specifiers::Specifiers;
use crate::accounts::Accounts;
use crate::error::Result;

pub(super) fn apply(site: &mut Site<'_>) -> Result<()> {
    let accounts = Accounts::of(site.tree)?;
    let items = Items::read(site, &accounts)?;
    items.apply(site)?;
    statoverride::apply(site, &accounts)
}

/// The lines for one path, those first that create it.
type Item = Vec<Line>;

/// The lines by path, in the order of the first one for each.
#[derive(Default)]
struct Items {
    /// Those whose path is a pattern come second.
    all: [Vec<Item>; 2],
    places: [BTreeMap<Vec<u8>, usize>; 2],
}

impl Items {
    /// Reads the files of a tree. Lines that are not of the format are reported.
    fn read(site: &mut Site<'_>, accounts: &Accounts) -> Result<Self> {
        let specifiers = Specifiers::of(site, true)?;
        let mut items = Self::default();
        for path in site.configuration("tmpfiles.d", ".conf") {
            let text = site.text(&path)?.unwrap_or_default();
            for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
                let line = line.trim_ascii();
                if matches!(line.first(), None | Some(b'#')) {
                    continue;
                }
                let place = format!("{}:{}", Shown(&path), number + 1);
                let added = Line::parse(line, &specifiers, accounts).and_then(|parsed| match parsed {
                    Parsed::Line(line) => items.add(*line),
                    Parsed::NotNow => Ok(()),
                });
                if let Err(why) = added {
                    site.problem(format!("{place}: {why}"));
                }
            }
        }
        Ok(items)
    }

    /// Adds a line, unless an earlier one for its path is in charge of it.
    fn add(&mut self, line: Line) -> Result<(), String> {
        let kind = usize::from(line.is_pattern());
        let (all, places) = (&mut self.all[kind], &mut self.places[kind]);
        let Some(at) = places.get(&line.path) else {
            places.insert(line.path.clone(), all.len());
            all.push(vec![line]);
            return Ok(());
        };
        let item = &mut all[*at];
        let conflict = |other: &Line| other.creates() && line.creates() && *other != line;
        if !line.flags.append && item.iter().any(conflict) {
            return Err(format!("there is another line for {}, which counts", Shown(&line.path)));
        }
        item.push(line);
        item.sort_by_key(|line| (!line.creates(), line.kind));
        Ok(())
    }

    /// Applies the lines, those of directories before those beneath them.
    fn apply(&self, site: &mut Site<'_>) -> Result<()> {
        let mut done = [vec![false; self.all[0].len()], vec![false; self.all[1].len()]];
        for kind in 0..2 {
            for at in 0..self.all[kind].len() {
                for (kind, at) in self.with_parents(kind, at) {
                    if std::mem::replace(&mut done[kind][at], true) {
                        continue;
                    }
                    for line in &self.all[kind][at] {
                        create::apply(site, line)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns an item after the items of the directories above it.
    fn with_parents(&self, kind: usize, at: usize) -> Vec<(usize, usize)> {
        let mut chain = vec![(kind, at)];
        let mut above = parent(&self.all[kind][at][0].path);
        loop {
            let found = (0..2).find_map(|kind| Some((kind, *self.places[kind].get(above)?)));
            chain.extend(found.filter(|_| above != self.all[kind][at][0].path));
            if above.len() <= 1 {
                chain.reverse();
                return chain;
            }
            above = parent(above);
        }
    }
}

#[cfg(test)]
mod tests;
