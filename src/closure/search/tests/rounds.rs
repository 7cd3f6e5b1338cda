//! Requests that come in rounds, as when kept files imply others.

use super::*;
use crate::closure::search::collect::Collector;
use crate::closure::{Found, Keep};

/// Searches in rounds, and for all requests at once. Returns true if the rounds claim to have the
/// same result, which is checked.
fn in_rounds(tree: &Bytes, rounds: &[&[&str]]) -> bool {
    let requests = |texts: &[&str]| -> Vec<Request> { texts.iter().map(|text| request(text)).collect() };
    let mut search = Search::new(tree);
    let mut collector = Collector::new(search.files(), &OPTIONS);
    let mut is_as_at_once = true;
    for texts in rounds {
        is_as_at_once = collector.add(&requests(texts)).expect("memory is readable");
    }
    let (found, _) = collector.finish();
    let at_once = close(tree, &requests(&rounds.concat()), &OPTIONS).expect("memory is readable");
    let result = |closure: &Closure| {
        let missing: Vec<_> = closure.missing.iter().map(|one| (one.to_string(), one.is_harmless)).collect();
        let kept: Vec<Vec<u8>> = closure.kept.keys().cloned().collect();
        (kept, missing, closure.library_directories.clone())
    };
    assert_eq!(result(&found) == result(&at_once), is_as_at_once, "{rounds:?}");
    is_as_at_once
}

/// Plugins in a directory, and a program that loads one of them from there.
fn with_plugins() -> Bytes {
    let mut tree = guest();
    let mut file = |path: &str, build: Build| add(&mut tree, path, FileKind::Regular(build.bytes()));
    file("/opt/plugins/libp.so", Build::new().string(SONAME, "libp.so").needs("libq.so"));
    file("/opt/lib/libq.so", Build::new().string(SONAME, "libq.so"));
    file(
        "/opt/bin/host",
        Build::program().string(RUNPATH, "/opt/plugins:/opt/lib").needs("libq.so").needs("libp.so"),
    );
    file("/opt/bin/broken", Build::program().needs("libnone.so"));
    file("/opt/lib2/libr.so", Build::new().needs("liba.so.1"));
    file("/opt/musl", Build { interpreter: Some("/lib/ld-musl-x86_64.so.1".to_owned()), ..Build::new() });
    file("/usr/lib/ld-musl-x86_64.so.1", Build::new());
    tree
}

#[test]
fn rounds_add_to_each_other() {
    let tree = with_plugins();
    assert!(in_rounds(&tree, &[&["/bin/sh"], &["/opt/lib2"], &["/etc/motd", "/usr/lib/libunused.so"]]));
    assert!(in_rounds(&tree, &[&["/opt/bin/broken"], &["/bin/sh"]]));
    assert!(in_rounds(&tree, &[&["/opt/bin/host"], &["/opt/plugins"], &["/opt/bin/host"]]));
}

#[test]
fn a_round_that_makes_an_earlier_one_wrong_is_noticed() {
    let tree = with_plugins();
    // The needs of a plugin are met by a program that loads it.
    assert!(!in_rounds(&tree, &[&["/opt/plugins"], &["/opt/bin/host"]]));
    // What was harmless as a part is missing for a program that is named.
    assert!(!in_rounds(&tree, &[&["/opt/bin/**"], &["/opt/bin/broken"]]));
}

#[test]
fn a_dynamic_linker_of_a_later_round_is_noticed() {
    let tree = with_plugins();
    let mut search = Search::new(&tree);
    let mut collector = Collector::new(search.files(), &OPTIONS);
    assert!(collector.add(&[request("/bin/sh")]).expect("memory is readable"));
    assert!(collector.add(&[request("/opt/lib/libq.so")]).expect("memory is readable"));
    assert!(!collector.add(&[request("/opt/musl")]).expect("memory is readable"));
    // A single search of everything is what it claims to be.
    let mut collector = collector.restarted();
    assert!(collector.add(&["/bin/sh", "/opt/musl"].map(request)).expect("memory is readable"));
    assert!(collector.closure().kept.contains_key(&b"/opt/musl"[..]));
}

#[test]
fn what_a_program_is_known_to_start_is_not_harmless() {
    let mut tree = guest();
    let mut file = |path: &str, build: Build| add(&mut tree, path, FileKind::Regular(build.bytes()));
    file("/usr/sbin/sshd", Build::program());
    file("/usr/lib/openssh/sshd-session", Build::program().needs("libabsent.so"));
    let harmless = |requests: &[&str]| -> Vec<bool> {
        let keep = Keep::paths(requests.iter().map(|text| request(text)).collect());
        let found = Found::new(&tree, &keep, None, false).expect("memory is readable");
        found.closure.missing.iter().map(|one| one.is_harmless).collect()
    };
    assert_eq!(harmless(&["/usr/lib/openssh"]), [true]);
    assert_eq!(harmless(&["/usr/lib/openssh", "/usr/sbin/sshd"]), [false]);
}

#[test]
fn plain_programs_load_what_a_process_does() {
    // A search path that leads nowhere makes a program one that is searched in a process of its own.
    let closure_of = |plain: bool| {
        let mut tree = guest();
        let mut file = |path: &str, build: Build| {
            let build = if plain { build } else { build.string(RUNPATH, "/nowhere") };
            add(&mut tree, path, FileKind::Regular(build.bytes()));
        };
        let library = |name: &str| Build::new().string(SONAME, name);
        file("/bin2/one", Build::program().needs("libx.so").needs("liby.so").needs("ld.so"));
        file("/bin2/two", Build::program().needs("liby.so").needs("libunused.so"));
        file("/bin2/three", Build::program().needs("libother.so").needs("libx.so"));
        file("/bin2/four", Build::program().needs("libw.so"));
        file("/usr/lib/libx.so", library("libx.so").needs("liby.so").needs("liba.so.1"));
        file("/usr/lib/liby.so", library("liby.so").needs("libx.so").needs("ld.so"));
        // Found by a name that is not its own, and that of a library which nothing loads then.
        file("/usr/lib/libother.so", library("libz.so").needs("libz.so"));
        file("/usr/lib/libz.so", library("libz.so"));
        file("/usr/lib/libw.so", library("libw.so").needs("libgone.so"));
        let mut closure = closure(&tree, &["/bin2"]);
        let missing: Vec<Vec<u8>> = closure.missing.drain(..).map(|one| one.name).collect();
        // Links on the path to a library are kept for the names that are searched, which depend on
        // what is loaded.
        closure.kept.values_mut().for_each(|reasons| reasons.retain(|reason| reason.kind != Kind::Symlink));
        (closure.kept, missing)
    };
    let (plain, process) = (closure_of(true), closure_of(false));
    assert_eq!(plain, process);
    assert_eq!(plain.1, [b"libgone.so"]);
    let by: Vec<Option<&[u8]>> =
        plain.0[&b"/usr/lib/liby.so"[..]].iter().map(|reason| reason.by.as_deref()).collect();
    assert_eq!(by, [Some(&b"/bin2/one"[..]), Some(b"/bin2/two"), Some(b"/usr/lib/libx.so")]);
}
