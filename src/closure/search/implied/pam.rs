//! Services of PAM.

use std::collections::BTreeSet;

use image_tree::{Content, Directories};

use super::context::{Context, Implied};
use crate::closure::config::pam;
use crate::closure::error::{Error, Result};

/// Adds the requested services, and their modules.
pub(super) fn add<T: Directories<Content: Content>>(
    context: &Context<'_, T>,
    found: &mut Implied,
) -> Result<()> {
    for service in &context.keep.pam {
        let dependencies = pam::dependencies(context.tree, service, &context.closure.library_directories)?;
        if dependencies.known.is_empty() {
            return Err(Error::ServiceNotFound(service.clone()));
        }
        found.take(dependencies);
    }
    // A service that a unit names may be missing: PAM then uses its service "other".
    let of_units: BTreeSet<Vec<u8>> = context.requested.found.pam.union(&found.pam).cloned().collect();
    for service in of_units.iter().filter(|service| !context.keep.pam.contains(service)) {
        let dependencies = pam::dependencies(context.tree, service, &context.closure.library_directories)?;
        if !dependencies.known.is_empty() {
            found.take(dependencies);
        }
    }
    Ok(())
}
