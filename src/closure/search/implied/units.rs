//! systemd units, and systemd with everything that it needs to start.

use image_tree::{Content, Directories};

use super::context::{Context, Implied, Requested};
use super::rules;
use crate::closure::config::systemd::{self, Options};
use crate::closure::config::unit::{self, Walk};
use crate::closure::error::{Error, Result};
use crate::closure::requests::Keep;

/// Adds the requested units and rules, and all that they pull in. A unit is kept together with
/// systemd.
pub(super) fn add<T: Directories<Content: Content>>(
    tree: &T,
    keep: &Keep,
    requested: &mut Requested,
) -> Result<()> {
    let mut walk = Walk::new(tree, keep.follow);
    for wanted in &keep.units {
        match &wanted.glob {
            None => walk.request(&wanted.text)?,
            Some(glob) => {
                let matching = unit::matching(tree, glob);
                if matching.is_empty() {
                    return Err(Error::NoMatchingUnit(wanted.text.clone()));
                }
                for unit in matching {
                    walk.request(&unit)?;
                }
            }
        }
    }
    let Requested { found, has_systemd, .. } = requested;
    rules::add(tree, keep, &mut walk, found)?;
    *has_systemd = keep.systemd && !keep.units.is_empty();
    if *has_systemd {
        return complete(tree, keep, walk, found);
    }
    walk.run()?;
    let units = walk.finish();
    found.take(units.dependencies);
    found.accounts.extend(units.accounts);
    found.pam.extend(units.pam);
    Ok(())
}

/// Adds what systemd needs, if it is kept although no unit was requested; and in any case the program
/// that depends on its version.
pub(super) fn add_systemd<T: Directories<Content: Content>>(
    context: &Context<'_, T>,
    found: &mut Implied,
) -> Result<()> {
    let Context { tree, keep, closure, requested, .. } = *context;
    let is_kept = || closure.kept.keys().any(|path| systemd::is_systemd(path));
    if !keep.systemd || !(requested.has_systemd || is_kept()) {
        return Ok(());
    }
    found.dependencies.push(systemd::executor(closure.kept.keys().map(Vec::as_slice)));
    if !requested.has_systemd {
        complete(tree, keep, Walk::new(tree, keep.follow), found)?;
    }
    Ok(())
}

/// Completes a walk with all that systemd needs.
fn complete<T: Directories<Content: Content>>(
    tree: &T,
    keep: &Keep,
    walk: Walk<'_, T>,
    found: &mut Implied,
) -> Result<()> {
    let options = Options { generators: &keep.generators, default_target: &keep.default_target };
    let unknown = found.unknown.len();
    let set = systemd::complete(tree, walk, options, |path, walk| rules::take(tree, path, walk, found))?;
    // The rules were not requested: what they run for some devices is no concern of the user's.
    found.unknown.truncate(unknown);
    found.take(set.units.dependencies);
    found.take(set.dependencies);
    found.accounts.extend(set.accounts);
    found.pam.extend(set.units.pam);
    Ok(())
}
