//! The files that installation scripts make from data of a tree, made without running a script.
//!
//! ```text
//!  passwd.master, sysusers.d ───────▶ passwd, group, shadow, gshadow
//!  system-preset, [Install] ────────▶ links in /etc/systemd/system
//!  dpkg's alternatives ─────────────▶ links, /etc/alternatives
//!  tmpfiles.d, statoverride ────────▶ directories, modes, owners, ACLs
//!  share/base-files, *.conf, … ─────▶ skeleton, templates, shells, CA bundle, PAM
//! ```
//!
//! Each generator is a file beneath this one, and a function of the tree and [`Options`] alone. It
//! reports the paths that it made, and what it did not do although the data asks for it.

mod accounts;
mod alternatives;
mod base64;
mod ca_certificates;
mod devices;
mod generator;
mod pam;
mod presets;
mod shells;
mod site;
mod specifiers;
mod templates;
mod tmpfiles;

use image_tree::{Timestamp, Tree};

use self::site::Site;
use crate::blob::Blob;
use crate::error::Result;

pub use generator::{Generator, Generators, Made};

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The generators that run.
    pub generators: &'a Generators,
    /// The mtime of what is made, and the day on which passwords were changed last.
    pub time: Timestamp,
}

/// Runs the generators, in their order.
///
/// # Errors
/// Returns an error if data of the tree cannot be read or is too long, a file cannot be added, or
/// there is no free number for an account.
pub fn apply(tree: &mut Tree<Blob>, options: &Options<'_>) -> Result<Vec<Made>> {
    let mut all = Vec::new();
    for generator in options.generators.iter() {
        let mut site = Site::new(tree, generator, options.time);
        match generator {
            Generator::Accounts => accounts::apply(&mut site)?,
            Generator::Templates => templates::apply(&mut site)?,
            Generator::Alternatives => alternatives::apply(&mut site)?,
            Generator::Presets => presets::apply(&mut site)?,
            Generator::Tmpfiles => tmpfiles::apply(&mut site)?,
            Generator::CaCertificates => ca_certificates::apply(&mut site)?,
            Generator::Pam => pam::apply(&mut site)?,
            Generator::Shells => shells::apply(&mut site)?,
            Generator::Devices => devices::apply(&mut site)?,
            // It depends on what is kept of the tree, and is written by `transform::ld_cache`.
            Generator::LdCache => continue,
        }
        all.push(site.finish());
    }
    super::compact(tree);
    Ok(all)
}

#[cfg(test)]
mod testing;
