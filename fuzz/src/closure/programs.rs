//! The dependencies of programs: arbitrary ELF headers, and trees of forged programs, scripts and
//! links.

use std::num::NonZeroUsize;

use image_tree::{Inode, InodeId, Kind, LinkTarget, Metadata, Name, Tree};
use rootcast::closure::config::dlopen;
use rootcast::closure::elf::Elf;
use rootcast::closure::exec::{self, Kernel};
use rootcast::closure::{self, Closure, Hwcaps, Options, Request, Search, explain};
use rootcast::threads::Threads;

use crate::sources::dump::Bytes;
use crate::{Choices, Outcome};
use rootcast::closure::testing::build::{
    AUXILIARY, Build, FILTER, FLAGS_1, NODEFLIB, RPATH, RUNPATH, SONAME,
};

/// The threads of every run, which are started once.
static THREADS: Threads = Threads::new(NonZeroUsize::new(3).expect("not 0"));

/// Parses the headers of a possible ELF file.
pub fn check_elf(bytes: &[u8]) -> Outcome {
    let Ok(elf) = Elf::read(bytes) else { return Outcome::Refused };
    let held: usize = elf.notes.iter().map(|notes| notes.bytes.len()).sum();
    assert!(held <= 1 << 20, "{held} bytes of notes");
    let dependencies = elf.dynamic.map(|dynamic| dynamic.dependencies).unwrap_or_default();
    assert!(
        dependencies.iter().all(|dependency| dependency.name.len() <= 4095 && !dependency.name.contains(&0))
    );
    Outcome::Checked
}

/// Creates a program or library, sometimes with a changed byte.
#[must_use]
pub fn elf(bytes: &[u8]) -> Vec<u8> {
    let mut choices = Choices::new(bytes);
    let mut file = object(&mut choices, true);
    if choices.wrong() {
        let at = choices.index(file.len());
        file[at] = choices.one_of(&[0, 1, 0x7f, 0x80, 0xff]);
    }
    file
}

const DIRECTORIES: [&str; 9] = [
    "/bin",
    "/lib",
    "/usr/lib",
    "/lib64",
    "/a",
    "/a/glibc-hwcaps/x86-64-v3",
    "/lib/glibc-hwcaps/x86-64-v2",
    "/etc",
    "/etc/conf.d",
];
const NAMES: [&str; 9] = [
    "liba.so",
    "libb.so",
    "libc.so.6",
    "p",
    "ld-linux-x86-64.so.2",
    "ld-musl-x86_64.so.1",
    "ld.so.conf",
    "x.conf",
    "env",
];
const PATHS: [&str; 9] = [
    "/a",
    "$ORIGIN",
    "${ORIGIN}/../a",
    "/$LIB",
    "/$PLATFORM:$",
    "::/a//",
    "a",
    "/a:/usr/lib:/bin/..",
    "/lib/p",
];
const TEXTS: [&str; 8] = [
    "#!/bin/p\n",
    "#!/usr/bin/env p\n",
    "#!/bin/env -S p x",
    "/a\ninclude /etc/conf.d/*.conf\n",
    "include ld.so.conf *.conf\n/lib/../a # x",
    "/a:/usr/lib\n/lib",
    "",
    "hwcap 1 x\nrelative",
];

fn object(choices: &mut Choices<'_>, is_loadable: bool) -> Vec<u8> {
    let mut build = if choices.rarely(3) { Build::program() } else { Build::new() };
    if choices.rarely(6) {
        build.interpreter =
            Some(choices.one_of(&["/lib/ld-musl-x86_64.so.1", "/lib/p", "ld.so", ""]).to_owned());
    }
    for _ in 0..choices.up_to(4) {
        let name = choices.one_of(&[
            "liba.so",
            "libb.so",
            "libc.so.6",
            "/a/liba.so",
            "$ORIGIN/libb.so",
            "p",
            "x/p",
            "",
        ]);
        let tag = choices.one_of(&[1, 1, 1, 1, FILTER, AUXILIARY, SONAME]);
        build = build.string(tag, name);
    }
    for tag in [RPATH, RUNPATH] {
        if choices.rarely(3) {
            build = build.string(tag, choices.one_of(&PATHS));
        }
    }
    if choices.rarely(8) {
        build = build.number(FLAGS_1, NODEFLIB);
    }
    if choices.rarely(8) || !is_loadable {
        let (wide, big_endian, machine) =
            choices.one_of(&[(false, false, 3), (true, true, 22), (true, false, 183)]);
        build = build.machine(wide, big_endian, machine);
    }
    if choices.rarely(8) {
        build.notes = choices.bytes(64).to_vec();
    }
    build.bytes()
}

