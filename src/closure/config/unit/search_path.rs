//! The search path of systemd units.

/// The directories of system units; the first that has a name wins.
pub const SEARCH_PATH: [&[u8]; 7] = [
    b"/etc/systemd/system.control",
    b"/etc/systemd/system",
    b"/etc/systemd/system.attached",
    b"/run/systemd/system",
    b"/usr/local/lib/systemd/system",
    b"/usr/lib/systemd/system",
    b"/lib/systemd/system",
];
