//! The generators on a small tree.

use image_tree::{Inode, Kind, Metadata, Timestamp, Tree};
use rootcast::blob::Blob;
use rootcast::transform::configure::{self, Generators, Options};

use crate::{Choices, Outcome};

/// The separator between the files of one input.
const BETWEEN: u8 = 0xff;

/// The paths of the files of an input.
const FILES: [&str; 14] = [
    "/usr/lib/sysusers.d/a.conf",
    "/usr/lib/tmpfiles.d/a.conf",
    "/usr/lib/systemd/system-preset/a.preset",
    "/usr/lib/systemd/system/a.service",
    "/usr/lib/systemd/system/t@.service",
    "/var/lib/dpkg/info/p.postinst",
    "/var/lib/dpkg/alternatives/awk",
    "/etc/passwd",
    "/etc/group",
    "/usr/share/pam-configs/a",
    "/usr/share/pam/common-auth",
    "/usr/share/ca-certificates/a.crt",
    "/var/lib/dpkg/statoverride",
    "/etc/login.defs",
];

/// Runs generators, and checks the paths and modes of the result.
pub fn check(text: &[u8]) -> Outcome {
    let mut tree = Tree::new(Metadata::new(0o755));
    let mut parts = text.split(|byte| *byte == BETWEEN).chain(std::iter::repeat(&b""[..]));
    for path in FILES {
        let kind = Kind::Regular(Blob::from(parts.next().unwrap_or_default().to_vec()));
        let metadata = Metadata::new(0o644);
        let inode = Inode { metadata: metadata.clone(), kind };
        tree.insert_path(path.as_bytes(), inode, &Metadata::new(0o755)).expect("it is new");
    }
    let names = "accounts,templates,alternatives,presets,tmpfiles,ca-certificates,pam,shells";
    let generators = Generators::parse(names).expect("a set");
    let options = Options { generators: &generators, time: Timestamp::from_seconds(864_005) };
    let Ok(made) = configure::apply(&mut tree, &options) else { return Outcome::Refused };
    assert!(made.iter().all(|made| made.paths.iter().all(|path| path.starts_with('/'))));
    for step in tree.walk() {
        assert!(tree.get(step.id).metadata.mode <= 0o7777);
    }
    if made.iter().any(|made| !made.paths.is_empty()) { Outcome::Checked } else { Outcome::Refused }
}

/// Creates the files that generators read.
#[must_use]
pub fn text(bytes: &[u8]) -> Vec<u8> {
    const LINES: [&str; 30] = [
        "u ann -",
        "u bob 5:5 \"A b\" /home /bin/sh",
        "g adm 4",
        "m ann adm",
        "r - 500-510",
        "d /a/b 2755 root adm - -",
        "f+ /a/f ~0640 :ann - - x\\n%%",
        "a+ /a - - - - d:u:5:rwx,g:adm:r-x",
        "L+ /a - - - - ../x",
        "C /etc/x - - - - /usr/lib",
        "Z /* :0710",
        "w+ /etc/* - - - - y",
        "enable a.service",
        "enable t@.service x y",
        "disable *",
        "[Install]",
        "WantedBy=b.target t@i.service",
        "Alias=c.service",
        "Also=t@z.service a.service",
        "DefaultInstance=d",
        "update-alternatives --install /usr/bin/awk awk /etc/passwd 5 --slave /usr/bin/n n /etc/group",
        "auto\n/usr/bin/awk\n\n/etc/passwd\n1\n\n",
        "root:x:0:0::/:/bin/sh",
        "adm:x:4:ann",
        "Default: yes\nPriority: 5\nAuth-Type: Primary\nAuth:\n\t[success=end] pam_a.so x",
        "# here are the per-package modules (the \"Primary\" block)\n# here's the fallback if no module succeeds",
        "# and here are more per-package modules (the \"Additional\" block)\n# end of pam-auth-update config",
        "-----BEGIN CERTIFICATE-----\nMAUwAzABMAA=\n-----END CERTIFICATE-----",
        "root adm 2750 /usr",
        "SYS_UID_MAX 20",
    ];
    let mut choices = Choices::new(bytes);
    let mut text = Vec::new();
    for _ in 0..80 {
        if choices.is_empty() {
            break;
        }
        text.extend(choices.one_of(&LINES).bytes());
        if choices.wrong() {
            text.extend(choices.bytes(4));
        }
        text.push(if choices.rarely(4) { BETWEEN } else { b'\n' });
    }
    text
}
