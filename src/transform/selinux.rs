//! SELinux labels from the guest's policy, computed as libselinux does, without SELinux on the
//! host.
//!
//! ```text
//! file_contexts ─┐                     .subs ─┐
//! .homedirs ─────┼─ specifications            ├─ substitutions of directories
//! .local ────────┘        ▲           .subs_dist ─┘
//!                         │                   │
//!   label ◀── last that matches ◀── path ◀────┴── path in the tree
//! ```
//!
//! The result is that of setfiles(8) with an alternate root: `security.selinux` with a terminating
//! NUL, files with `<<none>>` left unchanged, and one label for a file with several names.

mod compiled;
mod files;
mod labels;
mod line;
mod pattern;
mod specs;
mod substitutions;

use std::fmt;

use image_tree::{Content, InodeId, Tree, XattrName, shortened};

use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::log::{self, Log};
use crate::shown::Count;

use labels::Labels;
use specs::{Found, Search};

pub use files::FileContexts;

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The source of file_contexts.
    pub contexts: &'a FileContexts,
    /// Checked regularly; a signal ends the search.
    pub interrupt: &'a Interrupt,
}

/// The result of labelling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of inodes that got a label.
    pub labelled: u64,
    /// The number of inodes with `<<none>>`, which are left unchanged.
    pub unchanged: u64,
    /// The number of inodes that the policy does not cover.
    pub unknown: u64,
    /// The path of the first of them.
    pub first_unknown: Option<Vec<u8>>,
    /// The first names for which the policy has another label than the one used for their file.
    pub conflicts: Vec<Conflict>,
    /// The number of such names.
    pub conflict_count: u64,
    /// Sentences about contradictions within the policy.
    pub contradictions: Vec<String>,
}

/// Two names of one file with different labels in the policy. The label of the first is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The name that is used, in the order of the tree.
    pub first: Vec<u8>,
    /// Its label.
    pub used: String,
    /// The other name.
    pub other: Vec<u8>,
    /// The label that was not used.
    pub unused: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, used, other, unused } = self;
        let (first, other) = (shortened(first), shortened(other));
        write!(f, "{first} and {other} are one file with two SELinux labels; {used} is used, not {unused}")
    }
}

/// The maximum number of warnings of one kind that are shown individually.
const MAX_SHOWN: usize = 5;

impl Report {
    /// Returns the warnings as sentences.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.contradictions.iter().take(MAX_SHOWN).cloned().collect();
        let contradictions = self.contradictions.len() as u64;
        warnings.extend(more(contradictions, "lines of file_contexts contradict each other"));
        warnings.extend(self.conflicts.iter().map(ToString::to_string));
        warnings.extend(more(self.conflict_count, "files have names with different SELinux labels"));
        if let Some(path) = &self.first_unknown {
            let files = Count(self.unknown, "file, which has", "files, which have");
            let more = if self.unknown > 1 { ", …" } else { "" };
            warnings.push(format!("file_contexts do not cover {files} no label: {}{more}", shortened(path)));
        }
        warnings
    }
}

impl log::Report for Report {
    fn log(&self, log: &Log) {
        self.warnings().iter().for_each(|warning| log.warn(warning));
        let Self { labelled, unchanged, .. } = self;
        let inodes = Count(*labelled, "inode", "inodes");
        log.detail(format_args!("{inodes} labelled for SELinux, {unchanged} left unchanged by the policy"));
    }
}

fn more(count: u64, what: &str) -> Option<String> {
    let more = count.checked_sub(MAX_SHOWN as u64).filter(|more| *more > 0)?;
    Some(format!("{more} more {what}"))
}

/// The name of the xattr.
const SELINUX: &str = "security.selinux";

/// Reads the policy and labels every inode, replacing existing labels.
///
/// No program is run, and only the files named by the options are read from the host.
///
/// # Errors
/// [`BadInput`](crate::error::ErrorKind::BadInput) with file and line if the files are not valid
/// file_contexts, or if the tree has no policy; [`Io`](crate::error::ErrorKind::Io) if they cannot
/// be read; [`Interrupted`](crate::error::ErrorKind::Interrupted) after a signal.
#[must_use = "the report has warnings"]
pub fn apply<C: Content>(tree: &mut Tree<C>, options: &Options<'_>) -> Result<Report> {
    let labels = files::read(options.contexts, tree)?;
    label(tree, &labels, options.interrupt)
}

fn label<C>(tree: &mut Tree<C>, labels: &Labels, interrupt: &Interrupt) -> Result<Report> {
    let mut report = Report { contradictions: labels.specs.contradictions(), ..Report::default() };
    // OK to unwrap: the name is a constant of valid bytes.
    let name = XattrName::new(SELINUX).expect("a valid name");
    let mut found: Vec<Option<Label<'_>>> = vec![None; tree.inode_count()];
    let mut order: Vec<InodeId> = Vec::new();
    let mut search = Search::new(interrupt);
    let mut path = Vec::new();
    let mut walk = tree.walk();
    let mut position = 0;
    while let Some(step) = walk.next() {
        path.clear();
        walk.write_path(&mut path);
        let here = labels.lookup(&path, tree.get(step.id).kind.file_type(), &mut search)?;
        let here = Label { position, found: here };
        position += 1;
        let Some(slot) = found.get_mut(step.id.index()) else { continue };
        match (&slot, here.found) {
            (None, _) => {
                order.push(step.id);
                *slot = Some(here);
            }
            (Some(first), Found::Context(unused)) => match first.found {
                Found::Context(used) if used != unused => {
                    report.conflict_count += 1;
                    if report.conflicts.len() < MAX_SHOWN {
                        report.conflicts.push(Conflict {
                            first: nth_path(tree, first.position),
                            used: used.to_owned(),
                            other: path.clone(),
                            unused: unused.to_owned(),
                        });
                    }
                }
                Found::Context(_) => {}
                // The first name with a label wins.
                Found::Unchanged | Found::NoMatch => *slot = Some(here),
            },
            (Some(_), Found::Unchanged | Found::NoMatch) => {}
        }
    }
    drop(walk);
    for id in order {
        let Some(label) = found.get_mut(id.index()).and_then(Option::take) else { continue };
        match label.found {
            Found::Context(context) => {
                let value = [context.as_bytes(), b"\0"].concat();
                tree.metadata_mut(id).xattrs.insert(name.clone(), value.into());
                report.labelled += 1;
            }
            Found::Unchanged => report.unchanged += 1,
            Found::NoMatch => {
                report.unknown += 1;
                report.first_unknown.get_or_insert_with(|| nth_path(tree, label.position));
            }
        }
    }
    Ok(report)
}

/// The policy's result for the name that determines the label of a file.
#[derive(Clone, Copy, Debug)]
struct Label<'l> {
    /// The position of the name in the walk of the tree, from 0. The path is built only for
    /// messages: the paths of all files together are many times as long as their names.
    position: usize,
    found: Found<'l>,
}

/// Returns the path of the name at a position in the walk of the tree.
fn nth_path<C>(tree: &Tree<C>, position: usize) -> Vec<u8> {
    let (mut walk, mut path) = (tree.walk(), Vec::new());
    if walk.nth(position).is_some() {
        walk.write_path(&mut path);
    }
    path
}

#[cfg(test)]
mod tests;
