//! The forms of modules in a tree: from another directory, decompressed, and without debug sections.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::kernel::compress;
use super::version::{Version, cloud_kernel, module_paths};
use crate::judges;
use crate::product::{Outcome, Scratch, rootcast, run};

/// Parts of the paths of the modules that the tests use.
const PATHS: [&str; 7] = ["/virtio", "failover", "/dm-", "/loop.", "/zram", "zsmalloc", "/lib/"];

/// Returns a small version of the installed kernel, or `None` after a visible skip.
pub(crate) fn small_version() -> Option<Version> {
    let kernel = cloud_kernel()?;
    let version = Version::of(&kernel);
    for path in module_paths(&kernel).iter().filter(|path| PATHS.iter().any(|part| path.contains(part))) {
        version.copy(&kernel, path);
    }
    Some(version)
}

/// Adds debug sections to a module, and the signature that it had, which is wrong now.
pub(crate) fn add_debug_sections(scratch: &Scratch, module: &Path) -> Option<()> {
    let code = scratch.file("debug.c", "static int used_by_nothing __attribute__((used)) = 1;\n");
    let (object, linked) = (scratch.join("debug.o"), scratch.join("linked.ko"));
    let mut gcc = judges::command("gcc")?;
    gcc.args(["-g", "-c", "-fno-pic", "-mcmodel=kernel", "-o"]).arg(&object).arg(&code);
    run(&mut gcc).success().unwrap_or_else(|why| panic!("{why}"));
    let mut ld = judges::command("ld")?;
    run(ld.args(["-r", "-o"]).arg(&linked).arg(module).arg(&object)).success().unwrap();
    let signed = fs::read(module).unwrap();
    let signature = kmod_index::Signature::find(&signed).unwrap().expect("Debian signs its modules");
    let mut bytes = fs::read(linked).unwrap();
    bytes.extend(&signed[usize::try_from(signature.module_len).unwrap()..]);
    fs::write(module, bytes).unwrap();
    Some(())
}

/// Returns the output of `rootcast tar`, whose archive is unpacked into `out` of the scratch.
fn reduced(scratch: &Scratch, arguments: &[&str]) -> Result<PathBuf, Outcome> {
    let (archive, out) = (scratch.join("out.tar"), scratch.join("out"));
    let _ = fs::remove_dir_all(&out);
    let _ = fs::remove_file(&archive);
    let outcome = run(rootcast().arg("tar").args(arguments).arg("-o").arg(&archive));
    if outcome.code != Some(0) {
        return Err(outcome);
    }
    fs::create_dir(&out).unwrap();
    run(std::process::Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&out)).success().unwrap();
    Ok(out)
}

