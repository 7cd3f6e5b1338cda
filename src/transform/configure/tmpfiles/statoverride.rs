//! dpkg's overrides of owners and modes, dpkg-statoverride(1).

use image_tree::Shown;

use super::super::site::Site;
use crate::accounts::Accounts;
use crate::error::Result;

const DATABASE: &[u8] = b"/var/lib/dpkg/statoverride";

/// Applies the overrides of paths that exist, as unpacking a package does.
pub(super) fn apply(site: &mut Site<'_>, accounts: &Accounts) -> Result<()> {
    let text = site.text(DATABASE)?.unwrap_or_default();
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        if let Err(why) = one(site, line, accounts) {
            site.problem(format!("{}:{}: {why}", Shown(DATABASE), number + 1));
        }
    }
    Ok(())
}

/// Applies a line: `USER GROUP MODE PATH`.
fn one(site: &mut Site<'_>, line: &[u8], accounts: &Accounts) -> Result<(), String> {
    let fields: Vec<&[u8]> = line.splitn(4, |byte| *byte == b' ').collect();
    let [user, group, mode, path] = fields[..] else {
        return Err("it is not a line of USER GROUP MODE PATH".to_owned());
    };
    let number = |name: &'_ [u8]| name.strip_prefix(b"#").map(<[u8]>::to_vec).unwrap_or(name.to_vec());
    let uid = accounts.uid(&number(user))?;
    let gid = accounts.gid(&number(group))?;
    let bits = str::from_utf8(mode).ok().and_then(|mode| u16::from_str_radix(mode, 8).ok());
    let bits =
        bits.filter(|bits| *bits <= 0o7777).ok_or_else(|| format!("\"{}\" is not a mode", Shown(mode)))?;
    let Some(id) = site.find_link(path) else { return Ok(()) };
    let metadata = site.tree.metadata_mut(id);
    if (metadata.uid, metadata.gid, metadata.mode) != (uid, gid, bits) {
        (metadata.uid, metadata.gid) = (uid, gid);
        metadata.chmod(bits);
        site.made(path);
    }
    Ok(())
}
