//! Directories of modules, and the indices that programs write for them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::judges;
use crate::product::{Outcome, Scratch, rootcast, run};

/// Indices by their names.
pub(crate) type Indices = BTreeMap<String, Vec<u8>>;

/// The files that a kernel has and depmod reads.
const TEXTS: [&str; 3] = ["modules.order", "modules.builtin", "modules.builtin.modinfo"];

/// The files that depmod 30 writes.
pub(crate) const WRITTEN: [&str; 10] = [
    "modules.alias",
    "modules.alias.bin",
    "modules.builtin.alias.bin",
    "modules.builtin.bin",
    "modules.dep",
    "modules.dep.bin",
    "modules.devname",
    "modules.softdep",
    "modules.symbols",
    "modules.symbols.bin",
];

/// A root with `lib/modules/1.2.3`.
pub(crate) struct Version {
    pub(crate) scratch: Scratch,
}

impl Version {
    pub(crate) fn new() -> Self {
        let version = Self { scratch: Scratch::new() };
        fs::create_dir_all(version.directory()).unwrap();
        version
    }

    /// Returns a version with the texts of a kernel and no module.
    pub(crate) fn of(kernel: &Path) -> Self {
        let version = Self::new();
        for name in TEXTS {
            fs::copy(kernel.join(name), version.directory().join(name)).unwrap();
        }
        version
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.scratch.join("lib/modules/1.2.3")
    }

    pub(crate) fn file(&self, path: &str, bytes: &[u8]) {
        let path = self.directory().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Adds a module of a kernel by a link, or a copy for a program that follows no link out of
    /// the directory.
    pub(crate) fn copy(&self, kernel: &Path, path: &str) {
        self.file(path, &fs::read(kernel.join(path)).unwrap());
    }

    /// Runs `rootcast depmod`, which writes into a directory that is new.
    pub(crate) fn rootcast(&self, arguments: &[&str]) -> Outcome {
        let out = self.scratch.join("out/indices");
        let _ = fs::remove_dir_all(&out);
        run(rootcast().arg("depmod").arg(self.directory()).arg("-o").arg(out).args(arguments))
    }

    /// Returns the indices that rootcast writes.
    pub(crate) fn indices(&self, arguments: &[&str]) -> Indices {
        self.rootcast(arguments).success().unwrap_or_else(|why| panic!("{why}"));
        read(&self.scratch.join("out/indices"))
    }

    /// Returns the indices of a depmod, which replace none in the directory; `None` after a visible
    /// skip.
    pub(crate) fn depmod(&self) -> Option<Indices> {
        let command = judges::command("depmod")?;
        Some(self.run_depmod(command))
    }

    /// Runs a depmod without the configuration of the host.
    pub(crate) fn run_depmod(&self, mut command: Command) -> Indices {
        let configuration = self.scratch.join("configuration");
        fs::create_dir_all(&configuration).unwrap();
        command.arg("-b").arg(self.scratch.path()).arg("-C").arg(configuration).arg("1.2.3");
        run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
        let mut written = read(&self.directory());
        written.retain(|name, _| !TEXTS.contains(&name.as_str()));
        written
    }
}

/// Makes a root whose `lib/modules/1.2.3` is a directory elsewhere.
pub(crate) fn linked(kernel: &Path) -> Version {
    let version = Version { scratch: Scratch::new() };
    fs::create_dir_all(version.scratch.join("lib/modules")).unwrap();
    symlink(kernel, version.directory()).unwrap();
    version
}

/// Reads the files of a directory whose names begin with `modules.`.
pub(crate) fn read(directory: &Path) -> Indices {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.path().is_file());
    let named = files.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    named
        .filter(|(name, _)| name.starts_with("modules."))
        .map(|(name, path)| (name, fs::read(path).unwrap()))
        .collect()
}

/// Compares indices with those of depmod 30, byte for byte.
pub(crate) fn assert_same(ours: &Indices, expected: &Indices) {
    assert!(expected.keys().map(String::as_str).eq(WRITTEN), "{:?}", expected.keys());
    let names: Vec<&str> =
        ours.keys().map(String::as_str).filter(|name| *name != "modules.weakdep").collect();
    assert_eq!(names, WRITTEN);
    for (name, bytes) in expected {
        assert!(ours[name] == *bytes, "{name} differs from that of depmod");
    }
}

/// Returns the paths of a kernel's modules below its directory, in order.
pub(crate) fn module_paths(kernel: &Path) -> Vec<String> {
    let (mut found, mut left) = (Vec::new(), vec![kernel.to_owned()]);
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.to_str().is_some_and(|path| path.contains(".ko")) {
                found.push(path.strip_prefix(kernel).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Returns the directory of the modules of Debian's cloud kernel, or `None` after a visible skip.
pub(crate) fn cloud_kernel() -> Option<PathBuf> {
    let kernel = judges::cloud_kernel()?;
    let version = kernel.file_name().unwrap().to_str().unwrap().strip_prefix("vmlinuz-").unwrap().to_owned();
    Some(Path::new("/lib/modules").join(version))
}
