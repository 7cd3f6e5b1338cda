//! Dependencies that no path requests: those of units and rules, and those that kept files imply.
//!
//! Each provider is a file with a function `add`. Those of [`requested`] depend on the tree alone
//! and run once; those of [`implied`] see what is kept so far and run in each round, until a round
//! does not add anything. So they return everything each time, in an order that depends on
//! nothing but the tree and the requests.

mod context;
mod gconv;
mod libc;
mod openssl;
mod pam;
mod rules;
mod units;

use image_tree::{Content, Directories};

use self::context::Context;
pub(super) use self::context::Implied;
use crate::closure::error::Result;
use crate::closure::packages;
use crate::closure::requests::{Keep, Request};
use crate::closure::result::Closure;

/// Returns the requests for units, rules and packages, and sentences about those that cannot be
/// determined.
pub(super) fn requested<T: Directories<Content: Content>>(
    tree: &T,
    keep: &Keep,
) -> Result<(Vec<Request>, Vec<String>)> {
    let mut found = Implied::default();
    for add in [units::add, rules::add] {
        add(tree, keep, &mut found)?;
    }
    let (members, unknown) = packages::requests(tree, &keep.packages, keep.depends)?;
    found.unknown.extend(unknown);
    let dependencies = found.dependencies.into_iter().map(Request::Dependency);
    let requests = keep.requests.iter().cloned().chain(dependencies).chain(members);
    Ok((requests.collect(), found.unknown))
}

/// Returns the dependencies implied by the kept files: those that C libraries open by themselves,
/// and those that flags add.
pub(super) fn implied<T: Directories<Content: Content>>(
    tree: &T,
    keep: &Keep,
    closure: &Closure,
    has_cache: bool,
) -> Result<Implied> {
    let mut found = Implied::default();
    let context = Context { tree, keep, closure, has_cache };
    for add in [libc::add, gconv::add, pam::add, openssl::add] {
        add(&context, &mut found)?;
    }
    Ok(found)
}