/// Returns the modules that modprobe loads from a directory for a name, by the ends of their paths.
fn loaded(root: &Path, name: &str) -> Option<Vec<String>> {
    let mut modprobe = judges::command("modprobe")?;
    modprobe.args(["-C", "/dev/null", "-S", "1.2.3", "--show-depends", "-d"]).arg(root).arg(name);
    let shown = run(&mut modprobe).success().unwrap_or_else(|why| panic!("{why}")).text();
    let names = shown.lines().filter(|line| line.starts_with("insmod"));
    Some(names.map(|line| line.trim().rsplit('/').next().unwrap().to_owned()).collect())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn modules_of_another_directory_are_added_alone() {
    let Some(version) = small_version() else { return };
    let scratch = Scratch::new();
    let (root, modules) = (scratch.join("root"), version.scratch.join("lib/modules"));
    fs::create_dir_all(root.join("usr/lib")).unwrap();
    symlink("usr/lib", root.join("lib")).unwrap();
    symlink("/nowhere", version.directory().join("build")).unwrap();
    // A directory for modprobe --dirname, with all that it reads.
    let wanted = ["--modules", text(&modules), "--keep-module", "virtio-net,zram"];
    let out = reduced(&scratch, &[&[text(&root)], &wanted[..]].concat()).unwrap();
    let Some(names) = loaded(&out, "virtio-net") else { return };
    assert!(
        names.contains(&"failover.ko".to_owned()) && names.last().unwrap() == "virtio_net.ko",
        "{names:?}"
    );
    assert_eq!(loaded(&out, "zram").unwrap(), ["zsmalloc.ko", "zram.ko"]);
    assert!(!out.join("usr/lib/modules/1.2.3/kernel/drivers/md").exists());
    // Without --keep the tree has all modules, and indices.
    let out = reduced(&scratch, &[text(&root), "--modules", text(&version.directory())]).unwrap();
    let paths = module_paths(&out.join("usr/lib/modules/1.2.3"));
    assert_eq!(paths, module_paths(&version.directory()));
    assert!(out.join("usr/lib/modules/1.2.3/modules.dep.bin").exists());
    assert!(fs::symlink_metadata(out.join("usr/lib/modules/1.2.3/build")).is_err());
    // An edit that removes some is known to the indices of the others.
    fs::create_dir(root.join("usr/lib/modules")).unwrap();
    let mut cp = judges::command("cp").unwrap();
    run(cp.arg("-a").arg(version.directory()).arg(root.join("usr/lib/modules"))).success().unwrap();
    let without = ["--exclude", "/usr/lib/modules/*/kernel/drivers/md/**"];
    let out = reduced(&scratch, &[&[text(&root)], &without[..]].concat()).unwrap();
    let dep = fs::read_to_string(out.join("usr/lib/modules/1.2.3/modules.dep")).unwrap();
    assert!(dep.contains("zram.ko:") && !dep.contains("dm-"), "{dep}");
    // The same modules may be there already; others may not.
    reduced(&scratch, &[&[text(&root)], &wanted[..]].concat()).unwrap();
    fs::write(root.join("usr/lib/modules/1.2.3/kernel/other.ko"), "x").unwrap();
    let refused = reduced(&scratch, &[&[text(&root)], &wanted[..]].concat()).unwrap_err();
    assert_eq!(refused.code, Some(3));
    let message = "--modules: /usr/lib/modules/1.2.3/kernel/other.ko is not as in ";
    assert!(refused.stderr.contains(message), "{refused}");
    let refused = reduced(&scratch, &[&[text(&root), "--kver", "2"], &wanted[..]].concat()).unwrap_err();
    assert!(refused.stderr.contains("has no such version; it has 1.2.3"), "{refused}");
}

#[test]
fn compressed_modules_become_plain_ones_with_their_links_and_indices() {
    let (Some(version), Some(plain)) = (small_version(), small_version()) else { return };
    let directory = version.directory();
    for (number, path) in module_paths(&directory).iter().enumerate() {
        let (program, arguments, ending): (_, &[&str], _) = match number % 3 {
            0 => ("xz", &["-0", "--check=crc32"], "xz"),
            1 => ("zstd", &["-q"], "zst"),
            _ => ("gzip", &[], "gz"),
        };
        if compress(&directory.join(path), program, arguments, ending).is_none() {
            return;
        }
    }
    let zram = module_paths(&directory).into_iter().find(|path| path.contains("zram.ko")).unwrap();
    let ending = zram.rsplit_once(".ko").unwrap().1;
    fs::create_dir(directory.join("updates")).unwrap();
    symlink(format!("../{zram}"), directory.join(format!("updates/linked.ko{ending}"))).unwrap();
    let scratch = Scratch::new();
    let root = version.scratch.path();
    let flags = ["--keep-module", "virtio_net,zram,linked,dm-crypt", "--kmod-compress", "none"];
    let out = reduced(&scratch, &[&[text(root)], &flags[..]].concat()).unwrap();
    let found = out.join("lib/modules/1.2.3");
    let paths = module_paths(&found);
    assert!(paths.len() > 8 && paths.iter().all(|path| path.ends_with(".ko")), "{paths:?}");
    for path in paths.iter().filter(|path| !path.starts_with("updates")) {
        assert!(
            fs::read(found.join(path)).unwrap() == fs::read(plain.directory().join(path)).unwrap(),
            "{path}"
        );
    }
    let linked = fs::read_link(found.join("updates/linked.ko")).unwrap();
    assert_eq!(linked, Path::new("..").join(zram.strip_suffix(ending).unwrap()));
    let written = |name: &str| fs::read(found.join(name)).unwrap();
    let before: Vec<Vec<u8>> = super::version::WRITTEN.iter().map(|name| written(name)).collect();
    let Some(mut depmod) = judges::command("depmod") else { return };
    fs::create_dir(scratch.join("none")).unwrap();
    run(depmod.arg("-C").arg(scratch.join("none")).arg("-b").arg(&out).arg("1.2.3")).success().unwrap();
    for (name, before) in super::version::WRITTEN.iter().zip(before) {
        assert!(before == written(name), "{name} is not that of depmod");
    }
    // The closure has the new names, and the reasons for them.
    let mut closure = rootcast();
    closure.arg("closure").arg(root).args(flags);
    let listed = run(&mut closure).success().unwrap_or_else(|why| panic!("{why}")).text();
    assert!(listed.lines().all(|line| !line.contains(".ko.")), "{listed}");
    let why = run(closure.args(["--why", "/lib/modules/1.2.3/kernel/net/core/failover.ko"]));
    let why = why.success().unwrap_or_else(|why| panic!("{why}")).text();
    assert!(why.contains("net_failover.ko, which is a module that"), "{why}");
}

/// Returns the relocations that `readelf` lists, without the numbers of symbols.
fn relocations(module: &Path) -> Option<BTreeSet<String>> {
    let mut readelf = judges::command("readelf")?;
    let shown = run(readelf.arg("-rW").arg(module)).success().unwrap_or_else(|why| panic!("{why}"));
    assert!(shown.stderr.is_empty(), "{shown}");
    let (mut section, mut found) = (String::new(), BTreeSet::new());
    for line in shown.text().lines() {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["Relocation", "section", name, ..] => section = name.to_owned(),
            [offset, _, kind, ref rest @ ..] if kind.starts_with("R_") => {
                found.insert(format!("{section} {offset} {kind} {}", rest.join(" ")));
            }
            _ => {}
        }
    }
    Some(found)
}

