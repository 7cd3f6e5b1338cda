//! Small trees in which glibc's loader has to decide between libraries.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use image_tree::Tree;
use rootcast::blob::Blob;
use rootcast::closure::{Hwcaps, resolve::follow};

use super::build::{AUXILIARY, Build, FILTER, FLAGS_1, NODEFLIB, RPATH, RUNPATH, SONAME};
use super::judge::{close, compare, listing, ours};
use crate::judges;
use crate::product::Scratch;

/// The machine's own loader, which these tests put into their trees.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
/// A program that runs another one traced, in a tree that has no shell.
const TRACE: &str = "/trace";

/// A tree with the loader and nothing else.
pub(crate) struct Guest {
    pub(crate) scratch: Scratch,
}

impl Guest {
    fn new() -> Option<Self> {
        if !Path::new(LOADER).exists() {
            judges::skip("glibc's loader", "this machine has none for x86-64");
            return None;
        }
        let guest = Self { scratch: Scratch::new() };
        guest.write(LOADER, &fs::read(LOADER).unwrap());
        Some(guest)
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.scratch.join(&path[1..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn add(&self, path: &str, build: Build) {
        self.write(path, &build.bytes());
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.scratch.join(&path[1..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    /// Writes the cache, as an installed system has one.
    fn ldconfig(&self) {
        if let Some(mut ldconfig) = judges::command("ldconfig") {
            let output = ldconfig.arg("-r").arg(self.scratch.path()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }

    /// Compares what the kernel and the loader make of a program with its closure.
    fn check(&self, program: &str, expected: &[&str]) {
        self.check_with(program, &Hwcaps::None, expected);
    }

    fn check_with(&self, program: &str, hwcaps: &Hwcaps, expected: &[&str]) {
        let traced = listing(self.scratch.path(), &[TRACE]);
        let tree = traced.tree();
        let (mut loaded, missing) = ours(&close(&tree, program, hwcaps.clone()));
        loaded.remove(&canonical(&tree, program));
        loaded.remove(LOADER);
        let expected: BTreeSet<String> = expected.iter().map(|path| (*path).to_owned()).collect();
        let missing: BTreeSet<String> = missing.into_iter().map(|name| format!("!{name}")).collect();
        assert_eq!(loaded.union(&missing).cloned().collect::<BTreeSet<_>>(), expected, "{program}");
        if self.put_trace() {
            compare(&traced, &[program.to_owned()], hwcaps);
        }
    }

    /// Compiles the program that traces another.
    fn put_trace(&self) -> bool {
        const SOURCE: &str = "#include <stdlib.h>\n#include <unistd.h>\n#include <stdio.h>\n\
            int main(int c, char **v) { setenv(\"LD_TRACE_LOADED_OBJECTS\", \"1\", 1);\n\
            execv(v[1], v + 1); perror(v[1]); return 1; }\n";
        let trace = self.scratch.join(&TRACE[1..]);
        if trace.exists() {
            return true;
        }
        let Some(mut gcc) = judges::command("gcc") else { return false };
        let source = self.scratch.file("trace.c", SOURCE);
        let output = gcc.arg("-static").arg("-o").arg(trace).arg(source).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        true
    }
}

fn canonical(tree: &Tree<Blob>, path: &str) -> String {
    String::from_utf8(follow(tree, path.as_bytes(), &mut 0).unwrap().path).unwrap()
}

/// A library that is called as it should be.
fn library(name: &str) -> Build {
    Build::new().string(SONAME, name)
}

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
    // A DT_RUNPATH makes the DT_RPATH beside it void.
    guest.add("/both", Build::program().string(RPATH, "/opt/a").string(RUNPATH, "/opt/none").needs("liba.so"));
    guest.check("/both", &["!liba.so"]);
}

#[test]
fn rpath_is_not_looked_at_for_an_object_with_runpath() {
    let Some(guest) = Guest::new() else { return };
    guest.add("/opt/a/liba.so", library("liba.so").string(RUNPATH, "/opt/none").needs("libb.so"));
    guest.add("/opt/a/libb.so", library("libb.so"));
    guest.add("/usr/lib/libb.so", library("libb.so"));
    guest.add("/program", Build::program().string(RPATH, "/opt/a").needs("liba.so"));
    guest.check("/program", &["/opt/a/liba.so", "/usr/lib/libb.so"]);
}

#[test]
fn the_nearest_rpath_comes_first() {
    let Some(guest) = Guest::new() else { return };
    // The program loads liba, which loads libb, which needs libc0: all three have a search path.
    for directory in ["/program.d", "/a.d", "/b.d"] {
        guest.add(&format!("{directory}/libz.so"), library("libz.so"));
    }
    guest.add("/a.d/libb.so", library("libb.so").string(RPATH, "/none:/b.d").needs("libz.so").needs("liby.so"));
    guest.add("/a.d/liby.so", library("liby.so"));
    guest.add("/program.d/liby.so", library("liby.so"));
    guest.add("/program.d/liba.so", library("liba.so").string(RPATH, "/a.d").needs("libb.so"));
    guest.add("/program", Build::program().string(RPATH, "/program.d").needs("liba.so"));
    guest.check("/program", &["/program.d/liba.so", "/a.d/libb.so", "/b.d/libz.so", "/a.d/liby.so"]);
    // An object between them that has a DT_RUNPATH is passed over, and the program's is looked at nevertheless.
    guest.add("/program.d/liba.so", library("liba.so").string(RUNPATH, "/a.d").needs("libb.so"));
    guest.check("/program", &["/program.d/liba.so", "/a.d/libb.so", "/b.d/libz.so", "/program.d/liby.so"]);
}

#[test]
fn who_came_first_answers_to_its_name() {
    let Some(guest) = Guest::new() else { return };
    // Breadth first: the program's own needs are loaded before those of liba.
    guest.add("/usr/lib/liba.so", library("liba.so").string(RUNPATH, "/other").needs("libb.so").needs("called"));
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
fn origin_is_where_a_file_was_opened() {
    let Some(guest) = Guest::new() else { return };
    for directory in ["/real/lib", "/shown/lib", "/real/deep", "/shown/deep"] {
        guest.add(&format!("{directory}/libz.so"), library("libz.so"));
    }
    // The kernel gives a program its path without links, a library keeps the path it was found by.
    guest.add("/real/bin/program", Build::program().string(RUNPATH, "$ORIGIN/../lib").needs("libz.so"));
    guest.link("/shown/bin/program", "../../real/bin/program");
    guest.check("/shown/bin/program", &["/real/lib/libz.so"]);
    guest.add("/real/lib/liba.so", library("liba.so").string(RUNPATH, "${ORIGIN}/../deep").needs("libz.so"));
    guest.link("/shown/lib/liba.so", "/real/lib/liba.so");
    guest.add("/program", Build::program().string(RUNPATH, "/shown/lib/").needs("liba.so"));
    guest.check("/program", &["/real/lib/liba.so", "/shown/deep/libz.so"]);
    // Not a token: the word goes on, which glibc does not mind.
    guest.add("/lib64x/libz.so", library("libz.so"));
    guest.add("/odd", Build::program().string(RUNPATH, "/$NONE:/${LIB:/lib64x").needs("libz.so"));
    guest.check("/odd", &["/lib64x/libz.so"]);
}

#[test]
fn lib_is_what_was_compiled_in() {
    let Some(guest) = Guest::new() else { return };
    let part = if Path::new("/lib/x86_64-linux-gnu").exists() { "lib/x86_64-linux-gnu" } else { "lib64" };
    guest.add(&format!("/opt/{part}/libz.so"), library("libz.so"));
    guest.add("/program", Build::program().string(RUNPATH, "/opt/$LIB").needs("libz.so"));
    guest.check("/program", &[&format!("/opt/{part}/libz.so")]);
    guest.add("/name", Build::program().needs("/opt/$LIB/libz.so"));
    guest.check("/name", &[&format!("/opt/{part}/libz.so")]);
}

#[test]
fn files_for_other_machines_are_passed_over() {
    let Some(guest) = Guest::new() else { return };
    guest.add("/a/libz.so", library("libz.so").machine(false, false, 3));
    guest.add("/b/libz.so", library("libz.so").machine(true, false, 183));
    guest.add("/c/libz.so", library("libz.so"));
    guest.add("/program", Build::program().string(RUNPATH, "/a:/b:/c").needs("libz.so"));
    guest.check("/program", &["/c/libz.so"]);
    guest.add("/none", Build::program().string(RUNPATH, "/a:/b").needs("libz.so"));
    guest.check("/none", &["!libz.so"]);
}

#[test]
fn default_directories_are_not_for_nodeflib() {
    let Some(guest) = Guest::new() else { return };
    guest.add("/usr/lib/libz.so", library("libz.so"));
    guest.add("/conf/liby.so", library("liby.so"));
    guest.write("/etc/ld.so.conf", b"/conf\n");
    guest.ldconfig();
    let program = Build::program().number(FLAGS_1, NODEFLIB).needs("liby.so").needs("libz.so");
    guest.add("/program", program);
    guest.check("/program", &["/conf/liby.so", "!libz.so"]);
}

#[test]
fn the_cache_has_files_by_their_soname() {
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
    guest.ldconfig();
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
    let liba = library("liba.so").string(FILTER, "libf.so").string(AUXILIARY, "libx.so").string(AUXILIARY, "gone.so");
    guest.add("/usr/lib/liba.so", liba);
    guest.add("/program", Build::program().needs("liba.so"));
    guest.check("/program", &["/usr/lib/liba.so", "/usr/lib/libf.so", "/usr/lib/libx.so"]);
}
