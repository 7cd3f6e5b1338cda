//! The modules of a kernel, beside those that modprobe loads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::judges;
use crate::product::{Scratch, rootcast, run};

/// Returns the directory of the modules of the installed kernel, or `None` after a visible skip.
fn modules() -> Option<PathBuf> {
    let kernel = judges::cloud_kernel()?;
    let version = kernel.file_name()?.to_str()?.strip_prefix("vmlinuz-")?.to_owned();
    Some(Path::new("/lib/modules").join(version))
}

/// Returns the files of modules that modprobe would load, by their paths in the tree.
fn loaded(root: &Path, version: &str, name: &str) -> Option<BTreeSet<String>> {
    judges::command("kmod")?;
    let mut modprobe = Command::new("/sbin/modprobe");
    modprobe.arg("-C").arg(root.join("etc/modprobe.d")).arg("-d").arg(root).args([
        "-S",
        version,
        "--show-depends",
        name,
    ]);
    let outcome =
        run(modprobe.env("MODPROBE_OPTIONS", "")).success().unwrap_or_else(|why| panic!("{name}: {why}"));
    let prefix = root.to_str()?;
    let paths = outcome.text();
    let paths = paths
        .lines()
        .filter_map(|line| line.strip_prefix("insmod ")?.split(' ').next()?.strip_prefix(prefix));
    Some(paths.map(str::to_owned).collect())
}

#[test]
fn modules_are_those_that_modprobe_loads() {
    let Some(modules) = modules() else { return };
    let version = modules.file_name().unwrap().to_str().unwrap().to_owned();
    let scratch = Scratch::new();
    let root = scratch.join("root");
    fs::create_dir_all(root.join("lib/modules")).unwrap();
    fs::create_dir_all(root.join("etc/modprobe.d")).unwrap();
    run(Command::new("cp").arg("-a").arg(&modules).arg(root.join("lib/modules"))).success().unwrap();
    fs::write(root.join("etc/modprobe.d/x.conf"), "alias my-net virtio_net\nsoftdep loop pre: sctp\n")
        .unwrap();
    let closure = |names: &str| -> BTreeSet<String> {
        let mut command = rootcast();
        command.arg("closure").arg(&root).args(["--keep-module", names, "--kver", &version]);
        let text = run(&mut command).success().unwrap_or_else(|why| panic!("{names}: {why}")).text();
        text.lines().filter(|line| line.ends_with(".ko")).map(str::to_owned).collect()
    };
    let names = [
        "virtio_blk",
        "btrfs",
        "loop",
        "my-net",
        "virtio-net",
        "nft_compat",
        "xfs",
        "overlay",
        "vfat",
        "nfsd",
        "ceph",
        "pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00",
    ];
    for with_indices in [true, false] {
        for name in names {
            let Some(expected) = loaded(&root, &version, name) else { return };
            // Without its indices modprobe finds nothing, so they are taken away for rootcast alone.
            let hidden = scratch.join("modules.dep");
            let dep = root.join("lib/modules").join(&version).join("modules.dep");
            if !with_indices {
                fs::rename(&dep, &hidden).unwrap();
            }
            let found = closure(name);
            if !with_indices {
                fs::rename(&hidden, &dep).unwrap();
            }
            assert!(!expected.is_empty(), "{name}");
            assert_eq!(found, expected, "{name}, with indices: {with_indices}");
        }
    }
}

/// Returns the `modules.*` files of a directory with their bytes.
fn texts(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    files
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap()))
        .collect()
}

#[test]
fn the_indices_of_a_reduced_tree_are_those_of_its_modules() {
    let Some(modules) = modules() else { return };
    let version = modules.file_name().unwrap().to_str().unwrap().to_owned();
    let scratch = Scratch::new();
    let root = scratch.join("root");
    fs::create_dir_all(root.join("lib/modules")).unwrap();
    fs::create_dir_all(root.join("etc/modprobe.d")).unwrap();
    run(Command::new("cp").arg("-a").arg(&modules).arg(root.join("lib/modules"))).success().unwrap();
    let Some(virtio) = loaded(&root, &version, "virtio-net") else { return };
    let Some(nfsd) = loaded(&root, &version, "nfsd") else { return };
    // A Debian package has no indices but these.
    let bare = scratch.join("bare");
    run(Command::new("cp").arg("-a").arg(&root).arg(&bare)).success().unwrap();
    let directory = |root: &Path| root.join("lib/modules").join(&version);
    for name in texts(&directory(&bare)).into_keys() {
        if !["modules.builtin", "modules.builtin.modinfo", "modules.order"].contains(&name.as_str()) {
            fs::remove_file(directory(&bare).join(name)).unwrap();
        }
    }
    for source in [&root, &bare] {
        let (reduced, archive) = (scratch.join("reduced"), scratch.join("reduced.tar"));
        let _ = fs::remove_dir_all(&reduced);
        let _ = fs::remove_file(&archive);
        fs::create_dir(&reduced).unwrap();
        let mut command = rootcast();
        command.arg("tar").arg(source).args(["--keep-module", "virtio_net,nfsd", "-o"]).arg(&archive);
        run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
        run(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&reduced)).success().unwrap();
        assert_eq!(loaded(&reduced, &version, "virtio-net").as_ref(), Some(&virtio));
        assert_eq!(loaded(&reduced, &version, "nfsd").as_ref(), Some(&nfsd));

        // The closure lists the new files.
        let mut command = rootcast();
        let listed = run(command.arg("closure").arg(source).args(["--keep-module", "virtio_net,nfsd"]));
        let listed = listed.success().unwrap().text();
        let written = texts(&directory(&reduced));
        for name in written.keys() {
            let path = format!("/lib/modules/{version}/{name}");
            assert!(listed.lines().any(|line| line == path), "{path}");
        }

        // depmod makes the same indices of what is kept.
        let order = String::from_utf8(written["modules.order"].clone()).unwrap();
        assert!(!order.is_empty() && order.lines().all(|line| directory(&reduced).join(line).exists()));
        let Some(mut depmod) = judges::command("depmod") else { return };
        let none = scratch.join("none");
        fs::create_dir_all(&none).unwrap();
        run(depmod.arg("-b").arg(&reduced).arg("-C").arg(&none).arg(&version)).success().unwrap();
        let expected = texts(&directory(&reduced));
        assert!(written.keys().eq(expected.keys()), "{:?}", expected.keys());
        for (name, bytes) in &expected {
            assert!(written[name] == *bytes, "{name} differs from that of depmod");
        }
        let modules = listed.lines().filter(|line| line.contains(".ko")).count();
        assert_eq!(expected["modules.dep"].split(|byte| *byte == b'\n').count() - 1, modules);
    }
}
