//! The alternatives for one link, and their file in the database.

use std::collections::BTreeMap;

use image_tree::Shown;
use image_tree::path::join;

use super::super::site::Site;
use super::command::Install;
use crate::error::Result;

/// The alternatives for a link, and for the links that follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    /// Links that follow it, by name.
    pub(super) slaves: BTreeMap<Vec<u8>, Vec<u8>>,
    /// True if a user chose.
    is_manual: bool,
    /// By path.
    choices: BTreeMap<Vec<u8>, Choice>,
    /// The paths in the order in which they were installed.
    order: Vec<Vec<u8>>,
}

/// A file that can be chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) path: Vec<u8>,
    priority: i32,
    /// The files of the links that follow, by name.
    pub(super) slaves: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Group {
    /// Returns a group without choices.
    pub(super) fn new(install: &Install) -> Self {
        Self {
            name: install.name.clone(),
            link: install.link.clone(),
            slaves: BTreeMap::new(),
            is_manual: false,
            choices: BTreeMap::new(),
            order: Vec::new(),
        }
    }

    /// Reads the groups of a database. Files that are not of the format are reported.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(super) fn read_all(site: &mut Site<'_>, database: &[u8]) -> Result<Vec<Self>> {
        let mut groups = Vec::new();
        for name in site.names(database) {
            let path = join(database, &name);
            let Some(text) = site.text(&path)? else { continue };
            match Self::parse(name, &text) {
                Some(group) => groups.push(group),
                None => site.problem(format!("{} is not a group of alternatives", Shown(&path))),
            }
        }
        Ok(groups)
    }

    fn parse(name: Vec<u8>, text: &[u8]) -> Option<Self> {
        let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec);
        let is_manual = match &lines.next()?[..] {
            b"auto" => false,
            b"manual" => true,
            _ => return None,
        };
        let link = lines.next().filter(|link| link.starts_with(b"/"))?;
        let (mut slaves, mut names) = (BTreeMap::new(), Vec::new());
        loop {
            let slave = lines.next()?;
            if slave.is_empty() {
                break;
            }
            names.push(slave.clone());
            slaves.insert(slave, lines.next().filter(|link| link.starts_with(b"/"))?);
        }
        let (mut choices, mut order) = (BTreeMap::new(), Vec::new());
        loop {
            let path = lines.next()?;
            if path.is_empty() {
                break;
            }
            let priority = str::from_utf8(&lines.next()?).ok()?.parse().ok()?;
            let mut choice = Choice { path: path.clone(), priority, slaves: BTreeMap::new() };
            for name in &names {
                let file = lines.next()?;
                if !file.is_empty() {
                    choice.slaves.insert(name.clone(), file);
                }
            }
            order.push(path.clone());
            choices.insert(path, choice);
        }
        Some(Self { name, link, slaves, is_manual, choices, order })
    }

    /// Returns the text of its file.
    pub(super) fn to_text(&self) -> Vec<u8> {
        let mut lines: Vec<&[u8]> = vec![if self.is_manual { b"manual" } else { b"auto" }, &self.link];
        for (name, link) in &self.slaves {
            lines.extend([&name[..], link]);
        }
        lines.push(b"");
        let priorities: Vec<String> =
            self.choices.values().map(|choice| choice.priority.to_string()).collect();
        for (choice, priority) in self.choices.values().zip(&priorities) {
            lines.extend([&choice.path[..], priority.as_bytes()]);
            lines.extend(
                self.slaves.keys().map(|name| choice.slaves.get(name).map_or(&b""[..], Vec::as_slice)),
            );
        }
        lines.extend([&b""[..], b""]);
        lines.join(&b'\n')
    }

    pub(super) fn has_name(&self, name: &[u8]) -> bool {
        self.name == name || self.slaves.contains_key(name)
    }

    pub(super) fn has_link(&self, link: &[u8]) -> bool {
        self.link == link || self.slaves.values().any(|slave| slave == link)
    }

    /// Adds a choice, in place of one with its path.
    pub(super) fn add(&mut self, install: &Install) {
        self.link.clone_from(&install.link);
        let mut choice =
            Choice { path: install.path.clone(), priority: install.priority, slaves: BTreeMap::new() };
        for slave in &install.slaves {
            self.slaves.insert(slave.name.clone(), slave.link.clone());
            choice.slaves.insert(slave.name.clone(), slave.path.clone());
        }
        if self.choices.insert(install.path.clone(), choice).is_none() {
            self.order.push(install.path.clone());
        }
    }

    /// Removes the links that no choice has a file for, and returns them with their names.
    pub(super) fn take_unused(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let choices = &self.choices;
        let is_used = |name: &Vec<u8>| choices.values().any(|choice| choice.slaves.contains_key(name));
        let slaves = std::mem::take(&mut self.slaves);
        let (used, unused): (Vec<_>, Vec<_>) = slaves.into_iter().partition(|(name, _)| is_used(name));
        self.slaves = used.into_iter().collect();
        unused
    }

    /// Returns the choice that the links lead to: that of the user, or the one of the highest
    /// priority. Of several, the one that they lead to already has precedence, and then the one
    /// that was installed first.
    pub(super) fn choose(&self, current: Option<&[u8]>) -> Option<&Choice> {
        let current = current.and_then(|path| self.choices.get(path));
        if self.is_manual && current.is_some() {
            return current;
        }
        let highest = self.choices.values().map(|choice| choice.priority).max()?;
        if let Some(current) = current.filter(|choice| choice.priority == highest) {
            return Some(current);
        }
        self.order.iter().filter_map(|path| self.choices.get(path)).find(|choice| choice.priority == highest)
    }
}
