//! Small trees in which glibc's dynamic linker has to choose between libraries.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use rootcast::closure::Hwcaps;

use super::guest::{Guest, LOADER, library};
use super::judge::{close, compare, listing, ours};
use crate::judges;
use rootcast::closure::testing::build::{AUXILIARY, Build, FILTER, FLAGS_1, NODEFLIB, RPATH, RUNPATH};

#[test]
fn rpath_is_inherited_and_runpath_is_not() {
    let Some(guest) = Guest::new() else { return };
    guest.add("/opt/a/liba.so", library("liba.so").needs("libb.so"));
    guest.add("/opt/a/libb.so", library("libb.so"));
    guest.add("/usr/lib/libb.so", library("libb.so"));
    guest.add("/rpath", Build::program().string(RPATH, "/opt/a").needs("liba.so"));
    guest.check("/rpath", &["/opt/a/liba.so", "/opt/a/libb.so"]);
    guest.add("/runpath", Build::program().string(RUNPATH, "/opt/a").needs("liba.so"));
    guest.check("/runpath", &["/opt/a/liba.so", "/usr/lib/libb.so"]);
    // A DT_RUNPATH overrides the DT_RPATH of the same object.
    guest
        .add("/both", Build::program().string(RPATH, "/opt/a").string(RUNPATH, "/opt/none").needs("liba.so"));
    guest.check("/both", &["!liba.so"]);
}

#[test]
fn rpath_of_an_object_with_runpath_is_ignored() {
    let Some(guest) = Guest::new() else { return };
    guest.add("/opt/a/liba.so", library("liba.so").string(RUNPATH, "/opt/none").needs("libb.so"));
    guest.add("/opt/a/libb.so", library("libb.so"));
    guest.add("/usr/lib/libb.so", library("libb.so"));
    guest.add("/program", Build::program().string(RPATH, "/opt/a").needs("liba.so"));
    guest.check("/program", &["/opt/a/liba.so", "/usr/lib/libb.so"]);
}

#[test]
fn the_nearest_rpath_is_searched_first() {
    let Some(guest) = Guest::new() else { return };
    // The program loads liba, which loads libb, which needs libc0: all three have a search path.
    for directory in ["/program.d", "/a.d", "/b.d"] {
        guest.add(&format!("{directory}/libz.so"), library("libz.so"));
    }
    guest.add(
        "/a.d/libb.so",
        library("libb.so").string(RPATH, "/none:/b.d").needs("libz.so").needs("liby.so"),
    );
    guest.add("/a.d/liby.so", library("liby.so"));
    guest.add("/program.d/liby.so", library("liby.so"));
    guest.add("/program.d/liba.so", library("liba.so").string(RPATH, "/a.d").needs("libb.so"));
    guest.add("/program", Build::program().string(RPATH, "/program.d").needs("liba.so"));
    guest.check("/program", &["/program.d/liba.so", "/a.d/libb.so", "/b.d/libz.so", "/a.d/liby.so"]);
    // An object between them with a DT_RUNPATH is skipped, but the program's DT_RPATH is searched
    // nevertheless.
    guest.add("/program.d/liba.so", library("liba.so").string(RUNPATH, "/a.d").needs("libb.so"));
    guest.check("/program", &["/program.d/liba.so", "/a.d/libb.so", "/b.d/libz.so", "/program.d/liby.so"]);
}

#[test]
fn the_first_loaded_object_satisfies_later_dependencies_on_its_name() {
    let Some(guest) = Guest::new() else { return };
    // Breadth first: the program's own dependencies are loaded before those of liba.
    guest.add(
        "/usr/lib/liba.so",
        library("liba.so").string(RUNPATH, "/other").needs("libb.so").needs("called"),
    );
    guest.add("/usr/lib/libb.so", library("libb.so"));
    guest.add("/other/libb.so", library("libb.so"));
    guest.add("/usr/lib/libc0.so", library("called"));
    guest.add("/other/called", library("called"));
    guest.add("/first", Build::program().needs("liba.so").needs("libb.so").needs("libc0.so"));
    guest.check("/first", &["/usr/lib/liba.so", "/usr/lib/libb.so", "/usr/lib/libc0.so"]);
    guest.add("/alone", Build::program().needs("liba.so"));
    guest.check("/alone", &["/usr/lib/liba.so", "/other/libb.so", "/other/called"]);
}

