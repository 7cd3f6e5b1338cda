//! Images that other programs make, and what umoci unpacks of them.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::layout::{Layer, Layout, oci, usual};
use crate::judges;
use crate::product::{Scratch, rootcast, rootcast_as_root, run};

fn good(command: &mut Command) -> crate::product::Outcome {
    run(command).success().unwrap_or_else(|why| panic!("{why}"))
}

/// Compares the tree of an image with the one that umoci unpacks of it as root: types, modes,
/// owners, links, devices, xattrs and bytes, and which names are one file.
pub(super) fn compare_with_umoci(scratch: &Scratch, layout: &Path, reference: &str) {
    let Some(mut umoci) = judges::command("umoci") else { return };
    let bundle = scratch.join("bundle");
    let image = format!("{}:{reference}", layout.display());
    good(umoci.args(["unpack", "--image", &image]).arg(&bundle));
    let tree = |source: &std::ffi::OsStr| {
        let mut command = rootcast_as_root();
        command.args([
            "tar",
            "--owner",
            "keep",
            "--image-config",
            "none",
            "--digest",
            "--xattr-filter",
            "drop=security.selinux",
        ]);
        // umoci gives directories without an entry the time of unpacking.
        good(command.arg(source).args([
            "--source-date-epoch",
            "1600000000",
            "--clamp-mtime-min",
            "1600000000",
        ]))
        .text()
    };
    let unpacked = tree(bundle.join("rootfs").as_os_str());
    assert_eq!(tree(format!("{}:{reference}", oci(layout)).as_ref()), unpacked, "{image}");
    fs::remove_dir_all(bundle).unwrap();
}

#[test]
fn umoci_unpacks_the_same_tree() {
    if !judges::is_root() {
        judges::skip("umoci", "only root unpacks owners and devices");
        return;
    }
    let scratch = Scratch::new();
    let layout = Layout::new(scratch.join("layout"));
    layout.image(&usual().into_iter().map(Layer::gzip).collect::<Vec<_>>());
    compare_with_umoci(&scratch, &layout.0, "latest");
}

#[test]
fn images_that_umoci_makes_are_read() {
    if !judges::is_root() {
        judges::skip("umoci", "only root keeps owners");
        return;
    }
    let scratch = Scratch::new();
    let (layout, rootfs) = (scratch.join("layout"), scratch.join("bundle/rootfs"));
    let umoci = |arguments: &[&str]| {
        let mut umoci = judges::command("umoci")?;
        umoci.current_dir(scratch.path()).args(arguments);
        good(&mut umoci);
        Some(())
    };
    let Some(()) = umoci(&["init", "--layout", "layout"]) else { return };
    umoci(&["new", "--image", "layout:v1"]);
    umoci(&["unpack", "--image", "layout:v1", "bundle"]);
    fs::create_dir_all(rootfs.join("etc/old")).unwrap();
    fs::write(rootfs.join("etc/old/f"), "one").unwrap();
    fs::write(rootfs.join("etc/kept"), "kept").unwrap();
    std::os::unix::fs::chown(rootfs.join("etc/kept"), Some(7), Some(8)).unwrap();
    umoci(&["repack", "--image", "layout:v1", "--refresh-bundle", "bundle"]);
    fs::remove_dir_all(rootfs.join("etc/old")).unwrap();
    fs::write(rootfs.join("etc/new"), "two").unwrap();
    umoci(&["repack", "--image", "layout:v2", "bundle"]);
    umoci(&["config", "--image", "layout:v2", "--config.cmd", "/etc/new"]);
    good(Command::new("chmod").args(["-R", "a+rX"]).arg(&layout));
    let source = format!("{}:v2", oci(&layout));
    let text = good(rootcast().args(["tree", &source, "--image-config", "none"])).text();
    let paths: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(paths, ["/", "/etc", "/etc/kept", "/etc/new"], "{text}");
    assert!(text.contains("/etc/kept 4 100644 1 7 8"), "{text}");
    let json = good(rootcast().args(["tar", &source, "--dry-run", "--json", "-q"])).text();
    assert!(json.contains("\"/etc/new\"") && json.contains("\"layers\": 2"), "{json}");
}
