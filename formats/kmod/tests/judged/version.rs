//! A version of the kernel in a temporary directory, for depmod and for this crate.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs, io};

use kmod_index::{Entry, Module, Sources, is_module, plan};
use tempfile::TempDir;

const VERSION: &str = "1.2.3";

/// The files that depmod writes, by their names.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A directory `lib/modules/1.2.3`.
pub(crate) struct Version {
    root: TempDir,
}

impl Version {
    pub(crate) fn new() -> Self {
        let this = Self { root: tempfile::tempdir().expect("a temporary directory") };
        fs::create_dir_all(this.directory()).expect("the temporary directory takes one");
        fs::create_dir(this.root().join("configuration")).expect("the temporary directory takes one");
        this
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.root().join("lib/modules").join(VERSION)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.directory().join(name);
        fs::create_dir_all(path.parent().expect("it is below the version")).expect("it can be made");
        fs::write(path, bytes).expect("the temporary directory takes a file");
    }

    /// Adds a file by a symbolic link.
    pub(crate) fn link(&self, name: &str, target: &Path) {
        let path = self.directory().join(name);
        fs::create_dir_all(path.parent().expect("it is below the version")).expect("it can be made");
        symlink(target, path).expect("the temporary directory takes a link");
    }

    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.directory().join(name)).ok()
    }

    /// Returns what depmod 30 writes; `None` after a visible skip.
    pub(crate) fn depmod(&self) -> Option<Files> {
        let output = self.run("depmod", &["-b".as_ref(), self.root().as_os_str(), VERSION.as_ref()])?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        const NAMES: [&str; 10] = [
            "dep",
            "dep.bin",
            "alias",
            "alias.bin",
            "softdep",
            "symbols",
            "symbols.bin",
            "devname",
            "builtin.bin",
            "builtin.alias.bin",
        ];
        let name = |part: &str| format!("modules.{part}");
        let bytes = |part: &str| self.read(&name(part)).expect("depmod writes it");
        Some(NAMES.iter().map(|part| (name(part), bytes(part))).collect())
    }

    /// Runs a program of kmod without the configuration of the host; `None` after a visible skip.
    pub(crate) fn run(&self, program: &str, arguments: &[&std::ffi::OsStr]) -> Option<Output> {
        let path = env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command.args(arguments).arg("-C").arg(self.root().join("configuration"));
        command.env("LC_ALL", "C").env("PATH", format!("{path}:/usr/sbin:/sbin"));
        match command.output() {
            Ok(output) => Some(output),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                skip("kmod is not installed");
                None
            }
            Err(error) => panic!("{program} does not start: {error}"),
        }
    }

    /// Returns the indices of these modules.
    pub(crate) fn planned(&self, modules: &[Entry]) -> Files {
        let (order, builtin) = (self.read("modules.order"), self.read("modules.builtin"));
        let builtin_modinfo = self.read("modules.builtin.modinfo");
        let sources = Sources {
            modules,
            order: order.as_deref(),
            builtin: builtin.as_deref(),
            builtin_modinfo: builtin_modinfo.as_deref(),
        };
        let planned = plan(&sources).expect("they can be expressed").files;
        planned.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
    }

    /// Reads the modules in the directory.
    pub(crate) fn modules(&self) -> Vec<Entry> {
        modules(&self.directory())
    }

    /// Compares the indices of these modules with those of depmod. Returns false after a skip.
    pub(crate) fn check(&self, modules: &[Entry]) -> bool {
        let Some(expected) = self.depmod() else { return false };
        let mut planned = self.planned(modules);
        assert!(planned.remove("modules.weakdep").is_some(), "kmod 30 does not write it");
        assert!(planned.keys().eq(expected.keys()), "{:?}", planned.keys());
        for (name, bytes) in &expected {
            assert!(planned[name] == *bytes, "{name}: {}", difference(&planned[name], bytes));
        }
        true
    }
}

/// Returns the place at which two files differ.
fn difference(ours: &[u8], expected: &[u8]) -> String {
    let at = ours.iter().zip(expected).take_while(|(a, b)| a == b).count();
    let near =
        |bytes: &[u8]| bytes[at.saturating_sub(40)..bytes.len().min(at + 40)].escape_ascii().to_string();
    format!("byte {at}: {} and not {}", near(ours), near(expected))
}

/// Reads the modules below a directory, which are not compressed.
pub(crate) fn modules(version: &Path) -> Vec<Entry> {
    let (mut found, mut left) = (Vec::new(), vec![version.to_owned()]);
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).expect("it is readable") {
            let path = entry.expect("it is readable").path();
            if path.is_dir() {
                left.push(path);
            } else if is_module(path.as_os_str().as_bytes()) {
                let module = Module::parse(&fs::read(&path).expect("it is readable")).expect("it is valid");
                let relative = path.strip_prefix(version).expect("it is below");
                found.push(Entry::new(relative.as_os_str().to_owned().into_vec(), module));
            }
        }
    }
    found
}

/// Returns the modules' directory of Debian's cloud kernel, or `None` after a visible skip.
pub(crate) fn cloud_kernel() -> Option<PathBuf> {
    let versions = fs::read_dir("/lib/modules").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|entry| entry.path()).collect();
    found.retain(|path| path.as_os_str().as_bytes().ends_with(b"-cloud-amd64"));
    found.sort();
    let newest = found.pop();
    if newest.is_none() {
        skip("linux-image-cloud-amd64 is not installed");
    }
    newest
}

fn skip(what: &str) {
    let required = env::var_os("ROOTCAST_REQUIRE_JUDGES").is_some_and(|value| value == "1");
    assert!(!required, "{what}");
    // Written to the descriptor, because the output of the macros is hidden when a test passes.
    writeln!(io::stderr(), "SKIPPED: {what}").expect("it is open");
}
