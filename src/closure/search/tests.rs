mod parts;
mod rounds;

use image_tree::{Kind as FileKind, LinkTarget, Tree};

use super::*;
use crate::closure::testing::build::{Build, FILTER, RPATH, RUNPATH, SONAME};
use crate::closure::testing::{add, tree};
use crate::closure::{Error, Hwcaps, Kind, config::dlopen, dependency, explain, keep};

type Bytes = Tree<Vec<u8>>;

const OPTIONS: Options<'static> =
    Options { hwcaps: Hwcaps::All, dlopen: None, pool: None, library_paths: &[], before_proc: false };

/// A tree with merged `/usr` and a program that needs two libraries, one of them through a link.
fn guest() -> Bytes {
    let mut tree = tree(&[
        ("/lib", "-> usr/lib"),
        ("/lib64", "-> usr/lib64"),
        ("/bin", "-> usr/bin"),
        ("/usr/bin/sh", "-> dash"),
        ("/usr/lib/liba.so.1", "-> liba.so.1.2"),
        ("/usr/lib64/ld-linux-x86-64.so.2", "-> ../lib/ld.so"),
        ("/usr/share/doc/dash", "text"),
        ("/etc/motd", "-> /run/motd"),
    ]);
    let mut file = |path: &str, build: Build| add(&mut tree, path, FileKind::Regular(build.bytes()));
    file("/usr/bin/dash", Build::program().needs("liba.so.1"));
    file("/usr/lib/liba.so.1.2", Build::new().string(SONAME, "liba.so.1").needs("libb.so").needs("ld.so"));
    file("/usr/lib/libb.so", Build::new().string(SONAME, "libb.so").needs("liba.so.1"));
    file("/usr/lib/libunused.so", Build::new());
    // The dynamic linker contains its default directories as text, as a real one does.
    let mut linker = Build::new().string(SONAME, "ld.so").bytes();
    linker.extend(b"\0/lib/\0/usr/lib/\0\0");
    add(&mut tree, "/usr/lib/ld.so", FileKind::Regular(linker));
    tree
}

fn request(text: &str) -> Request {
    Request::parse(text.as_bytes()).expect("a path or a pattern")
}

fn closure(tree: &Bytes, requests: &[&str]) -> Closure {
    let requests: Vec<Request> = requests.iter().map(|text| request(text)).collect();
    close(tree, &requests, &OPTIONS).expect("memory is readable")
}

fn names(tree: &Bytes) -> Vec<String> {
    let mut names = Vec::new();
    let mut walk = tree.walk();
    while walk.next().is_some() {
        let mut path = Vec::new();
        walk.write_path(&mut path);
        names.push(String::from_utf8(path).expect("text"));
    }
    names
}

#[test]
fn links_and_directories_on_paths_are_kept() {
    let tree = guest();
    let closure = closure(&tree, &["/bin/sh"]);
    assert_eq!((&closure.missing, &closure.warnings), (&Vec::new(), &Vec::new()));
    let kept = keep(tree, &closure);
    assert_eq!(
        names(&kept),
        [
            "/",
            "/bin",
            "/lib",
            "/lib64",
            "/usr",
            "/usr/bin",
            "/usr/bin/dash",
            "/usr/bin/sh",
            "/usr/lib",
            "/usr/lib/ld.so",
            "/usr/lib/liba.so.1",
            "/usr/lib/liba.so.1.2",
            "/usr/lib/libb.so",
            "/usr/lib64",
            "/usr/lib64/ld-linux-x86-64.so.2",
        ]
    );
    // The kept part is closed under its dependencies.
    let again = close(&kept, &[request("/bin/sh")], &OPTIONS).expect("memory is readable");
    assert_eq!((again.kept, again.missing), (closure.kept, Vec::new()));
}

