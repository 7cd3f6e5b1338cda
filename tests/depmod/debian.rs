//! Kernels of Debian 12 and 13, downloaded into roots of their own: a long test.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use kmod_index::Index;

use super::version::{Indices, Version, assert_same, linked, module_paths};
use crate::judges;
use crate::product::{Scratch, run};

/// Returns the sources of a suite: those of this machine, with the name of its suite replaced.
fn sources(suite: &str) -> Option<String> {
    let mut targets = judges::command("apt-get")?;
    targets.args(["indextargets", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages"]);
    let targets = run(&mut targets).success().unwrap_or_else(|why| panic!("{why}")).text();
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let own = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let lines: BTreeSet<String> = targets
        .lines()
        .filter_map(|line| {
            let (site, release) = line.split_once(' ')?;
            let pocket = release.strip_prefix(own?)?;
            let signed = "signed-by=/usr/share/keyrings/debian-archive-keyring.gpg";
            Some(format!("deb [{signed}] {site} {suite}{pocket} main\n"))
        })
        .collect();
    if lines.is_empty() {
        judges::skip("apt-get", "its sources name no suite of Debian whose name can be replaced");
        return None;
    }
    Some(lines.into_iter().collect())
}

/// A package manager of a suite and architecture, which changes nothing of this machine.
pub(crate) struct Apt {
    scratch: Scratch,
}

impl Apt {
    pub(crate) fn new(suite: &str, architecture: &str) -> Option<Self> {
        let apt = Self { scratch: Scratch::below(Path::new("/var/tmp")) };
        for directory in ["lists/partial", "cache/archives/partial", "parts", "preferences"] {
            fs::create_dir_all(apt.scratch.join(directory)).unwrap();
        }
        let list = sources(suite)?;
        fs::write(apt.scratch.join("sources.list"), list).unwrap();
        fs::write(apt.scratch.join("status"), "").unwrap();
        let root = apt.scratch.path().display();
        let configuration = format!(
            "Dir::State \"{root}\";\nDir::State::status \"{root}/status\";\nDir::State::lists \"{root}/lists\";\n\
             Dir::Cache \"{root}/cache\";\nDir::Etc::sourcelist \"{root}/sources.list\";\n\
             Dir::Etc::sourceparts \"{root}/parts\";\nDir::Etc::preferencesparts \"{root}/preferences\";\n\
             APT::Architecture \"{architecture}\";\nAPT::Architectures \"{architecture}\";\n\
             APT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\n"
        );
        fs::write(apt.scratch.join("apt.conf"), configuration).unwrap();
        apt.run(&["update"])?;
        Some(apt)
    }

    fn run(&self, arguments: &[&str]) -> Option<()> {
        let mut apt = judges::command("apt-get")?;
        apt.env("APT_CONFIG", self.scratch.join("apt.conf")).args(arguments);
        run(apt.current_dir(self.scratch.path())).success().unwrap_or_else(|why| panic!("{why}"));
        Some(())
    }

    /// The directory with the files of the unpacked packages.
    pub(crate) fn root(&self) -> PathBuf {
        self.scratch.join("root")
    }

    /// Downloads and unpacks packages, and returns the directory with their files.
    pub(crate) fn unpack(&self, packages: &[&str]) -> Option<PathBuf> {
        self.run(&[&["download"], packages].concat())?;
        let root = self.root();
        for entry in fs::read_dir(self.scratch.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                let mut dpkg = judges::command("dpkg-deb")?;
                run(dpkg.arg("-x").arg(&path).arg(&root)).success().unwrap_or_else(|why| panic!("{why}"));
                fs::remove_file(path).unwrap();
            }
        }
        Some(root)
    }

    /// Downloads the kernel that a package of this name depends on, and returns the directory of
    /// its modules.
    pub(crate) fn kernel(&self, name: &str) -> Option<PathBuf> {
        let mut cache = Command::new("apt-cache");
        cache.env("APT_CONFIG", self.scratch.join("apt.conf")).args(["depends", name]);
        let shown = run(&mut cache).success().unwrap_or_else(|why| panic!("{why}")).text();
        let package = shown.lines().find_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
        let root = self.unpack(&[&format!("linux-image-{}", package.expect("it depends on a kernel"))])?;
        let modules = ["lib/modules", "usr/lib/modules"].map(|path| root.join(path));
        let modules = modules.into_iter().find(|path| path.exists()).expect("a kernel has modules");
        Some(fs::read_dir(modules).unwrap().next().unwrap().unwrap().path())
    }
}

/// Compares the indices of a kernel, of all its modules and of ten parts.
fn compare(kernel: &Path, assert_same: &dyn Fn(&Version)) {
    assert_same(&linked(kernel));
    let paths = module_paths(kernel);
    for part in 0..10 {
        let version = Version::of(kernel);
        for path in paths.iter().skip(part).step_by(3 + part) {
            version.copy(kernel, path);
        }
        assert_same(&version);
    }
}

#[test]
fn kernels_of_debian_12_get_the_indices_of_depmod() {
    if !judges::long_tests() {
        return;
    }
    for (architecture, kernel) in
        [("amd64", "linux-image-amd64"), ("amd64", "linux-image-cloud-amd64"), ("arm64", "linux-image-arm64")]
    {
        let Some(apt) = Apt::new("bookworm", architecture) else { return };
        let Some(kernel) = apt.kernel(kernel) else { return };
        compare(&kernel, &|version| {
            let ours = version.indices(&["-q"]);
            let Some(expected) = version.depmod() else { return };
            self::assert_same(&ours, &expected);
        });
    }
}

/// Its depmod puts the parent of a trie's nodes before its children.
#[test]
fn kernels_of_debian_13_get_the_contents_of_its_depmod() {
    if !judges::long_tests() {
        return;
    }
    let Some(apt) = Apt::new("trixie", "amd64") else { return };
    let packages = ["kmod", "libkmod2", "libc6", "libssl3t64", "liblzma5", "libzstd1", "zlib1g"];
    let Some(root) = apt.unpack(&packages) else { return };
    let Some(kernel) = apt.kernel("linux-image-cloud-amd64") else { return };
    let libraries = root.join("usr/lib/x86_64-linux-gnu");
    compare(&kernel, &|version| {
        let mut depmod = Command::new(libraries.join("ld-linux-x86-64.so.2"));
        depmod
            .arg("--library-path")
            .arg(&libraries)
            .args(["--argv0", "depmod"])
            .arg(root.join("usr/bin/kmod"));
        let ours = version.indices(&["-q"]);
        let expected = version.run_depmod(depmod);
        assert_eq!(ours.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (name, bytes) in &expected {
            match name.ends_with(".bin") {
                true => assert_eq!(contents(&ours, name), contents(&expected, name), "{name}"),
                false => assert!(ours[name] == *bytes, "{name} differs from that of depmod"),
            }
        }
    });
}

type Contents = Vec<(Vec<u8>, u32, Vec<u8>)>;

fn contents(indices: &Indices, name: &str) -> Contents {
    let mut found = Vec::new();
    let index = Index::parse(&indices[name]).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut visit = |key: &[u8], value: kmod_index::Value<'_>| {
        found.push((key.to_vec(), value.priority, value.text.to_vec()));
        ControlFlow::Continue(())
    };
    index.for_each(&mut visit).unwrap_or_else(|error| panic!("{name}: {error}"));
    found
}
