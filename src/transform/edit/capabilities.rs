//! File capabilities from text, cap_from_text(3), to the value of `security.capability`.
//!
//! ```text
//! cap_net_bind_service,cap_net_raw+ep      clauses, separated by blanks: names, then + - or = with e, i and p
//! =p cap_sys_admin-p                       no names before = are all of them, as is `all`
//! ```

/// `CAP_CHOWN` and so on, by number: `include/uapi/linux/capability.h`, without `cap_`.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

const ALL: u64 = (1 << NAMES.len()) - 1;

/// `VFS_CAP_REVISION_2`.
const REVISION_2: u32 = 0x0200_0000;
/// `VFS_CAP_FLAGS_EFFECTIVE`.
const EFFECTIVE: u32 = 1;

/// The three sets, with one bit for each capability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sets {
    effective: u64,
    inheritable: u64,
    permitted: u64,
}

/// Returns the value of `security.capability` for capabilities in the syntax of `setcap(8)`: 20
/// bytes, `struct vfs_cap_data` of revision 2.
///
/// # Errors
/// Returns a message if the text is invalid; if some but not all of the capabilities are effective,
/// which no file can express; if there are none.
pub fn from_text(text: &str) -> Result<Box<[u8]>, String> {
    let mut sets = Sets::default();
    for text in text.split_ascii_whitespace() {
        clause(text, &mut sets)?;
    }
    let held = sets.permitted | sets.inheritable;
    if held == 0 {
        return Err(format!("\"{text}\" gives no capability, such as cap_net_raw+ep"));
    }
    if sets.effective != 0 && sets.effective != held {
        return Err(format!(
            "\"{text}\" makes other capabilities effective than it gives, and a file has only one bit for all of them"
        ));
    }
    let magic = if sets.effective == 0 { REVISION_2 } else { REVISION_2 | EFFECTIVE };
    let [low, high] = [0, 4].map(|start| {
        let half = |set: u64| set.to_le_bytes().get(start..start + 4).unwrap_or_default().to_vec();
        [half(sets.permitted), half(sets.inheritable)].concat()
    });
    Ok([magic.to_le_bytes().to_vec(), low, high].concat().into())
}

fn clause(text: &str, sets: &mut Sets) -> Result<(), String> {
    let start = text
        .find(['+', '-', '='])
        .ok_or_else(|| format!("\"{text}\" has no + - or = with what is given, such as cap_net_raw+ep"))?;
    let (names, mut rest) = text.split_at(start);
    let mask = match names {
        "" if rest.starts_with('=') => ALL,
        "" => return Err(format!("\"{text}\" names no capability")),
        _ => names.split(',').try_fold(0, |mask, name| number(name).map(|bits| mask | bits))?,
    };
    while let Some(operator) = rest.bytes().next() {
        let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |end| end + 1);
        let letters = &rest[1..end];
        if operator == b'=' {
            for set in [&mut sets.effective, &mut sets.inheritable, &mut sets.permitted] {
                *set &= !mask;
            }
        }
        for letter in letters.bytes() {
            let set = match letter {
                b'e' => &mut sets.effective,
                b'i' => &mut sets.inheritable,
                b'p' => &mut sets.permitted,
                _ => return Err(format!("\"{text}\" has letters other than e, i and p")),
            };
            if operator == b'-' {
                *set &= !mask;
            } else {
                *set |= mask;
            }
        }
        rest = &rest[end..];
    }
    Ok(())
}

/// Returns the bit of one capability, or all bits.
fn number(name: &str) -> Result<u64, String> {
    let lower = name.to_ascii_lowercase();
    if lower == "all" {
        return Ok(ALL);
    }
    let known = lower.strip_prefix("cap_").and_then(|name| NAMES.iter().position(|known| *known == name));
    let number = known.or_else(|| lower.parse().ok().filter(|number| *number < NAMES.len()));
    number.map(|number| 1 << number).ok_or_else(|| format!("\"{name}\" is not a capability"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        let value = from_text(text).unwrap_or_else(|error| panic!("{error}"));
        value.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The values that libcap's setcap writes.
    #[test]
    fn encodes_as_setcap() {
        for (text, expected) in [
            ("cap_net_bind_service+ep", "0100000200040000000000000000000000000000"),
            ("cap_net_bind_service=ep", "0100000200040000000000000000000000000000"),
            ("cap_net_raw,cap_net_admin=p", "0000000200300000000000000000000000000000"),
            ("cap_net_raw=pi", "0000000200200000002000000000000000000000"),
            ("CAP_BPF+ep", "0100000200000000000000008000000000000000"),
            ("cap_setuid=ep cap_setgid+ep", "01000002c0000000000000000000000000000000"),
            ("cap_setuid=eip-i", "0100000280000000000000000000000000000000"),
            ("=ep", "01000002ffffffff00000000ff01000000000000"),
            ("all=p 40-p", "00000002ffffffff00000000ff00000000000000"),
        ] {
            assert_eq!(hex(text), expected, "{text}");
        }
    }

    #[test]
    fn refuses_malformed_capabilities() {
        for (text, expected) in [
            ("", "gives no capability"),
            ("cap_net_raw", "has no + - or ="),
            ("cap_net_raw+x", "letters other than"),
            ("cap_nothing+ep", "is not a capability"),
            ("net_raw+ep", "is not a capability"),
            ("41+p", "is not a capability"),
            ("+ep", "names no capability"),
            ("cap_net_raw+e", "gives no capability"),
            ("cap_net_raw+ep cap_chown+p", "only one bit"),
            ("cap_net_raw-p", "gives no capability"),
        ] {
            let error = from_text(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