#[test]
fn reasons_lead_to_the_request() {
    let closure = closure(&guest(), &["/bin/sh"]);
    let reasons = |path: &str| -> Vec<Vec<String>> {
        let chains = explain::chains(&closure, path.as_bytes());
        chains.iter().map(|chain| chain.iter().map(ToString::to_string).collect()).collect()
    };
    assert_eq!(
        reasons("/usr/lib/libb.so"),
        [[
            "needed library libb.so of /usr/lib/liba.so.1.2",
            "needed library liba.so.1 of /usr/bin/dash",
            "requested by /bin/sh"
        ]]
    );
    assert_eq!(reasons("/bin"), [["symbolic link on the path to /bin/sh, which was requested"]]);
}

#[test]
fn the_closure_does_not_depend_on_the_number_of_threads() {
    let tree = guest();
    let requests = [request("/"), request("/bin/sh")];
    let one = close(&tree, &requests, &OPTIONS).expect("memory is readable");
    for threads in [2, 3, 16] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can start");
        assert_eq!(
            close(&tree, &requests, &Options { pool: Some(&pool), ..OPTIONS }).expect("readable"),
            one
        );
    }
}

#[test]
fn requested_directories_and_globs_are_kept() {
    let tree = guest();
    let everything = keep(tree.clone(), &closure(&tree, &["/"]));
    assert_eq!(everything, tree.clone().compact().0);
    let kept = names(&keep(tree.clone(), &closure(&tree, &["/usr/share", "/etc/*"])));
    assert_eq!(
        kept,
        ["/", "/etc", "/etc/motd", "/usr", "/usr/share", "/usr/share/doc", "/usr/share/doc/dash"]
    );
    // A link in a directory that is kept brings in its target; a target directory is kept without
    // its content.
    let mut linked = guest();
    for (name, target) in [("a", "/usr/lib/libunused.so"), ("b", "/usr/share"), ("c", "/gone")] {
        let target = LinkTarget::new(target).expect("it is short");
        add(&mut linked, &format!("/links/{name}"), FileKind::Symlink(target));
    }
    let kept = names(&keep(linked.clone(), &closure(&linked, &["/links"])));
    let expected = "/ /links /links/a /links/b /links/c /usr /usr/lib /usr/lib/libunused.so /usr/share";
    assert_eq!(kept.join(" "), expected);
    let none = closure(&tree, &["/opt/*", "/none", "/etc/motd"]);
    let missing: Vec<String> = none.missing.iter().map(ToString::to_string).collect();
    assert_eq!(
        missing,
        [
            "/opt/*: no file of the tree matches",
            "/none: it does not exist",
            "/etc/motd: the link /etc/motd points to /run/motd, which does not exist"
        ]
    );
    let error = none.refuse_missing().expect_err("something is missing");
    assert!(matches!(error, Error::Missing(_)), "{error:?}");
}

#[test]
fn a_missing_file_is_reported_with_its_requester() {
    let mut tree = guest();
    let usr_lib = tree.resolve_no_symlinks(b"/usr/lib").expect("it is there");
    tree.remove(usr_lib, b"libb.so");
    add(&mut tree, "/usr/lib/libc.so", FileKind::Regular(Build::new().needs("libc.so.6").bytes()));
    let closure = closure(&tree, &["/bin/sh"]);
    assert_eq!(
        closure.missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "libb.so, needed by /usr/lib/liba.so.1.2, needed by /usr/bin/dash: it is not in any of /lib, /usr/lib"
        ]
    );
}

#[test]
fn a_library_that_a_program_loads_is_not_examined_alone() {
    let mut tree = guest();
    let mut file = |path: &str, build: Build| add(&mut tree, path, FileKind::Regular(build.bytes()));
    file("/opt/libp.so", Build::new().string(SONAME, "libp.so").needs("libq.so"));
    file("/opt/libq.so", Build::new().string(SONAME, "libq.so"));
    assert_eq!(closure(&tree, &["/opt"]).missing.len(), 1);
    let program = Build::program().string(RUNPATH, "/opt").needs("libq.so").needs("libp.so");
    add(&mut tree, "/usr/bin/program", FileKind::Regular(program.bytes()));
    assert_eq!(closure(&tree, &["/opt", "/usr/bin/program"]).missing, []);
}

