//! The modules of a kernel, beside those that modprobe loads.

use std::collections::BTreeSet;
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