#[test]
fn origin_is_the_directory_in_which_a_file_was_opened() {
    let Some(guest) = Guest::new() else { return };
    for directory in ["/real/lib", "/shown/lib", "/real/deep", "/shown/deep"] {
        guest.add(&format!("{directory}/libz.so"), library("libz.so"));
    }
    // The kernel resolves links in the path of a program, a library keeps the path it was found by.
    guest.add("/real/bin/program", Build::program().string(RUNPATH, "$ORIGIN/../lib").needs("libz.so"));
    guest.link("/shown/bin/program", "../../real/bin/program");
    guest.check("/shown/bin/program", &["/real/lib/libz.so"]);
    guest.add("/real/lib/liba.so", library("liba.so").string(RUNPATH, "${ORIGIN}/../deep").needs("libz.so"));
    guest.link("/shown/lib/liba.so", "/real/lib/liba.so");
    guest.add("/program", Build::program().string(RUNPATH, "/shown/lib/").needs("liba.so"));
    guest.check("/program", &["/real/lib/liba.so", "/shown/deep/libz.so"]);
    // Not a token: the text is kept, which glibc accepts.
    guest.add("/lib64x/libz.so", library("libz.so"));
    guest.add("/odd", Build::program().string(RUNPATH, "/$NONE:/${LIB:/lib64x").needs("libz.so"));
    guest.check("/odd", &["/lib64x/libz.so"]);
}

#[test]
fn lib_expands_to_the_compiled_in_directory() {
    let Some(guest) = Guest::new() else { return };
    let part = if Path::new("/lib/x86_64-linux-gnu").exists() { "lib/x86_64-linux-gnu" } else { "lib64" };
    guest.add(&format!("/opt/{part}/libz.so"), library("libz.so"));
    guest.add("/program", Build::program().string(RUNPATH, "/opt/$LIB").needs("libz.so"));
    guest.check("/program", &[&format!("/opt/{part}/libz.so")]);
    guest.add("/name", Build::program().needs("/opt/$LIB/libz.so"));
    guest.check("/name", &[&format!("/opt/{part}/libz.so")]);
}

#[test]
fn files_for_other_machines_are_skipped() {
    let Some(guest) = Guest::new() else { return };
    guest.add("/a/libz.so", library("libz.so").machine(false, false, 3));
    guest.add("/b/libz.so", library("libz.so").machine(true, false, 183));
    // Another byte order too; and this machine's number in the other byte order, which is a
    // different number.
    guest.add("/c/libz.so", library("libz.so").machine(true, true, 22));
    guest.add("/d/libz.so", library("libz.so").machine(true, true, 62));
    // Another OS ABI too, which is not checked first.
    let mut other_system = library("libz.so").machine(true, false, 183).bytes();
    other_system[7] = 9;
    guest.write("/e/libz.so", &other_system);
    let mut gnu = library("libz.so").bytes();
    gnu[7] = 3;
    guest.write("/f/libz.so", &gnu);
    guest.add("/program", Build::program().string(RUNPATH, "/a:/b:/c:/d:/e:/f").needs("libz.so"));
    guest.check("/program", &["/f/libz.so"]);
    guest.add("/none", Build::program().string(RUNPATH, "/a:/b:/c:/d:/e").needs("libz.so"));
    guest.check("/none", &["!libz.so"]);
}

