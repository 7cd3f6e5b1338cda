//! The setup of a Kata guest: the changes that osbuilder's `rootfs.sh` makes to a tree.
//!
//! | step | change |
//! | --- | --- |
//! | `base` | `/etc`, `/var/tmp`, `tmp.mount`, an empty `resolv.conf`, `machine-id`, the root's mode |
//! | `chrony` | the host's clock by PTP instead of servers |
//! | `agent` | the agent, its units, and the init |
//! | `confidential` | `/run` of a confidential guest |
//! | `policy` | the agent's policy |
//! | `trim` | units of systemd that a guest can do without |
//! | `summary` | `/var/lib/osbuilder/osbuilder.yaml` |
//! | [`check`] | the checks that osbuilder makes before it builds an image |
//!
//! Each step leaves what is already as it has to be, so that a second setup changes nothing but
//! `/var/lib`, which it empties, and the summary in it.

mod agent;
mod base;
pub mod check;
mod chrony;
mod confidential;
mod guest;
mod os_release;
mod policy;
mod setup;
mod summary;
mod trim;

use image_tree::{Timestamp, Tree};

use self::guest::Guest;
pub use self::guest::Report;
pub use self::setup::{AgentUnits, GuestInit, Setup, Summary};
use crate::blob::Blob;
use crate::error::Result;

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The setup.
    pub setup: &'a Setup,
    /// The time of what is changed.
    pub time: Timestamp,
}

/// Sets a tree up as a guest.
///
/// # Errors
/// If the tree has no init or no agent, a file of the host cannot be read, or a path of the tree is
/// another kind of file than the setup needs there.
pub fn apply(tree: &mut Tree<Blob>, options: &Options<'_>) -> Result<Report> {
    let setup = options.setup;
    let mut guest = Guest::new(tree, options.time);
    if setup.overlay {
        base::overlay(&mut guest)?;
    }
    base::directories(&mut guest)?;
    if setup.init == GuestInit::Systemd {
        base::tmp_mount(&mut guest)?;
    }
    chrony::configure(&mut guest)?;
    agent::install(&mut guest, setup)?;
    if setup.confidential {
        confidential::configure(&mut guest)?;
    }
    if let Some(file) = &setup.policy {
        policy::install(&mut guest, file)?;
    }
    base::resolver(&mut guest)?;
    base::machine_id(&mut guest)?;
    if setup.trim {
        trim::remove(&mut guest)?;
    }
    summary::write(&mut guest, setup)?;
    let report = guest.finish();
    if setup.check {
        check::check(tree, &check::Options { init: Some(&setup.init), is_overlay: setup.overlay })?;
    }
    Ok(report)
}

#[cfg(test)]
mod tests;
