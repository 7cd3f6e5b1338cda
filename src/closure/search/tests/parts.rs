//! Missing files that only parts of kept directories and packages need.

use super::*;

/// Returns the missing files as sentences: those that are not harmless, and those that are.
fn missing(tree: &Bytes, requests: &[Request]) -> (Vec<String>, Vec<String>) {
    let closure = close(tree, requests, &OPTIONS).expect("memory is readable");
    let (harmless, others): (Vec<_>, Vec<_>) = closure.missing.iter().partition(|one| one.is_harmless);
    let texts = |all: Vec<&crate::closure::Missing>| all.iter().map(|one| one.to_string()).collect();
    (texts(others), texts(harmless))
}

/// Adds a directory of programs, libraries and scripts whose needs are missing.
fn with_parts() -> Bytes {
    let mut tree = guest();
    let mut file = |path: &str, build: Build| add(&mut tree, path, FileKind::Regular(build.bytes()));
    file("/opt/plugins/plugin.so", Build::new().needs("libgone.so"));
    file("/opt/plugins/program", Build::program().needs("libnone.so"));
    add(&mut tree, "/opt/plugins/script", FileKind::Regular(b"#!/usr/bin/env gone\n".to_vec()));
    tree
}

const ENV: &str = "/usr/bin/env, needed by /opt/plugins/script: it does not exist";
const GONE: &str = "gone, needed by /opt/plugins/script: it is not in any of /usr/local/sbin, /usr/local/bin, /usr/sbin, \
    /usr/bin, /sbin, /bin";
const LIBGONE: &str = "libgone.so, needed by /opt/plugins/plugin.so: it is not in any of /lib, /usr/lib";
const LIBNONE: &str = "libnone.so, needed by /opt/plugins/program: it is not in any of /lib, /usr/lib";

#[test]
fn the_needs_of_parts_are_harmless_until_one_is_named() {
    let tree = with_parts();
    let all = [LIBNONE, ENV, GONE, LIBGONE].map(str::to_owned);
    for whole in ["/opt/plugins", "/opt", "/opt/**"] {
        assert_eq!(missing(&tree, &[request(whole)]), (Vec::new(), all.clone().into()), "{whole}");
    }
    for named in ["/opt/plugins/program", "/opt/plugins/prog*"] {
        let (fatal, harmless) = missing(&tree, &[request("/opt"), request(named)]);
        assert_eq!(fatal, [LIBNONE], "{named}");
        assert_eq!(harmless, [ENV, GONE, LIBGONE], "{named}");
    }
    // The library is a part, and is needed by a program that is named.
    let mut tree = with_parts();
    let program = Build::program().string(RUNPATH, "/opt/plugins").needs("plugin.so");
    add(&mut tree, "/bin2/program", FileKind::Regular(program.bytes()));
    let (fatal, _) = missing(&tree, &[request("/opt"), request("/bin2/program")]);
    let chain = "libgone.so, needed by /opt/plugins/plugin.so, needed by /bin2/program: it is not in any of /lib, /usr/lib";
    assert_eq!(fatal, [chain]);
}

#[test]
fn the_files_of_a_package_are_parts() {
    let tree = with_parts();
    let part = |path: &str| Request::Member { path: path.into(), origin: b"package p".to_vec() };
    let all = [part("/opt/plugins"), part("/opt/plugins/program"), part("/opt/plugins/plugin.so")];
    let (fatal, harmless) = missing(&tree, &all);
    assert_eq!((fatal, harmless), (Vec::new(), vec![LIBNONE.to_owned(), LIBGONE.to_owned()]));
}

#[test]
fn a_plugin_finds_what_a_kept_program_has_loaded() {
    let mut tree = with_parts();
    let mut file = |path: &str, build: Build| add(&mut tree, path, FileKind::Regular(build.bytes()));
    file("/opt/lib/libgone.so", Build::new().string(SONAME, "libgone.so"));
    file("/host", Build::program().string(RUNPATH, "/opt/lib").needs("libgone.so"));
    let plugin = request("/opt/plugins/plugin.so");
    let (fatal, _) = missing(&tree, std::slice::from_ref(&plugin));
    assert_eq!(fatal, [LIBGONE]);
    let closure = close(&tree, &[plugin, request("/host")], &OPTIONS).expect("memory is readable");
    assert_eq!(closure.missing, Vec::new());
    let reasons = &closure.kept[&b"/opt/lib/libgone.so"[..]];
    let by = |path: &[u8]| reasons.iter().any(|reason| reason.by.as_deref() == Some(path));
    assert!(by(b"/host") && by(b"/opt/plugins/plugin.so"), "{reasons:?}");
}

#[test]
fn messages_name_the_link_that_leads_nowhere_and_every_directory() {
    let tree = tree(&[
        ("/a", "-> /gone/b"),
        ("/script", "#!/bin/none\n"),
        ("/bin/sh", "-> dash"),
        ("/env", "#!/usr/bin/env sh\n"),
        ("/usr/bin/env", ""),
    ]);
    let said = |path: &str| missing(&tree, &[request(path)]).0;
    assert_eq!(said("/a"), ["/a: the link /a points to /gone/b, which does not exist"]);
    assert_eq!(said("/script"), ["/bin/none, needed by /script: it does not exist"]);
    let directories = "/usr/local/sbin, /usr/local/bin, /usr/sbin, /usr/bin, /sbin, /bin";
    let link = "the link /bin/sh points to dash, which does not exist";
    assert_eq!(said("/env"), [format!("sh, needed by /env: it is not in any of {directories}; {link}")]);
}