#[test]
fn a_file_that_the_dynamic_linker_rejects_ends_its_search() {
    let Some(guest) = Guest::new() else { return };
    guest.add("/b/libz.so", library("libz.so"));
    guest.add("/program", Build::program().string(RUNPATH, "/a:/b").needs("libz.so"));
    let mut other_system = library("libz.so").bytes();
    other_system[7] = 9;
    let mut object_file = library("libz.so").bytes();
    object_file[16] = 1;
    // Its byte order is another, but its machine is written in this one.
    let mut mixed = library("libz.so").bytes();
    mixed[5] = 2;
    let cases = [&b"INPUT(libz.so.1)\n"[..], b"", &other_system, &object_file, &mixed];
    // The other header bytes of e_ident, and e_version at the end.
    let odd = [(6, 2), (8, 1), (9, 1), (15, 1), (20, 2)].map(|(at, value)| {
        let mut bytes = library("libz.so").bytes();
        bytes[at] = value;
        bytes
    });
    for case in cases.into_iter().chain(odd.iter().map(Vec::as_slice)) {
        guest.write("/a/libz.so", case);
        guest.check("/program", &["!libz.so"]);
    }
    std::fs::remove_file(guest.scratch.join("a/libz.so")).unwrap();
    // A directory too, but not a dangling link.
    std::fs::create_dir(guest.scratch.join("a/libz.so")).unwrap();
    guest.check("/program", &["!libz.so"]);
    std::fs::remove_dir(guest.scratch.join("a/libz.so")).unwrap();
    guest.link("/a/libz.so", "gone");
    guest.check("/program", &["/b/libz.so"]);
    // A link loop ends the search of the list, and the dynamic linker's default directories come
    // next.
    std::fs::remove_file(guest.scratch.join("a/libz.so")).unwrap();
    guest.link("/a/libz.so", "libz.so");
    guest.check("/program", &["!libz.so"]);
    guest.add("/usr/lib/libz.so", library("libz.so"));
    guest.check("/program", &["/usr/lib/libz.so"]);
}

#[test]
fn default_directories_are_not_searched_for_programs_with_nodeflib() {
    let Some(guest) = Guest::new() else { return };
    guest.add("/usr/lib/libz.so", library("libz.so"));
    guest.add("/conf/liby.so", library("liby.so"));
    guest.write("/etc/ld.so.conf", b"/conf\n");
    guest.ldconfig();
    let program = Build::program().number(FLAGS_1, NODEFLIB).needs("liby.so").needs("libz.so");
    guest.add("/program", program);
    guest.check("/program", &["/conf/liby.so", "!libz.so"]);
    // Nor are glibc-hwcaps variants there, which the cache has.
    guest.add("/usr/lib/glibc-hwcaps/x86-64-v2/libz.so", library("libz.so"));
    guest.ldconfig();
    guest.check("/program", &["/conf/liby.so", "!libz.so"]);
    guest.expect("/program", LOADER, &Hwcaps::All, &["/conf/liby.so", "!libz.so"]);
}

#[test]
fn the_cache_lists_files_by_their_soname() {
    let Some(guest) = Guest::new() else { return };
    guest.write("/etc/ld.so.conf", b"include ld.so.conf.d/*.conf # comment\n/last\n");
    guest.write("/etc/ld.so.conf.d/b.conf", b"/b\n");
    guest.write("/etc/ld.so.conf.d/a.conf", b"\n# nothing\n  /a/  \n");
    guest.add("/b/liby.so.1", library("liby.so.1"));
    guest.add("/a/liby.so.1", library("liby.so.1"));
    guest.add("/last/libx.so", library("libx.so.1"));
    guest.add("/last/libnone.so", Build::new());
    guest.add("/last/other.so", library("other.so"));
    guest.add("/usr/lib/liby.so.1", library("liby.so.1"));
    // The result for names depends on the cache.
    if !guest.ldconfig() {
        return;
    }
    let needs = ["liby.so.1", "libx.so", "libx.so.1", "libnone.so", "other.so"];
    let program = needs.iter().fold(Build::program(), |program, name| program.needs(name));
    guest.add("/program", program);
    guest.check("/program", &["/a/liby.so.1", "!libx.so", "/last/libx.so", "/last/libnone.so", "!other.so"]);
}