/// Computes the closure of a part of an arbitrary tree of programs.
pub fn check(bytes: &[u8]) -> Outcome {
    let mut choices = Choices::new(bytes);
    let start = choices.one_of(&["/bin", "/bin/p", "/**/p", "/", "/lib/lib*", "/bin/env"]);
    let hwcaps = if choices.rarely(3) { Hwcaps::None } else { Hwcaps::All };
    let tree = tree(&mut choices);
    let start = [Request::parse(start.as_bytes()).expect("a path or a pattern")];
    let close = |pool| {
        let dlopen = Some(dlopen::Policy::default());
        closure::close(&tree, &start, &Options { hwcaps: hwcaps.clone(), dlopen, pool, ..Options::default() })
    };
    let pool = THREADS.pool().expect("threads can be started");
    // Content in memory cannot cause read errors.
    let Ok(closure) = close(None) else { return Outcome::Refused };
    assert_eq!(close(Some(pool)).expect("it was closed before"), closure);
    check_closure(&tree, &closure);
    // A program that the search cannot follow may exceed its limits, as before.
    let mut tree = tree;
    let init = Inode {
        metadata: Metadata::new(0o777),
        kind: Kind::Symlink(LinkTarget::new("bin/p").expect("a target")),
    };
    if tree.insert(InodeId::ROOT, Name::new("init").expect("a name"), init).is_ok()
        && let Ok(Some(failure)) = exec::failure(&mut Search::new(&tree), &Kernel::default())
    {
        assert!(failure.to_string().starts_with("/init would "));
    }
    if closure.kept.len() > 3 { Outcome::Checked } else { Outcome::Refused }
}

fn check_closure(tree: &Bytes, closure: &Closure) {
    for (path, reasons) in &closure.kept {
        assert!(tree.resolve_no_symlinks(path).is_some(), "{} is kept and not there", path.escape_ascii());
        assert!(!reasons.is_empty());
        let parent = &path[..path.iter().rposition(|byte| *byte == b'/').expect("paths are absolute")];
        assert!(
            parent.is_empty() || closure.kept.contains_key(parent),
            "{} has no parent",
            path.escape_ascii()
        );
        assert!(
            !explain::chains(closure, path).is_empty(),
            "nobody knows why {} is kept",
            path.escape_ascii()
        );
    }
    let kept = closure::keep(tree.clone(), closure);
    assert_eq!(kept.walk().count(), closure.kept.len() + 1);
}

fn tree(choices: &mut Choices<'_>) -> Bytes {
    let mut tree = Tree::new(Metadata::new(0o755));
    let mut directories: Vec<InodeId> = Vec::new();
    for path in DIRECTORIES {
        let mut here = InodeId::ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            here = tree.lookup(here, name.as_bytes()).unwrap_or_else(|| {
                let name = Name::new(name).expect("a name");
                tree.insert(here, name, Inode::directory(Metadata::new(0o755))).expect("it is new")
            });
        }
        directories.push(here);
    }
    let mut files = 0;
    while !choices.is_empty() && files < 60 {
        files += 1;
        let kind = match choices.up_to(7) {
            0..=3 => Kind::Regular(object(choices, true)),
            4 => Kind::Regular(elf(choices.bytes(32))),
            5 => Kind::Regular(choices.one_of(&TEXTS).as_bytes().to_vec()),
            _ => {
                let directory = choices.one_of(&["/a", "..", "/usr/lib", ".", "/lib/glibc-hwcaps"]);
                let target = format!("{directory}/{}", choices.one_of(&NAMES));
                Kind::Symlink(LinkTarget::new(target).expect("a target"))
            }
        };
        let name = Name::new(choices.one_of(&NAMES)).expect("a name");
        // A name that already exists is a valid outcome.
        let _ =
            tree.insert(choices.one_of(&directories), name, Inode { metadata: Metadata::new(0o755), kind });
    }
    tree
}
