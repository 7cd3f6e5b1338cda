//! `ld.so.cache` as written by `ldconfig` and read by glibc's dynamic linker.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use image_tree::{Kind, Tree};
use rootcast::blob::Blob;
use rootcast::closure::elf::Elf;
use rootcast::closure::ld_so::cache::scan::{Library, Scan, scan};
use rootcast::closure::ld_so::cache::{Abi, Cache};
use rootcast::interrupt::Interrupt;
use rootcast::source::directory;
use rootcast::threads::Threads;

use crate::judges;
use crate::product::{Scratch, run};

/// Returns the directories of the tree's `/etc/ld.so.conf`, and the default ones of `ldconfig` on
/// Debian.
fn directories(triplet: &str) -> Vec<Vec<u8>> {
    ["/opt/x", "/usr/lib/x", &format!("/lib/{triplet}"), &format!("/usr/lib/{triplet}"), "/lib", "/usr/lib"]
        .map(|path| path.as_bytes().to_vec())
        .to_vec()
}

/// Compiles an empty shared library, with a soname if that is not empty.
fn library(path: &Path, soname: &str) -> Option<()> {
    library_for(path, soname, &[])
}

/// Does the same with further linker flags.
fn library_for(path: &Path, soname: &str, flags: &[&str]) -> Option<()> {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut gcc = judges::command("gcc")?;
    gcc.args(flags);
    gcc.args(["-shared", "-nostdlib", "-x", "c", "/dev/null", "-o"]).arg(path);
    if !soname.is_empty() {
        gcc.arg(format!("-Wl,-soname,{soname}"));
    }
    run(&mut gcc).success().unwrap();
    Some(())
}

/// Creates a tree with names of every kind, or returns `None` after a visible skip.
fn libraries(root: &Path) -> Option<()> {
    fs::create_dir_all(root.join("etc/ld.so.conf.d")).unwrap();
    fs::create_dir_all(root.join("usr/lib")).unwrap();
    symlink("usr/lib", root.join("lib")).unwrap();
    fs::write(root.join("etc/ld.so.conf"), "include ld.so.conf.d/*.conf\n/usr/lib/x\n").unwrap();
    fs::write(root.join("etc/ld.so.conf.d/x.conf"), "# first\n/opt/x/\n").unwrap();
    library(&root.join("opt/x/liba.so.1.9"), "liba.so.1")?;
    library(&root.join("opt/x/liba.so.1.10"), "liba.so.1")?;
    symlink("liba.so.1.10", root.join("opt/x/liba.so.1")).unwrap();
    library(&root.join("usr/lib/liba.so.1"), "liba.so.1")?;
    library(&root.join("usr/lib/libb-2.so"), "")?;
    library(&root.join("usr/lib/libc2.so.9.1"), "libc2.so.9")?;
    symlink("libc2.so.9.1", root.join("usr/lib/libc2.so.9")).unwrap();
    symlink("libc2.so.9", root.join("usr/lib/libc2.so")).unwrap();
    symlink("libc2.so.9.1", root.join("usr/lib/libother.so.3")).unwrap();
    symlink("nowhere", root.join("usr/lib/libdead.so")).unwrap();
    library(&root.join("usr/lib/plugin.so"), "plugin.so")?;
    library(&root.join("usr/lib/libd.so.10"), "libd.so.10")?;
    library(&root.join("usr/lib/libd.so.9"), "libd.so.9")?;
    library(&root.join("usr/lib/glibc-hwcaps/x86-64-v3/libd.so.9.1"), "libd.so.9")?;
    library(&root.join("usr/lib/glibc-hwcaps/x86-64-v2/libd.so.9"), "libd.so.9")?;
    // Directories and properties need not agree. A property only takes effect in these directories.
    for level in 2..=4 {
        let (soname, flag) = (format!("libe.so.{level}"), format!("-Wl,-z,x86-64-v{level}"));
        for directory in ["usr/lib", "usr/lib/glibc-hwcaps/x86-64-v3", "opt/x/glibc-hwcaps/x86-64-v4"] {
            library_for(&root.join(directory).join(&soname), &soname, &[&flag])?;
        }
    }
    fs::write(root.join("usr/lib/libtext.so"), "/* GNU ld script */ GROUP ( libc.so.6 )\n").unwrap();
    fs::create_dir(root.join("usr/lib/libdirectory.so")).unwrap();
    Some(())
}

fn triplet() -> Option<String> {
    let outcome = run(judges::command("gcc")?.arg("-print-multiarch"));
    Some(outcome.success().unwrap().text().trim().to_owned())
}