#[test]
fn debug_sections_and_signatures_are_removed_as_strip_does() {
    let Some(version) = small_version() else { return };
    let scratch = Scratch::new();
    let paths = module_paths(&version.directory());
    let path = paths.iter().find(|path| path.ends_with("/virtio_net.ko")).unwrap();
    let module = version.directory().join(path);
    if add_debug_sections(&scratch, &module).is_none() {
        return;
    }
    let root = version.scratch.path();
    let flags = [text(root), "--keep-module", "virtio_net", "--strip-modules"];
    let out = reduced(&scratch, &flags).unwrap();
    let (found, unchanged) = (out.join("lib/modules/1.2.3"), "kernel/net/core/failover.ko");
    let stripped = found.join(path);
    let read = |path: &Path| fs::read(path).unwrap();
    assert!(read(&found.join(unchanged)) == read(&version.directory().join(unchanged)), "it had none");
    let (Some(mut readelf), Some(mut strip)) = (judges::command("readelf"), judges::command("strip")) else {
        return;
    };
    let sections = run(readelf.arg("-SW").arg(&stripped)).success().unwrap_or_else(|why| panic!("{why}"));
    assert!(sections.stderr.is_empty() && !sections.text().contains(".debug_"), "{sections}");
    let expected = scratch.join("expected.ko");
    run(strip.arg("-g").arg("-o").arg(&expected).arg(&module)).success().unwrap();
    assert_eq!(relocations(&stripped), relocations(&expected));
    assert!(relocations(&stripped).is_none_or(|all| all.len() > 1000));
    assert!(!read(&stripped).ends_with(b"~Module signature appended~\n"));
    let info = |module: &Path| {
        let mut modinfo = judges::command("modinfo").unwrap();
        run(modinfo.arg(module)).success().unwrap().text().split_once('\n').unwrap().1.to_owned()
    };
    assert_eq!(info(&stripped), info(&expected));
    assert!(loaded(&out, "virtio-net").unwrap().ends_with(&["virtio_net.ko".to_owned()]));
    // Nothing changes where the kernel needs signatures, or what is compressed would be unpacked.
    fs::create_dir(root.join("boot")).unwrap();
    fs::write(root.join("boot/config-1.2.3"), "CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_FORCE=y\n").unwrap();
    let refused = reduced(&scratch, &flags).unwrap_err();
    let message = "would lose its signature, and by /boot/config-1.2.3 the kernel loads signed modules only";
    assert!(refused.code == Some(3) && refused.stderr.contains(message), "{refused}");
    fs::remove_file(root.join("boot/config-1.2.3")).unwrap();
    if compress(&module, "xz", &["-0", "--check=crc32"], "xz").is_some() {
        let refused = reduced(&scratch, &flags).unwrap_err();
        assert!(refused.stderr.contains("--strip-modules needs --kmod-compress none"), "{refused}");
        let out = reduced(&scratch, &[&flags[..], &["--kmod-compress", "none"]].concat()).unwrap();
        assert_eq!(relocations(&out.join("lib/modules/1.2.3").join(path)), relocations(&expected));
    }
}
