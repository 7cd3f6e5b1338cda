//! Dependencies that no path requests: those of units and rules, and those that kept files imply.
//!
//! Each provider is a file with a function `add`. Those of [`requested`] depend on the tree alone
//! and run once; those of [`implied`] see what is kept so far and run in each round, until a round
//! does not add anything. So they return everything each time, in an order that depends on
//! nothing but the tree and the requests.

mod context;
mod gconv;
mod known;
mod libc;
mod openssl;
mod pam;
mod rules;
mod units;

use image_tree::{Content, Directories};

use self::context::Context;
pub(super) use self::context::{Implied, Requested};
use crate::closure::error::Result;
use crate::closure::requests::Keep;
use crate::closure::result::Closure;
use crate::closure::{kernel_modules, packages};

/// Returns the dependencies of the requested units, rules and kernel modules, and the files of
/// packages.
pub(super) fn requested<T: Directories<Content: Content>>(tree: &T, keep: &Keep) -> Result<Requested> {
    let mut requested = Requested::default();
    units::add(tree, keep, &mut requested)?;
    let (members, unknown) = packages::requests(tree, &keep.packages, keep.depends)?;
    requested.members = members;
    requested.found.unknown.extend(unknown);
    requested.found.take(kernel_modules::dependencies(tree, &keep.modules)?);
    Ok(requested)
}

/// Returns the dependencies implied by the kept files: those that C libraries open by themselves,
/// those of systemd, and those that flags add.
pub(super) fn implied<T: Directories<Content: Content>>(
    tree: &T,
    keep: &Keep,
    requested: &Requested,
    closure: &Closure,
    has_cache: bool,
) -> Result<Implied> {
    let mut found = Implied::default();
    let context = Context { tree, keep, requested, closure, has_cache };
    for add in [libc::add, units::add_systemd, gconv::add, pam::add, openssl::add, known::add] {
        add(&context, &mut found)?;
    }
    Ok(found)
}
