//! Shadow files of accounts that have none, as pwconv(8) and grpconv(8) make them.

use super::super::site::Site;
use super::database::{Database, days};
use crate::accounts::Accounts;
use crate::error::Result;

const PWCONV: [&str; 2] = ["/usr/sbin/pwconv", "/sbin/pwconv"];
const LOGIN_DEFS: &str = "/etc/login.defs";

/// Makes the files that are absent, if the tree has the program that would.
pub(super) fn apply(site: &mut Site<'_>) -> Result<()> {
    if !PWCONV.iter().any(|path| site.is_file(path.as_bytes())) {
        return Ok(());
    }
    let (mut passwd, mut shadow) =
        (Database::read(site, "/etc/passwd")?, Database::read(site, "/etc/shadow")?);
    let (mut group, mut gshadow) =
        (Database::read(site, "/etc/group")?, Database::read(site, "/etc/gshadow")?);
    let mut made: Vec<&str> = Vec::new();
    if passwd.exists() && !shadow.exists() {
        let defaults = Defaults::read(site)?;
        let days = days(site.time);
        for fields in passwd.lines().filter(|fields| fields.len() == 7) {
            let [min, max, warn] = defaults.0.each_ref().map(Vec::as_slice);
            shadow.append(&[fields[0], fields[1], &days, min, max, warn, b"", b"", b""]);
        }
        passwd.change(with_x);
        made.push("/etc/shadow");
    }
    if group.exists() && !gshadow.exists() {
        for fields in group.lines().filter(|fields| fields.len() == 4) {
            gshadow.append(&[fields[0], fields[1], b"", fields[3]]);
        }
        group.change(with_x);
        made.push("/etc/gshadow");
    }
    for database in [&passwd, &group, &shadow, &gshadow] {
        database.write(site, 0o644)?;
    }
    let gid = Accounts::of(site.tree)?.gid(b"shadow").unwrap_or(0);
    for path in made {
        if let Some(id) = site.find(path.as_bytes()) {
            let metadata = site.tree.metadata_mut(id);
            (metadata.mode, metadata.gid) = (0o640, gid);
        }
    }
    for path in ["/etc/subuid", "/etc/subgid"] {
        if site.find_link(path.as_bytes()).is_none() {
            site.write(path.as_bytes(), Vec::new(), 0o644)?;
        }
    }
    Ok(())
}

/// Returns a line whose password is in a shadow file.
fn with_x(fields: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
    let mut changed: Vec<Vec<u8>> = fields.iter().map(|field| field.to_vec()).collect();
    *changed.get_mut(1)? = b"x".to_vec();
    (changed.get(1).map(Vec::as_slice) != fields.get(1).copied()).then_some(changed)
}

/// The ages of passwords in days: the minimum, the maximum, and that of a warning.
struct Defaults([Vec<u8>; 3]);

impl Defaults {
    fn read(site: &Site<'_>) -> Result<Self> {
        let text = site.text(LOGIN_DEFS.as_bytes())?.unwrap_or_default();
        let value = |key: &str| {
            let lines = text.split(|byte| *byte == b'\n');
            let mut values = lines.filter_map(|line| {
                let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                (words.next()? == key.as_bytes()).then(|| words.next()).flatten()
            });
            let number = values.next().filter(|value| value.iter().all(u8::is_ascii_digit));
            number.map(<[u8]>::to_vec).unwrap_or_default()
        };
        Ok(Self(["PASS_MIN_DAYS", "PASS_MAX_DAYS", "PASS_WARN_AGE"].map(value)))
    }
}
