//! The clock of a guest: chrony reads that of the host by PTP, and asks no server.

use image_tree::InodeId;

use super::guest::Guest;
use super::os_release::OsRelease;
use crate::error::Result;

const DEBIAN_CONFIG: &str = "/etc/chrony/chrony.conf";
const CONFIG: &str = "/etc/chrony.conf";

/// The clock of the host, and steps of any size at any time: a guest that was paused is far behind.
const REFERENCE_CLOCK: &str = "refclock PHC /dev/ptp0 poll 3 dpoll -2 offset 0";
const STEP: &str = "makestep 1 -1";

/// The directives that name a source of time in a network.
const NETWORK_SOURCES: [&str; 3] = ["server ", "pool ", "peer "];

const UNITS: [&str; 4] = [
    "/lib/systemd/system/chrony.service",
    "/usr/lib/systemd/system/chrony.service",
    "/lib/systemd/system/chronyd.service",
    "/usr/lib/systemd/system/chronyd.service",
];

/// Changes the configuration and the unit of chrony, wherever the tree has them; a tree without
/// chrony is not changed.
pub(super) fn configure(guest: &mut Guest<'_>) -> Result<()> {
    let (first, second) = match OsRelease::of(guest)?.is_debian() {
        true => (DEBIAN_CONFIG, CONFIG),
        false => (CONFIG, DEBIAN_CONFIG),
    };
    let config = [first, second].into_iter().find(|path| guest.is_file(path));
    match config {
        Some(path) => {
            let text = guest.text(path)?.unwrap_or_default();
            guest.replace(path, configuration(&text))?;
        }
        // A package that was unpacked and not configured has no configuration yet.
        None if guest.is_file("/usr/sbin/chronyd") => guest.write(first, configuration(b""), 0o644)?,
        None => {}
    }
    let mut changed: Vec<InodeId> = Vec::new();
    for path in UNITS {
        let Some(id) = guest.find(path).filter(|id| !changed.contains(id)) else { continue };
        if let Some(text) = guest.text(path)? {
            guest.replace(path, unit(&text))?;
            changed.push(id);
        }
    }
    Ok(())
}

/// Returns the configuration with the host's clock and without servers.
fn configuration(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 128);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if NETWORK_SOURCES.iter().any(|source| line.starts_with(source.as_bytes())) {
            out.extend_from_slice(b"# ");
        }
        out.extend_from_slice(line);
    }
    let has = |wanted: &str| text.split(|byte| *byte == b'\n').any(|line| line == wanted.as_bytes());
    for line in [REFERENCE_CLOCK, STEP] {
        if !has(line) {
            if !out.is_empty() && !out.ends_with(b"\n") {
                out.push(b'\n');
            }
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
    }
    out
}

const CONDITION: &str = "ConditionPathExists=/dev/ptp0";

/// Returns the unit as a guest needs it: without a user, who need not exist in it, without
/// directories that a read-only root lacks, and only where there is a clock.
fn unit(text: &[u8]) -> Vec<u8> {
    let has_condition = text.split(|byte| *byte == b'\n').any(|line| line == CONDITION.as_bytes());
    let mut out = Vec::with_capacity(text.len() + 128);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b"ExecStart=") {
            out.extend_from_slice(&without_user(line));
        } else if line.starts_with(b"ReadWritePaths=") {
            out.extend_from_slice(&with_optional_state(line));
        } else if line.starts_with(b"StateDirectory=") || line.starts_with(b"LogsDirectory=") {
            out.push(b'#');
            out.extend_from_slice(line);
        } else {
            out.extend_from_slice(line);
            if line.trim_ascii_end() == b"[Unit]" && !has_condition {
                out.extend_from_slice(CONDITION.as_bytes());
                out.push(b'\n');
            }
        }
    }
    out
}

/// Removes the last option `-u USER` of a command line.
fn without_user(line: &[u8]) -> Vec<u8> {
    let Some(start) = line.windows(3).rposition(|window| window == b"-u ") else { return line.to_vec() };
    let user = line.get(start + 3..).unwrap_or_default();
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let end = start + 3 + user.iter().take_while(|byte| is_of_name(byte)).count();
    [line.get(..start).unwrap_or_default(), line.get(end..).unwrap_or_default()].concat()
}

/// Makes `/var/lib/chrony` of `ReadWritePaths=` optional.
fn with_optional_state(line: &[u8]) -> Vec<u8> {
    const STATE: &[u8] = b"/var/lib/chrony";
    let Some(at) = line.windows(STATE.len()).position(|window| window == STATE) else { return line.to_vec() };
    let (before, after) = line.split_at(at);
    if before.ends_with(b"-") { line.to_vec() } else { [before, b"-", after].concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_become_comments_and_the_clock_is_added_once() {
        let once = configuration(b"pool a iburst\n server b\nserver c\npeer d\nrtcsync");
        let expected = "# pool a iburst\n server b\n# server c\n# peer d\nrtcsync\n\
                        refclock PHC /dev/ptp0 poll 3 dpoll -2 offset 0\nmakestep 1 -1\n";
        assert_eq!(String::from_utf8_lossy(&once), expected);
        assert_eq!(configuration(&once), once);
        assert!(configuration(b"").starts_with(b"refclock"));
    }

    #[test]
    fn the_unit_has_no_user_and_a_condition() {
        let text = b"[Unit]\nDescription=x\n\n[Service]\nExecStart=/usr/sbin/chronyd -F 1 -u _chrony -n\n\
                     ReadWritePaths=/run /var/lib/chrony -/var/log\nStateDirectory=chrony\n";
        let once = unit(text);
        let expected = "[Unit]\nConditionPathExists=/dev/ptp0\nDescription=x\n\n[Service]\n\
                        ExecStart=/usr/sbin/chronyd -F 1  -n\nReadWritePaths=/run -/var/lib/chrony -/var/log\n\
                        #StateDirectory=chrony\n";
        assert_eq!(String::from_utf8_lossy(&once), expected);
        assert_eq!(unit(&once), once);
        assert_eq!(unit(b"ExecStart=/a -n\n"), b"ExecStart=/a -n\n");
    }
}
