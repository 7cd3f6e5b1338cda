//! The checks of a guest's tree before an image or an initramfs is made of it, as osbuilder's
//! `check_rootfs` makes them.

use image_tree::path::{base_name, parent};
use image_tree::resolve::resolve_in_root;
use image_tree::{Kind, Tree};

use super::setup::GuestInit;
use crate::error::{Error, ErrorKind, Result};

const INIT: &[u8] = b"/sbin/init";
const SYSTEMD: [&[u8]; 2] = [b"/usr/lib/systemd/systemd", b"/lib/systemd/systemd"];
const NVRC: &[u8] = b"NVRC";

/// The options of [`check`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The init of the guest; `None` for whichever the tree has.
    pub init: Option<&'a GuestInit>,
    /// True for a tree to lay over another one, which brings the init.
    pub is_overlay: bool,
}

/// Checks that a tree has the init that a guest needs.
///
/// # Errors
/// [`ErrorKind::BadInput`] with what is missing, and the way out.
pub fn check<C>(tree: &Tree<C>, options: &Options<'_>) -> Result<()> {
    let found = init_of(tree).and_then(|found| match options.init {
        _ if found == Found::Dangling => match options.is_overlay {
            true => Ok(()),
            false => Err("/sbin/init is a link to a file that does not exist: install an init".to_owned()),
        },
        None => Ok(()),
        Some(wanted) => found.is_as(wanted),
    });
    found.map_err(|why| {
        let message =
            format!("the tree is not one of a Kata guest: {why}; --no-rootfs-check skips this check");
        Error::new(ErrorKind::BadInput, message)
    })
}

/// The init that a tree has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Systemd,
    Nvrc,
    /// Another program, in a tree with systemd or without.
    Other {
        has_systemd: bool,
    },
    /// A link to what another part brings, as in the overlay for dracut.
    Dangling,
}

impl Found {
    fn is_as(self, wanted: &GuestInit) -> Result<(), String> {
        let why = match (wanted, self) {
            (GuestInit::Agent, Self::Systemd) => {
                "/sbin/init is systemd, and the agent has to be the init: put the agent there, or leave out \
                 --kata-agent-init"
            }
            (GuestInit::Systemd, Self::Other { has_systemd: false }) => {
                "it has neither /usr/lib/systemd/systemd nor /lib/systemd/systemd: install systemd, or make the \
                 agent the init with --kata-agent-init"
            }
            (GuestInit::Nvrc(_), Self::Systemd | Self::Other { .. }) => {
                "/sbin/init does not lead to /bin/NVRC: give --nvrc=FILE, or leave --nvrc out"
            }
            _ => return Ok(()),
        };
        Err(why.to_owned())
    }
}

fn init_of<C>(tree: &Tree<C>) -> Result<Found, String> {
    let systemd = SYSTEMD.into_iter().find_map(|path| resolve_in_root(tree, path));
    let Some(init) = resolve_in_root(tree, INIT) else {
        let link =
            resolve_in_root(tree, parent(INIT)).and_then(|directory| tree.lookup(directory, base_name(INIT)));
        return match link.map(|id| &tree.get(id).kind) {
            Some(Kind::Symlink(target)) if base_name(target.as_bytes()) == NVRC => Ok(Found::Nvrc),
            Some(Kind::Symlink(_)) => Ok(Found::Dangling),
            _ => Err("/sbin/init is not in it: install an init".to_owned()),
        };
    };
    let inode = tree.get(init);
    match &inode.kind {
        Kind::Regular(_) if inode.metadata.mode & 0o111 != 0 => {}
        Kind::Regular(_) => return Err("/sbin/init is not executable".to_owned()),
        _ => return Err("/sbin/init is not a program".to_owned()),
    }
    if Some(init) == systemd {
        return Ok(Found::Systemd);
    }
    let is_nvrc =
        ["/bin/NVRC", "/NVRC"].iter().any(|path| resolve_in_root(tree, path.as_bytes()) == Some(init));
    Ok(if is_nvrc { Found::Nvrc } else { Found::Other { has_systemd: systemd.is_some() } })
}
