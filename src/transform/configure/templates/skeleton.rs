//! The directories and files of base-files, by the calls in its own script.

use image_tree::path::join;
use image_tree::{Inode, Kind, Shown};

use super::super::site::Site;
use crate::accounts::Accounts;
use crate::blob::Blob;
use crate::error::Result;

const SHARE: &[u8] = b"/usr/share/base-files";
const SCRIPT: &[u8] = b"/var/lib/dpkg/info/base-files.postinst";
const STAFF: &[u8] = b"/etc/staff-group-for-usr-local";
const VENDOR: &[u8] = b"/etc/dpkg/origins";

/// The calls for a tree without the script.
const CALLS: &str = "
install_from_default dot.profile /root/.profile
install_from_default dot.bashrc /root/.bashrc
install_from_default profile /etc/profile
install_from_default motd /etc/motd
install_directory mnt 755 root
install_directory srv 755 root
install_directory opt 755 root
install_directory etc/opt 755 root
install_directory var/opt 755 root
install_directory media 755 root
install_directory var/mail 2775 mail
install_directory run/lock 1777 root
migrate_directory /var/run /run
migrate_directory /var/lock /run/lock
install_local_dir /usr/local
install_local_dir /usr/local/share
install_local_dir /usr/local/share/man
install_local_dir /usr/local/bin
install_local_dir /usr/local/games
install_local_dir /usr/local/lib
install_local_dir /usr/local/include
install_local_dir /usr/local/sbin
install_local_dir /usr/local/src
install_local_dir /usr/local/etc
ensure_file_owner_mode /var/log/wtmp root:utmp 664
ensure_file_owner_mode /var/log/btmp root:utmp 660
ensure_file_owner_mode /var/log/lastlog root:utmp 664
";

/// Adds what is absent, if the tree has base-files.
pub(super) fn apply(site: &mut Site<'_>) -> Result<()> {
    if !site.is_directory(SHARE) {
        return Ok(());
    }
    let accounts = Accounts::of(site.tree)?;
    let script = site.text(SCRIPT)?.unwrap_or_else(|| CALLS.as_bytes().to_vec());
    for line in script.split(|byte| *byte == b'\n') {
        let words: Vec<&[u8]> = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
        if words.iter().any(|word| word.iter().any(|byte| matches!(byte, b'$' | b'(' | b'"'))) {
            // A definition of one of the functions.
            continue;
        }
        call(site, &words, &accounts)?;
    }
    links(site)
}

/// Makes what a call makes on the first installation.
fn call(site: &mut Site<'_>, words: &[&[u8]], accounts: &Accounts) -> Result<()> {
    match words {
        [b"install_from_default", b"info.dir", _] => {}
        [b"install_from_default", from, to] if !site.is_file(to) => {
            site.copy(&join(SHARE, from), to)?;
        }
        [b"install_directory", path, mode, group] => {
            let path = join(b"/", path);
            if !site.is_directory(&path) {
                let id = site.directory(&path, octal(mode, 0o755))?;
                site.tree.metadata_mut(id).gid = accounts.gid(group).unwrap_or(0);
            }
        }
        [b"install_local_dir", path] => {
            let id = site.directory(path, 0o755)?;
            if site.is_file(STAFF)
                && let Ok(gid) = accounts.gid(b"staff")
            {
                let metadata = site.tree.metadata_mut(id);
                (metadata.gid, metadata.mode) = (gid, 0o2775);
            }
        }
        [b"migrate_directory", path, target] => migrate(site, path, target)?,
        [b"ensure_file_owner_mode", path, b"root:utmp", mode] => {
            if !site.is_file(path)
                && let Ok(gid) = accounts.gid(b"utmp")
            {
                let mut metadata = site.metadata(octal(mode, 0o664));
                metadata.gid = gid;
                site.put(path, Inode { metadata, kind: Kind::Regular(Blob::from(Vec::new())) })?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Replaces a directory that is empty by a link.
fn migrate(site: &mut Site<'_>, path: &[u8], target: &[u8]) -> Result<()> {
    if site.target(path).is_some() {
        return Ok(());
    }
    if !site.names(path).is_empty() {
        site.problem(format!("{} has entries and does not become a link to {}", Shown(path), Shown(target)));
        return Ok(());
    }
    site.symlink(path, target)
}

/// Adds the links that the script makes by other commands.
fn links(site: &mut Site<'_>) -> Result<()> {
    if site.is_directory(b"/var/mail") && site.find_link(b"/var/spool/mail").is_none() {
        site.symlink(b"/var/spool/mail", b"../mail")?;
    }
    if site.find_link(b"/usr/local/man").is_none() {
        site.symlink(b"/usr/local/man", b"share/man")?;
    }
    let default = join(VENDOR, b"default");
    if site.find(&default).is_none() && site.is_file(&join(VENDOR, b"debian")) {
        site.symlink(&default, b"debian")?;
    }
    Ok(())
}

fn octal(digits: &[u8], default: u16) -> u16 {
    let bits = str::from_utf8(digits).ok().and_then(|digits| u16::from_str_radix(digits, 8).ok());
    bits.filter(|bits| *bits <= 0o7777).unwrap_or(default)
}