#[test]
fn filters_are_loaded_and_auxiliaries_may_be_missing() {
    let Some(guest) = Guest::new() else { return };
    for name in ["libf.so", "libx.so"] {
        guest.add(&format!("/usr/lib/{name}"), library(name));
    }
    let liba = library("liba.so")
        .string(FILTER, "libf.so")
        .string(AUXILIARY, "libx.so")
        .string(AUXILIARY, "gone.so");
    guest.add("/usr/lib/liba.so", liba);
    guest.add("/program", Build::program().needs("liba.so"));
    // In trace mode, the dynamic linker reports a missing auxiliary object; otherwise it ignores
    // it.
    guest.expect(
        "/program",
        LOADER,
        &Hwcaps::None,
        &["/usr/lib/liba.so", "/usr/lib/libf.so", "/usr/lib/libx.so"],
    );
    guest.add("/usr/lib/gone.so", library("gone.so"));
    guest
        .check("/program", &["/usr/lib/gone.so", "/usr/lib/liba.so", "/usr/lib/libf.so", "/usr/lib/libx.so"]);
}

/// Returns the glibc-hwcaps variants that this processor supports, the lowest first.
fn supported() -> Vec<String> {
    let help = Command::new(LOADER).arg("--help").output().unwrap();
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let lines = help.lines().filter(|line| line.contains("(supported, searched)"));
    let names = lines.filter_map(|line| line.split_whitespace().next());
    let mut names: Vec<String> =
        names.filter(|name| name.starts_with("x86-64-v")).map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn kept_variants_are_those_that_some_processor_loads() {
    let Some(guest) = Guest::new() else { return };
    let variant = |directory: &str, level: u32, name: &str| {
        guest.add(&format!("{directory}/glibc-hwcaps/x86-64-v{level}/{name}"), library(name));
    };
    for directory in ["/a", "/b", "/usr/lib"] {
        guest.add(&format!("{directory}/libz.so"), library("libz.so"));
    }
    guest.add("/b/liby.so", library("liby.so"));
    variant("/a", 3, "libz.so");
    variant("/b", 2, "libz.so");
    // No processor reaches the third: with v3 it takes that of /a, with less the plain one there.
    variant("/a", 3, "liby.so");
    variant("/b", 2, "liby.so");
    variant("/b", 3, "liby.so");
    guest.add("/program", Build::program().string(RUNPATH, "/a:/b").needs("libz.so").needs("liby.so"));
    let plain = ["/a/libz.so", "/b/liby.so"];
    guest.expect("/program", LOADER, &Hwcaps::None, &plain);
    let (z3, y3, y2) = (
        "/a/glibc-hwcaps/x86-64-v3/libz.so",
        "/a/glibc-hwcaps/x86-64-v3/liby.so",
        "/b/glibc-hwcaps/x86-64-v2/liby.so",
    );
    guest.expect("/program", LOADER, &Hwcaps::All, &[&plain[..], &[z3, y3, y2]].concat());
    guest.expect("/program", LOADER, &"x86-64-v2".parse().unwrap(), &[&plain[..], &[y2]].concat());

    // Every level up to that of this processor.
    let supported = supported();
    let mut theirs = BTreeSet::new();
    for count in 0..=supported.len() {
        let mask = if count == 0 { "none".to_owned() } else { supported[..count].join(":") };
        let judge = listing(guest.scratch.path(), &[LOADER, "--glibc-hwcaps-mask", &mask, "--list"]);
        let Some(verdicts) = judge.ask(&["/program".to_owned()]) else { return };
        theirs.extend(verdicts["/program"].loaded.clone());
    }
    // glibc 2.41 lists the dynamic linker too, unlike 2.36.
    theirs.remove(LOADER);
    let hwcaps = if supported.is_empty() { Hwcaps::None } else { Hwcaps::Only(supported) };
    let tree = listing(guest.scratch.path(), &[]).tree();
    let (mut loaded, _) = ours(&close(&tree, "/program", hwcaps));
    loaded.remove(LOADER);
    assert_eq!(loaded, theirs);
}

#[test]
fn programs_linked_by_gcc_load_the_same_libraries() {
    let Some(guest) = Guest::new() else { return };
    let directory = guest.scratch.path().to_owned();
    let link = |output: &str, arguments: &str| {
        let Some(mut gcc) = judges::command("gcc") else { return false };
        let output = format!("{}{output}", directory.display());
        std::fs::create_dir_all(Path::new(&output).parent().unwrap()).unwrap();
        let arguments = arguments.replace("ROOT", directory.to_str().unwrap());
        gcc.args(["-nostdlib", "-Wl,--no-as-needed", "-o", &output]).args(arguments.split_whitespace());
        let done = gcc.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        true
    };
    guest.write("/empty.c", b"");
    guest.write("/start.c", b"void _start(void) { for (;;) ; }");
    let shared = "-shared ROOT/empty.c";
    if !link("/deep/libdeep-1.0.so", &format!("{shared} -Wl,-soname,libdeep.so.1")) {
        return;
    }
    guest.link("/deep/libdeep.so.1", "libdeep-1.0.so");
    link("/opt/libmid.so", &format!("{shared} -Wl,-soname,libmid.so ROOT/deep/libdeep-1.0.so"));
    link("/usr/lib/libmid.so", &format!("{shared} -Wl,-soname,libmid.so"));
    let search = "-Wl,-rpath,$ORIGIN/../opt:/deep -Wl,-rpath-link,ROOT/deep ROOT/start.c ROOT/opt/libmid.so";
    let loader = format!("-Wl,--dynamic-linker={LOADER}");
    link("/bin/old", &format!("-pie {loader} -Wl,--disable-new-dtags {search}"));
    guest.check("/bin/old", &["/opt/libmid.so", "/deep/libdeep-1.0.so"]);
    link("/bin/new", &format!("-pie {loader} -Wl,--enable-new-dtags {search}"));
    guest.check("/bin/new", &["/opt/libmid.so", "!libdeep.so.1"]);
    link("/bin/fixed", &format!("-no-pie {loader} -Wl,-z,nodefaultlib ROOT/start.c ROOT/usr/lib/libmid.so"));
    guest.check("/bin/fixed", &["!libmid.so"]);
    link("/bin/static", "-static ROOT/start.c");
    guest.expect("/bin/static", LOADER, &Hwcaps::All, &[]);
    link("/bin/static-pie", "-static-pie ROOT/start.c");
    guest.expect("/bin/static-pie", LOADER, &Hwcaps::All, &[]);
}

#[test]
fn random_trees_load_the_same_libraries() {
    let Some(guest) = Guest::new() else { return };
    const DIRECTORIES: [&str; 5] = ["/a", "/b", "/c", "/usr/lib", "/lib/x86_64-linux-gnu"];
    const PATHS: [&str; 8] =
        ["/a", "/b:/c", "/c:/a", "$ORIGIN", "${ORIGIN}/../b", "/l", "/none:/b/", "/usr/lib/../../c"];
    let mut random = 0x1234_5678_9abc_def1_u64;
    let mut below = move |limit: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % limit
    };
    let mut pick = move |count: usize| usize::try_from(below(count as u64)).unwrap();
    guest.link("/l", "c");
    guest.write("/etc/ld.so.conf", b"/b\n");
    let dress = |mut build: Build, limit: usize, pick: &mut dyn FnMut(usize) -> usize| {
        for _ in 0..pick(limit) {
            build = build.needs(&format!("lib{}.so", pick(8)));
        }
        for tag in [RPATH, RUNPATH] {
            if pick(3) == 0 {
                build = build.string(tag, PATHS[pick(PATHS.len())]);
            }
        }
        if pick(12) == 0 { build.number(FLAGS_1, NODEFLIB) } else { build }
    };
    for name in 0..8 {
        let name = format!("lib{name}.so");
        for directory in DIRECTORIES {
            let path = format!("{directory}/{name}");
            match pick(6) {
                0 => guest.add(&path, dress(Build::new(), 4, &mut pick)),
                1 => guest.add(&path, Build::new().machine(false, false, 3)),
                2 if directory != "/a" => guest.link(&path, &format!("/a/{name}")),
                3 => {}
                _ => guest.add(&path, dress(library(&name), 4, &mut pick)),
            }
        }
    }
    guest.ldconfig();
    let programs: Vec<String> = (0..150).map(|number| format!("/bin/p{number}")).collect();
    for program in &programs {
        guest.add(program, dress(Build::program(), 6, &mut pick));
    }
    let judge = listing(guest.scratch.path(), &["/trace"]);
    if guest.put_trace() {
        compare(&judge, &programs, &Hwcaps::None);
    }
}
