//! systemd as a set: what it needs to start, besides the libraries of its programs.
//!
//! ```text
//!  requested units ──┐
//!  default.target ───┼──▶ walk ──▶ units ──▶ programs ──▶ their configuration and helpers
//!  rescue, shutdown ─┘      ▲                   └──▶ udevd: rules ──▶ units
//!                           └──────────────────────── units of generators ◀──┘
//! ```
//!
//! Everything here is systemd's own, or named by the units that are kept. Nothing but the programs
//! of units is mandatory: distributions leave parts out.

mod daemons;
mod fstab;
mod generators;
mod manager;
mod snippets;
mod table;

use image_tree::{Content, Directories};

pub use generators::Generators;
pub use manager::{executor, is_systemd};

use self::table::Files;
use super::unit::{Units, Walk};
use crate::closure::accounts::NamedAccounts;
use crate::closure::dependency::Dependencies;
use crate::closure::error::{Error, Result};

/// The unit that systemd starts at boot.
const DEFAULT_TARGET: &[u8] = b"default.target";

/// The choice of the unit that systemd starts at boot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DefaultTarget {
    /// The tree's own `default.target`, which must exist.
    #[default]
    Own,
    /// This unit, to which a link is made.
    Unit(Vec<u8>),
    /// None: the kernel's command line names it.
    None,
}

/// The options of [`complete`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The generators to keep.
    pub generators: &'a Generators,
    /// The unit that systemd starts at boot.
    pub default_target: &'a DefaultTarget,
}

/// The files that systemd needs to start, with the units of a walk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// The units.
    pub units: Units,
    /// All other files.
    pub dependencies: Dependencies,
    /// The users and groups that units, rules, `tmpfiles.d` and `sysusers.d` name.
    pub accounts: NamedAccounts,
    /// The files of udev's rules that are kept with udevd.
    pub rules: Vec<Vec<u8>>,
}

/// Adds the units that systemd starts by itself to a walk, and returns all of its units with the
/// files that systemd needs for them. `rules` returns the accounts that a file of udev's rules
/// names, and adds the units that it wants.
///
/// # Errors
/// Returns an error if the tree has no `default.target`, a unit or a generator that is named does
/// not exist, or a file cannot be read.
pub fn complete<'t, T: Directories<Content: Content>>(
    tree: &'t T,
    mut walk: Walk<'t, T>,
    options: Options<'_>,
    mut take_rules: impl FnMut(&[u8], &mut Walk<'t, T>) -> Result<()>,
) -> Result<Set> {
    let mut set = Set::default();
    // A unit that was requested and does not exist is reported before anything else.
    walk.run()?;
    match options.default_target {
        DefaultTarget::Own if !walk.exists(DEFAULT_TARGET)? => return Err(Error::NoDefaultTarget),
        DefaultTarget::Own => walk.frame(DEFAULT_TARGET, "which systemd starts at boot"),
        DefaultTarget::Unit(unit) => walk.request(unit)?,
        DefaultTarget::None => {}
    }
    for unit in manager::UNITS {
        walk.want(unit.as_bytes(), "which systemd starts by itself");
    }
    walk.run()?;
    let mut files = Files::new(tree, &mut set.dependencies);
    let generators = generators::add(&mut files, &mut walk, options.generators)?;
    daemons::add_units(&mut walk);
    walk.run()?;
    if walk.units().programs.contains(&b"systemd-udevd"[..]) {
        set.rules = daemons::own_rules(tree);
        for path in &set.rules {
            take_rules(path, &mut walk)?;
        }
        walk.run()?;
    }
    let units = walk.units();
    manager::add(&mut files);
    daemons::add(&mut files, units);
    fstab::add(&mut files, &generators)?;
    set.accounts.extend(units.accounts.clone());
    snippets::add(&mut files, units, &mut set.accounts)?;
    set.units = walk.finish();
    Ok(set)
}

#[cfg(test)]
mod tests;
