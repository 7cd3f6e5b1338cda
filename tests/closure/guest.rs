//! A root directory with a dynamic linker, in which tests create libraries.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rootcast::closure::Hwcaps;

use super::judge::{Judge, canonical, close, compare, listing, ours};
use crate::judges;
use crate::product::{Scratch, write_program};
use rootcast::closure::testing::build::{Build, SONAME};

/// The machine's own dynamic linker, which these tests copy into their trees.
pub(crate) const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
/// A program that runs another one in trace mode, in a tree without a shell.
const TRACE: &str = "/trace";

/// A tree with the dynamic linker and nothing else.
pub(crate) struct Guest {
    pub(crate) scratch: Scratch,
}

impl Guest {
    /// Creates a tree with this machine's own dynamic linker.
    pub(crate) fn new() -> Option<Self> {
        Self::with(LOADER, Path::new(LOADER))
    }

    /// Creates a tree with a copy of a dynamic linker.
    pub(crate) fn with(loader: &str, from: &Path) -> Option<Self> {
        if !from.exists() {
            judges::skip("a dynamic linker", &format!("there is no {}", from.display()));
            return None;
        }
        let guest = Self { scratch: Scratch::new() };
        guest.write(loader, &fs::read(from).unwrap());
        Some(guest)
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.scratch.join(&path[1..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_program(&path, bytes);
    }

    pub(crate) fn add(&self, path: &str, build: Build) {
        self.write(path, &build.bytes());
    }

    pub(crate) fn link(&self, path: &str, target: &str) {
        let path = self.scratch.join(&path[1..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    /// Writes `/etc/ld.so.cache`, as on an installed system, and returns true on success.
    pub(crate) fn ldconfig(&self) -> bool {
        let Some(mut ldconfig) = judges::ldconfig() else { return false };
        let output = ldconfig.arg("-r").arg(self.scratch.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        true
    }

    /// Compares the libraries loaded by the kernel and the dynamic linker for a program with its
    /// closure.
    pub(crate) fn check(&self, program: &str, expected: &[&str]) {
        self.expect(program, LOADER, &Hwcaps::None, expected);
        if self.put_trace() {
            compare(&listing(self.scratch.path(), &[TRACE]), &[program.to_owned()], &Hwcaps::None);
        }
    }

    /// Compares the list of a dynamic linker for a program with its closure.
    pub(crate) fn check_by(&self, judge: &Judge, loader: &str, program: &str, expected: &[&str]) {
        self.expect(program, loader, &Hwcaps::None, expected);
        compare(judge, &[program.to_owned()], &Hwcaps::None);
    }

    /// Compares a closure, without the program and its dynamic linker, with the expected one.
    /// Missing names have a `!`.
    pub(crate) fn expect(&self, program: &str, loader: &str, hwcaps: &Hwcaps, expected: &[&str]) {
        let tree = listing(self.scratch.path(), &[]).tree();
        let (mut loaded, missing) = ours(&close(&tree, program, hwcaps.clone()));
        loaded.remove(&canonical(&tree, program));
        loaded.remove(&canonical(&tree, loader));
        let expected: BTreeSet<String> = expected.iter().map(|path| (*path).to_owned()).collect();
        let missing: BTreeSet<String> = missing.into_iter().map(|name| format!("!{name}")).collect();
        assert_eq!(loaded.union(&missing).cloned().collect::<BTreeSet<_>>(), expected, "{program}");
    }

    /// Compiles the program that runs another one in trace mode. Returns false after a visible
    /// skip.
    pub(crate) fn put_trace(&self) -> bool {
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

/// Returns a library with its name as the soname.
pub(crate) fn library(name: &str) -> Build {
    Build::new().string(SONAME, name)
}