/// Returns our scan of a directory of the host, and the architecture of the libraries in it.
fn scanned(root: &Path, triplet: &str) -> (Scan, Abi) {
    let tree: Tree<Blob> = directory::read(root, &Threads::single(), &Interrupt::never()).unwrap().tree;
    let mut abi = None;
    let found = scan(&tree, &directories(triplet), |id| {
        let Kind::Regular(content) = &tree.get(id).kind else { panic!("a regular file is asked for") };
        let library = Library::read(content)?;
        abi = abi.or(library.as_ref().map(|library| library.abi));
        Ok::<_, io::Error>(library)
    });
    (found.unwrap(), abi.expect("there are libraries"))
}

fn cache_of(root: &Path, triplet: &str, generator: Vec<u8>) -> Vec<u8> {
    let (scan, abi) = scanned(root, triplet);
    assert_eq!(scan.links, [], "every soname has its link");
    Cache { big_endian: abi.big_endian, generator, entries: scan.entries }.to_bytes(abi).unwrap()
}

#[test]
fn ldconfig_writes_the_same_bytes() {
    let scratch = Scratch::new();
    let (Some(()), Some(triplet)) = (libraries(scratch.path()), triplet()) else { return };
    let Some(mut ldconfig) = judges::ldconfig() else { return };
    // ldconfig creates no links: the tree has all the correct ones.
    ldconfig.args(["-X", "-C", "/etc/theirs", "-r"]).arg(scratch.path());
    run(&mut ldconfig).success().unwrap();
    let theirs = fs::read(scratch.join("etc/theirs")).unwrap();
    let read = Cache::parse(&theirs, false).unwrap();
    let levels = read.entries.iter().filter_map(|entry| Some(entry.hwcaps.as_ref()?.isa_level));
    let levels: BTreeSet<u16> = levels.collect();
    let expected: &[u16] = if cfg!(target_arch = "x86_64") { &[0, 1, 2, 3] } else { &[0] };
    assert_eq!(levels, expected.iter().copied().collect(), "the fixture has what it is for");
    let ours = cache_of(scratch.path(), &triplet, read.generator.clone());
    assert_eq!(Cache::parse(&ours, false).unwrap(), read);
    assert!(ours == theirs, "the same entries are other bytes");
    let mut damaged = theirs;
    damaged[60] ^= 1;
    assert_ne!(damaged, ours);
}

#[test]
fn ldconfig_lists_the_entries_of_a_written_cache() {
    let scratch = Scratch::new();
    let (Some(()), Some(triplet)) = (libraries(scratch.path()), triplet()) else { return };
    let Some(mut ldconfig) = judges::command("ldconfig") else { return };
    let file = scratch.file("cache", cache_of(scratch.path(), &triplet, b"nobody".to_vec()));
    let listed = run(ldconfig.args(["-p", "-C"]).arg(file)).success().unwrap().text();
    assert!(listed.contains("=> /opt/x/liba.so.1\n"), "{listed}");
    assert!(
        listed.contains("hwcap: \"x86-64-v3\") => /lib/glibc-hwcaps/x86-64-v3/libd.so.9.1\n"),
        "{listed}"
    );
    assert!(listed.ends_with("Cache generated by: nobody\n"), "{listed}");
}

/// Creates a program and its C library, which is only found through `/etc/ld.so.conf`; `None` after
/// a visible skip.
fn program(root: &Path) -> Option<PathBuf> {
    let source = root.join("program.c");
    fs::write(&source, "#include <stdio.h>\nint main(void) { puts(\"it runs\"); }\n").unwrap();
    run(judges::command("gcc")?.arg(&source).arg("-o").arg(root.join("program"))).success().unwrap();
    let elf = Elf::read(&fs::read(root.join("program")).unwrap()).unwrap();
    let loader = String::from_utf8(elf.interpreter.expect("it has a loader")).unwrap();
    let in_root = root.join(loader.trim_start_matches('/'));
    fs::create_dir_all(in_root.parent().unwrap()).unwrap();
    fs::copy(&loader, &in_root).unwrap();
    let found = run(judges::command("gcc")?.arg("-print-file-name=libc.so.6")).success().unwrap().text();
    fs::create_dir_all(root.join("opt/x")).unwrap();
    fs::copy(found.trim(), root.join("opt/x/libc.so.6")).unwrap();
    fs::create_dir(root.join("etc")).unwrap();
    Some(root.join("program"))
}

#[test]
fn the_dynamic_linker_finds_libraries_that_only_the_cache_lists() {
    if !judges::is_root() {
        judges::skip("chroot", "only root may change its root directory");
        return;
    }
    let scratch = Scratch::new();
    let (Some(_), Some(triplet)) = (program(scratch.path()), triplet()) else { return };
    let start = || run(Command::new("chroot").arg(scratch.path()).arg("/program"));
    assert_ne!(start().code, Some(0), "it needs no cache");
    let cache = cache_of(scratch.path(), &triplet, Vec::new());
    fs::write(scratch.join("etc/ld.so.cache"), cache).unwrap();
    assert_eq!(start().success().unwrap().text(), "it runs\n");
}
