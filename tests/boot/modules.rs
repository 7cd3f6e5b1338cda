//! A machine loads modules that rootcast decompressed and stripped, and those of a directory of their
//! own, started by the recipe `busybox`; another starts a program by the recipe `empty`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::{DONE, busybox, compile, run_machine};
use crate::depmod::forms::{add_debug_sections, small_version};
use crate::depmod::version::module_paths;
use crate::fixtures::{Fixture, Item, Kind};
use crate::judges;
use crate::product::{Scratch, rootcast, run};

/// Makes a tree of busybox and kmod with their libraries, or returns `None` after a visible skip.
fn tree(root: &Path) -> Option<()> {
    let (kmod, mut ldd) = (judges::locate("kmod")?, judges::command("ldd")?);
    let mut files = busybox()?;
    for library in run(ldd.arg(&kmod)).text().split_whitespace().filter(|word| word.starts_with('/')) {
        files.push((library[1..].to_owned(), fs::read(library).unwrap()));
    }
    files.push(("bin/kmod".to_owned(), fs::read(kmod).unwrap()));
    files.push(("probe".to_owned(), include_bytes!("modules/probe.sh").to_vec()));
    for (path, bytes) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&path);
        crate::product::write_program(&path, &bytes);
    }
    fs::create_dir(root.join("sbin")).unwrap();
    symlink("../bin/kmod", root.join("sbin/modprobe")).unwrap();
    Some(())
}

/// Makes an overlay with `/ext/lib/modules/1.2.3`, which has zram alone and its own indices.
fn extension(scratch: &Scratch, modules: &str) -> std::path::PathBuf {
    let (archive, overlay) = (scratch.join("ext.tar"), scratch.join("overlay"));
    fs::create_dir_all(scratch.join("nothing")).unwrap();
    fs::create_dir_all(overlay.join("ext")).unwrap();
    let mut tar = rootcast();
    tar.arg("tar").arg(scratch.join("nothing")).args(["--modules", modules, "--keep-module", "zram", "-o"]);
    run(tar.arg(&archive)).success().unwrap_or_else(|why| panic!("{why}"));
    run(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(overlay.join("ext"))).success().unwrap();
    overlay
}

#[test]
fn a_machine_loads_modules_that_were_stripped_and_those_of_an_extension() {
    let Some(version) = small_version() else { return };
    let scratch = Scratch::new();
    let root = scratch.join("root");
    let paths = module_paths(&version.directory());
    let path = paths.iter().find(|path| path.ends_with("/virtio_net.ko")).unwrap();
    let module = version.directory().join(path);
    let (Some(()), Some(mut xz)) = (tree(&root), judges::command("xz")) else { return };
    let modules = version.scratch.join("lib/modules");
    let overlay = extension(&scratch, modules.to_str().unwrap());
    if add_debug_sections(&scratch, &module).is_none() {
        return;
    }
    run(xz.args(["-0", "--check=crc32"]).arg(&module)).success().unwrap();
    let initrd = scratch.join("initrd");
    let mut command = rootcast();
    command.arg("initrd").arg(&root).args(["-q", "--recipe", "busybox", "--keep", "/sbin/modprobe"]);
    command.args(["--keep", "/probe", "--keep-module", "virtio_net", "--kmod-compress", "none"]);
    command.args(["--strip-modules", "--mknod", "/dev/console:c:5:1:600", "--owner", "root", "--modules"]);
    command.arg(&modules).arg("--overlay").arg(&overlay).arg("-o").arg(&initrd);
    run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
    // The interactive shell of the recipe reads the file that ENV names.
    let Some(transcript) = run_machine("rdinit=/init ENV=/probe", |qemu| {
        qemu.arg("-initrd").arg(&initrd);
    }) else {
        return;
    };
    for line in ["guest: tree virtio_net", "guest: extension zram", "guest: unsigned 1", DONE] {
        assert!(transcript.contains(line), "{line}:\n{transcript}");
    }
}

#[test]
fn a_machine_starts_a_program_by_the_empty_recipe() {
    let Some(init) = compile(include_str!("alone.c")) else { return };
    let scratch = Scratch::new();
    let (root, initrd) = (scratch.join("root"), scratch.join("initrd"));
    let items = vec![
        Item::new("", Kind::Directory),
        Item::new("init", Kind::File(init)).mode(0o755),
        Item::new("other", Kind::File(b"left out".to_vec())),
    ];
    Fixture { items }.make(&root);
    let mut command = rootcast();
    command.arg("initrd").arg(&root).args(["-q", "--recipe", "empty", "-o"]).arg(&initrd);
    run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
    let Some(transcript) = run_machine("rdinit=/init", |qemu| {
        qemu.arg("-initrd").arg(&initrd);
    }) else {
        return;
    };
    assert!(transcript.contains("guest: ok the first process") && transcript.contains(DONE), "{transcript}");
}