#[test]
fn dependencies_of_the_dynamic_linker_are_attributed_to_the_program() {
    // A library alone does not keep the dynamic linker, so the dynamic linker is not a reason for
    // anything.
    let mut tree = tree(&[("/lib64/ld-linux-x86-64.so.2", "-> /lib/ld.so")]);
    let mut linker = Build::new().needs("libneeded.so").bytes();
    linker.extend(b"\0/lib/\0\0");
    add(&mut tree, "/lib/ld.so", FileKind::Regular(linker));
    add(&mut tree, "/lib/libneeded.so", FileKind::Regular(Build::new().bytes()));
    add(&mut tree, "/lib/liba.so", FileKind::Regular(Build::new().needs("libneeded.so").bytes()));
    let closure = closure(&tree, &["/lib/liba.so"]);
    assert!(!closure.kept.contains_key(&b"/lib/ld.so"[..]));
    for path in closure.kept.keys() {
        assert!(!explain::chains(&closure, path).is_empty(), "{}", path.escape_ascii());
    }
}

#[test]
fn interpreters_of_scripts_are_kept() {
    let mut tree = guest();
    let mut script =
        |path: &str, text: &str| add(&mut tree, path, FileKind::Regular(text.as_bytes().to_vec()));
    script("/script", "#!/usr/bin/env -S second -x\n");
    script("/usr/bin/second", "#! /bin/sh\n");
    script("/usr/bin/env", "text");
    script("/lost", "#!/opt/none\n");
    for number in 0..7 {
        script(&format!("/deep{number}"), &format!("#!/deep{}\n", number + 1));
    }
    script("/deep7", "");
    let found = closure(&tree, &["/script"]);
    assert_eq!(found.missing, []);
    for path in ["/usr/bin/second", "/usr/bin/env", "/usr/bin/dash", "/bin", "/usr/lib/libb.so"] {
        assert!(found.kept.contains_key(path.as_bytes()), "{path}");
    }
    let missing = |tree: &Bytes, path: &str| {
        closure(tree, &[path]).missing.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(missing(&tree, "/lost"), ["/opt/none, needed by /lost: it does not exist"]);
    // The kernel allows a chain of five scripts before the program: 2 to 6 here, but not 1 to 6.
    assert_eq!(missing(&tree, "/deep2"), [""; 0]);
    assert_eq!(missing(&tree, "/deep1").len(), 1);
    // A file that is not executable cannot be started.
    let lost = tree.resolve_no_symlinks(b"/lost").expect("it is there");
    tree.metadata_mut(lost).mode = 0o644;
    assert_eq!(closure(&tree, &["/lost"]).missing, []);
}

#[test]
fn libraries_opened_at_run_time_are_kept_by_policy() {
    let mut tree = guest();
    let json = br#"[{"soname":["libgone.so","libb.so"],"feature":"f","priority":"recommended"}]"#;
    let mut note =
        [4_u32, u32::try_from(json.len()).expect("short") + 1, 0x407c_0c0a].map(u32::to_le_bytes).concat();
    note.extend(b"FDO\0");
    note.extend(json);
    note.push(0);
    note.resize(note.len().next_multiple_of(4), 0);
    let program = Build { notes: note, ..Build::program() };
    add(&mut tree, "/noted", FileKind::Regular(program.bytes()));
    let close_with = |dlopen, requests: &[Request]| {
        close(&tree, requests, &Options { dlopen, ..OPTIONS }).expect("memory is readable")
    };
    let libb = &b"/usr/lib/libb.so"[..];
    assert!(!close_with(None, &[request("/noted")]).kept.contains_key(libb));
    let taken = close_with(Some(dlopen::Policy::default()), &[request("/noted")]);
    assert_eq!((&taken.missing, &taken.warnings), (&Vec::new(), &Vec::new()));
    let kinds: Vec<Kind> = taken.kept[libb].iter().map(|reason| reason.kind).collect();
    assert_eq!(kinds, [Kind::Needed, Kind::Dlopen]);
    // Its own dependencies are kept too.
    assert!(taken.kept.contains_key(&b"/usr/lib/liba.so.1.2"[..]));

    // A configured library may be opened by any program.
    let target = dependency::Target::Library(vec![b"libb.so".to_vec()]);
    let dependency = dependency::Dependency {
        target,
        kind: Kind::Dlopen,
        required: true,
        reason: "is a service".to_owned(),
        by: None,
    };
    let opened = close_with(None, &[request("/noted"), Request::Dependency(dependency.clone())]);
    assert!(opened.kept.contains_key(libb) && opened.missing.is_empty());
    // A mandatory library is reported if no program could open it, and if it does not exist.
    let alone = close_with(None, &[Request::Dependency(dependency.clone())]);
    assert_eq!((alone.missing.len(), alone.kept.len()), (1, 0));
    let gone = dependency::Target::Library(vec![b"libgone.so".to_vec()]);
    let gone = dependency::Dependency { target: gone, ..dependency };
    let missed =
        |dependency| close_with(None, &[request("/noted"), Request::Dependency(dependency)]).missing.len();
    assert_eq!((missed(gone.clone()), missed(dependency::Dependency { required: false, ..gone })), (1, 0));
}

#[test]
fn a_search_of_millions_of_directories_exceeds_the_limit() {
    let mut tree = guest();
    let path: Vec<String> = (0..1000).map(|number| format!("/none/{number}")).collect();
    let hostile = (0..1000).fold(Build::program().string(RUNPATH, &path.join(":")), |build, number| {
        build.needs(&format!("lib{number}.so"))
    });
    let bytes = hostile.bytes();
    for number in 0..500 {
        add(&mut tree, &format!("/bin2/p{number}"), FileKind::Regular(bytes.clone()));
    }
    let error =
        close(&tree, &[request("/bin2")], &OPTIONS).expect_err("half a billion directories to look into");
    assert!(error.to_string().contains("made to take long"), "{error}");
}

#[test]
fn search_paths_that_are_too_long_are_reported() {
    let mut tree = guest();
    let many: Vec<String> = (0..1025).map(|number| format!("/none/{number}")).collect();
    // Each expansion of $ORIGIN has this length.
    let deep = format!("/{}", "d".repeat(250)).repeat(8);
    let program = |path: &str| Build::program().string(RUNPATH, path).needs("libb.so").bytes();
    add(&mut tree, "/many", FileKind::Regular(program(&many.join(":"))));
    add(&mut tree, &format!("{deep}/long"), FileKind::Regular(program(&"$ORIGIN".repeat(9))));
    let musl = Build { interpreter: Some("/lib/ld-musl-x86_64.so.1".to_owned()), ..Build::new() };
    let musl = musl.string(RUNPATH, &"$ORIGIN".repeat(34)).needs("libb.so").bytes();
    add(&mut tree, &format!("{deep}/musl"), FileKind::Regular(musl));
    add(&mut tree, "/usr/lib/ld-musl-x86_64.so.1", FileKind::Regular(Build::new().bytes()));
    let warnings = |path: &str| closure(&tree, &[path]).warnings.join("\n");
    assert_eq!(warnings("/many"), "/many: only the first 1024 directories of its search path are searched");
    let expected = "/long: a search path is longer than 16384 bytes and is skipped";
    assert!(warnings(&format!("{deep}/long")).ends_with(expected));
    let expected = "/musl: its search path is longer than 65536 bytes and is skipped";
    assert!(warnings(&format!("{deep}/musl")).ends_with(expected));
}

#[test]
fn musl_prefers_runpath_to_rpath() {
    let mut tree = tree(&[]);
    let mut file = |path: &str, build: Build| add(&mut tree, path, FileKind::Regular(build.bytes()));
    let musl = Build { interpreter: Some("/lib/ld-musl-x86_64.so.1".to_owned()), ..Build::new() };
    file("/program", musl.string(RPATH, "/rpath").string(RUNPATH, "/runpath").needs("liba.so"));
    file("/lib/ld-musl-x86_64.so.1", Build::new());
    file("/rpath/liba.so", Build::new());
    file("/runpath/liba.so", Build::new());
    let kept = closure(&tree, &["/program"]).kept;
    assert!(kept.contains_key(&b"/runpath/liba.so"[..]) && !kept.contains_key(&b"/rpath/liba.so"[..]));
}

#[test]
fn musl_ignores_filters() {
    let mut tree = guest();
    let mut file = |path: &str, build: Build| add(&mut tree, path, FileKind::Regular(build.bytes()));
    file("/glibc", Build::program().string(FILTER, "gone.so"));
    let interpreter = Some("/lib/ld-musl-x86_64.so.1".to_owned());
    file("/musl", Build { interpreter, ..Build::new() }.string(FILTER, "gone.so"));
    file("/usr/lib/ld-musl-x86_64.so.1", Build::new());
    assert_eq!(closure(&tree, &["/glibc"]).missing.len(), 1);
    assert_eq!(closure(&tree, &["/musl"]).missing, []);
}

#[test]
fn a_variant_that_is_loaded_by_another_name_satisfies_the_dependency() {
    let mut tree = guest();
    add(
        &mut tree,
        "/b/glibc-hwcaps/x86-64-v3/libw.so",
        FileKind::Symlink(LinkTarget::new("libz.so").expect("it is short")),
    );
    let mut file = |path: &str, build: Build| add(&mut tree, path, FileKind::Regular(build.bytes()));
    let program = Build::program().string(RUNPATH, "/b");
    file("/program", program.needs("libz.so").needs("libq.so").needs("libr.so"));
    file("/b/libz.so", Build::new());
    file("/b/glibc-hwcaps/x86-64-v3/libz.so", Build::new());
    file("/b/libq.so", Build::new().string(RUNPATH, "/b/glibc-hwcaps/x86-64-v3").needs("libw.so"));
    file("/b/libr.so", Build::new().string(RUNPATH, "/c").needs("libw.so"));
    file("/c/libw.so", Build::new());
    let found = closure(&tree, &["/program"]);
    assert_eq!(found.missing, []);
    assert!(found.kept.contains_key(&b"/b/glibc-hwcaps/x86-64-v3/libw.so"[..]));
    assert!(!found.kept.contains_key(&b"/c/libw.so"[..]), "it is loaded already");
}

#[test]
fn a_library_is_examined_with_its_own_dynamic_linker() {
    let mut musl = guest();
    let mut file = |path: &str, build: Build| add(&mut musl, path, FileKind::Regular(build.bytes()));
    file("/usr/lib/ld-musl-x86_64.so.1", Build::new());
    // Only musl searches this directory.
    file("/usr/local/lib/libfoo.so", Build::new());
    file("/opt/a.so", Build::new().needs("libc.so").needs("libfoo.so"));
    let found = closure(&musl, &["/opt/a.so"]);
    assert_eq!(found.missing, []);
    assert!(found.kept.contains_key(&b"/usr/local/lib/libfoo.so"[..]));

    // ARM's dynamic linker has two possible paths, of which the first belongs to another machine
    // here.
    let mut arm = tree(&[]);
    let of_arm = || Build::new().machine(false, false, 40);
    let mut linker = of_arm().bytes();
    linker.extend(b"\0/lib/\0\0");
    add(&mut arm, "/lib/ld-linux.so.3", FileKind::Regular(linker));
    let mut file = |path: &str, build: Build| add(&mut arm, path, FileKind::Regular(build.bytes()));
    file("/lib/ld-linux-armhf.so.3", Build::new());
    file("/opt/a.so", of_arm().needs("libb.so"));
    // ARM has OSABI values of its own, which end the search of any other dynamic linker.
    let mut library = of_arm().bytes();
    library[7] = 97;
    add(&mut arm, "/lib/libb.so", FileKind::Regular(library));
    assert_eq!(closure(&arm, &["/opt/a.so"]).missing, []);
}

#[test]
fn directories_of_libraries_are_listed_once() {
    let mut tree = guest();
    let interpreter = Some("/usr/lib64/ld-linux-x86-64.so.2".to_owned());
    add(&mut tree, "/other", FileKind::Regular(Build { interpreter, ..Build::new() }.bytes()));
    assert_eq!(closure(&tree, &["/bin/sh", "/other"]).library_directories, [b"/lib"]);
}

#[test]
fn a_dynamic_linker_for_another_machine_is_not_usable() {
    let mut tree = guest();
    let interpreter = Some("/usr/lib/ld-linux-aarch64.so.1".to_owned());
    add(&mut tree, "/program", FileKind::Regular(Build { interpreter, ..Build::new() }.bytes()));
    let linker = Build::new().machine(true, false, 183);
    add(&mut tree, "/usr/lib/ld-linux-aarch64.so.1", FileKind::Regular(linker.bytes()));
    let missing = closure(&tree, &["/program"]).missing;
    assert_eq!(missing.len(), 1);
    assert!(missing[0].to_string().ends_with("it is for another machine"), "{}", missing[0]);
}

#[test]
fn the_first_of_equal_variants_in_the_cache_is_kept() {
    let mut tree = guest();
    add(&mut tree, "/etc/ld.so.conf", FileKind::Regular(b"/x\n".to_vec()));
    let mut file = |path: &str, build: Build| add(&mut tree, path, FileKind::Regular(build.bytes()));
    file("/program", Build::program().needs("libv.so"));
    file("/usr/lib/libv.so", Build::new());
    for directory in ["/x", "/usr/lib"] {
        file(&format!("{directory}/glibc-hwcaps/x86-64-v3/libv.so"), Build::new());
    }
    let found = closure(&tree, &["/program"]);
    let builds: Vec<_> = found.kept.keys().filter(|path| path.ends_with(b"libv.so")).collect();
    assert_eq!(builds, [&b"/usr/lib/libv.so"[..], b"/x/glibc-hwcaps/x86-64-v3/libv.so"]);
}

#[test]
fn a_library_that_has_only_variants_is_reported() {
    let mut tree = guest();
    let mut file = |path: &str, build: Build| add(&mut tree, path, FileKind::Regular(build.bytes()));
    file("/program", Build::program().needs("libv.so"));
    file("/usr/lib/glibc-hwcaps/x86-64-v2/libv.so", Build::new());
    let found = closure(&tree, &["/program"]);
    assert_eq!(found.missing, []);
    assert_eq!(found.warnings, ["libv.so, needed by /program, exists only as a glibc-hwcaps variant"]);
    let none = Options { hwcaps: Hwcaps::None, ..OPTIONS };
    assert_eq!(close(&tree, &[request("/program")], &none).expect("readable").missing.len(), 1);
}

#[test]
fn musl_skips_links_through_files() {
    let mut tree = tree(&[("/first/liba.so", "-> /file/x"), ("/file", "text")]);
    let mut file = |path: &str, build: Build| add(&mut tree, path, FileKind::Regular(build.bytes()));
    let musl = Build { interpreter: Some("/lib/ld-musl-x86_64.so.1".to_owned()), ..Build::new() };
    file("/program", musl.string(RUNPATH, "/first:/second").needs("liba.so"));
    file("/lib/ld-musl-x86_64.so.1", Build::new());
    file("/second/liba.so", Build::new());
    assert_eq!(closure(&tree, &["/program"]).missing, []);
}
