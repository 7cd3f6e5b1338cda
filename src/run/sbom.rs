//! Lists of packages, written once the product is.

use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::output::text::TextFile;
use crate::output::{Destination, DestinationOptions};
use crate::recipe::TreeRecipe;
use crate::recipe::packages::Sbom;
use crate::report::{PackageReport, sbom};

/// Writes the lists that a recipe requests.
///
/// # Errors
/// If a file cannot be written; it is unchanged then.
pub(super) fn write(recipe: &TreeRecipe, packages: &[PackageReport], interrupt: &Interrupt) -> Result<()> {
    for Sbom { format, path } in &recipe.packages.sbom {
        let destination = Destination::open(path, DestinationOptions::default())?;
        let text = sbom::text(*format, packages, recipe.time_of_changes());
        TextFile::create(&destination, interrupt.cleanups())?.write(&text)?.publish()?;
    }
    Ok(())
}
