//! Accounts that programs look up by a name of their own, which no configuration file states.

/// The accounts by the base name of the program: users and groups have the same name. These are
/// defaults of the programs' sources and of the packages of Debian, Fedora and Alpine; a name that
/// the tree does not have does not matter.
const ACCOUNTS: [(&str, &[&str]); 34] = [
    ("agetty", &["tty", "utmp"]),
    ("apache2", &["www-data"]),
    ("avahi-daemon", &["avahi", "netdev"]),
    ("chronyd", &["_chrony", "chrony"]),
    ("clamd", &["clamav"]),
    ("cron", &["crontab"]),
    ("dbus-broker-launch", &["dbus", "messagebus"]),
    ("dbus-daemon", &["dbus", "messagebus"]),
    ("dnsmasq", &["dnsmasq", "dip"]),
    ("exim4", &["Debian-exim"]),
    ("haproxy", &["haproxy"]),
    ("httpd", &["apache"]),
    ("lighttpd", &["lighttpd", "www-data"]),
    ("login", &["tty", "utmp"]),
    ("mariadbd", &["mysql"]),
    ("memcached", &["memcache", "memcached"]),
    ("mysqld", &["mysql"]),
    ("named", &["bind", "named"]),
    ("nginx", &["http", "nginx", "www-data"]),
    ("ntpd", &["ntp", "ntpsec"]),
    ("polkitd", &["polkitd"]),
    ("postfix", &["postdrop", "postfix"]),
    ("postgres", &["postgres"]),
    ("redis-server", &["redis"]),
    ("rpc.statd", &["rpcuser", "statd"]),
    ("rpcbind", &["_rpc", "rpc"]),
    ("rsyslogd", &["adm", "syslog"]),
    ("sshd", &["_sshd", "sshd"]),
    ("sudo", &["sudo", "wheel"]),
    ("systemd", &["systemd-journal", "tty"]),
    ("systemd-journald", &["adm", "systemd-journal", "wheel"]),
    ("tcpdump", &["pcap", "tcpdump"]),
    ("unbound", &["unbound"]),
    ("write", &["tty"]),
];

/// Programs by which users log in or become other users. Services of PAM say so too.
const LOGINS: [&str; 10] =
    ["agetty", "dropbear", "dropbearmulti", "getty", "in.telnetd", "login", "sshd", "su", "sudo", "telnetd"];

/// Returns the names of accounts that a program looks up.
pub(super) fn accounts(program: &[u8]) -> &'static [&'static str] {
    let found = ACCOUNTS.binary_search_by(|(name, _)| name.as_bytes().cmp(program));
    found.map_or(&[], |at| ACCOUNTS[at].1)
}

/// Returns true for a program by which users log in.
pub(super) fn is_login(program: &[u8]) -> bool {
    LOGINS.binary_search_by(|name| name.as_bytes().cmp(program)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted() {
        assert!(ACCOUNTS.is_sorted_by_key(|(name, _)| *name) && LOGINS.is_sorted());
        assert_eq!(accounts(b"sshd"), ["_sshd", "sshd"]);
        assert!(accounts(b"true").is_empty() && !is_login(b"true") && is_login(b"su"));
    }
}
