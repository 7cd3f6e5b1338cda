//! The files of a PAM service are those that libpam opens.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::judges;
use crate::product::{Scratch, run};
use rootcast::closure::config::pam;
use rootcast::closure::dependency::Target;
use rootcast::closure::testing;

/// The service files. Each module is named once, so that a line that is read by mistake is seen.
const SERVICES: [(&str, &str); 7] = [
    (
        "service",
        "AUTH Required pam_permit.so\nauth INCLUDE included\naccount SubStack sub\n@include all\n@INCLUDE upper\n\
         -session optional pam_absent.so\nsession [success=1 \\\n  default=ignore] pam_limits.so \\\n conf=/x\n\
         weird required pam_time.so\nauth bogus pam_group.so\nauth required pam_env.so \\  \n envfile=/y\n\
         session required pam_mail.so # comment \\\nsession required pam_motd.so\nauth sufficient\n\
         session include ../gone\nsession required /lib/../MODULES/pam_loginuid.so\n",
    ),
    ("included", "auth required pam_unix.so\nsession required pam_umask.so\n@include nested\n"),
    ("nested", "auth required pam_rhosts.so\nsession required pam_xauth.so\n"),
    ("sub", "account required pam_nologin.so\nauth required pam_securetty.so\n"),
    ("all", "auth required pam_shells.so\n"),
    ("upper", "auth required pam_ftp.so\n"),
    ("other", "auth required pam_listfile.so\naccount include sub\n"),
];

/// Starts a transaction with libpam, which loads every module of the service.
const START: &str = "
import ctypes, sys
pam = ctypes.CDLL('libpam.so.0')
class Conversation(ctypes.Structure):
    _fields_ = [('function', ctypes.c_void_p), ('data', ctypes.c_void_p)]
handle, conversation = ctypes.c_void_p(), Conversation()
assert pam.pam_start(b'service', b'root', ctypes.byref(conversation), ctypes.byref(handle)) == 0
";

/// Mounts the directory `$1` over /etc/pam.d, for this process alone, then runs the rest.
const WITH_SERVICES: &str = r#"mount --bind "$1" /etc/pam.d && shift && exec "$@""#;

/// Returns the directory of this machine's modules.
fn modules() -> Option<String> {
    let found = ["/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let found = found.iter().find(|path| Path::new(path).join("security/pam_unix.so").exists());
    if found.is_none() {
        judges::skip("libpam", "there are no modules of PAM");
    }
    found.map(|path| (*path).to_owned())
}

#[test]
fn services_and_modules_are_those_that_libpam_opens() {
    let (Some(libraries), true) = (modules(), judges::may_mount()) else { return };
    let (Some(mut unshare), Some(python)) = (judges::command("unshare"), judges::locate("python3")) else {
        return;
    };
    let Some(strace) = judges::locate("strace") else { return judges::skip("strace", "it is not installed") };
    let scratch = Scratch::new();
    let (directory, trace) = (scratch.join("pam.d"), scratch.join("trace"));
    fs::create_dir(&directory).unwrap();
    let services = SERVICES
        .map(|(name, text)| (name, text.replace("MODULES", &format!("{}/security", &libraries[1..]))));
    let services = services.map(|(name, text)| (name, text.replace("/lib/../lib/", "/lib/")));
    for (name, text) in &services {
        fs::write(directory.join(name), text).unwrap();
    }
    unshare.args(["--mount", "sh", "-c", WITH_SERVICES, "sh"]).arg(&directory).arg(strace);
    unshare.args(["-f", "-e", "trace=openat", "-o"]).arg(&trace).arg(python).args(["-c", START]);
    run(&mut unshare).success().unwrap_or_else(|why| panic!("{why}"));
    let trace = fs::read_to_string(trace).unwrap();
    let opened = trace.lines().filter(|line| !line.contains("= -1"));
    let opened = opened.filter_map(|line| line.split('"').nth(1));
    let is_of_pam = |path: &&str| path.starts_with("/etc/pam.d/") || path.contains("/security/pam_");
    let opened: BTreeSet<String> = opened.filter(is_of_pam).map(str::to_owned).collect();

    let paths = services.each_ref().map(|(name, text)| (format!("/etc/pam.d/{name}"), &text[..]));
    let tree = testing::tree(&paths.each_ref().map(|(path, text)| (&path[..], *text)));
    let found = pam::dependencies(&tree, b"service", &[libraries.clone().into_bytes()]).unwrap();
    let ours = found.known.iter().filter_map(|dependency| match &dependency.target {
        Target::File(paths) => Some(String::from_utf8(paths[0].clone()).unwrap()),
        _ => None,
    });
    let ours: BTreeSet<String> = ours.filter(|path| is_of_pam(&&path[..])).collect();
    let absent = format!("{libraries}/security/pam_absent.so");
    assert!(ours.contains(&absent));
    assert_eq!(ours.into_iter().filter(|path| *path != absent).collect::<BTreeSet<_>>(), opened);
    // Every line that counts was read.
    assert_eq!(opened.len(), SERVICES.len() + 13, "{opened:?}");
}
