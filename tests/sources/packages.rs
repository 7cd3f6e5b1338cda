//! Debian packages as sources. dpkg makes them, and judges what becomes of them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::judges;
use crate::product::{Outcome, Scratch, rootcast, run};

/// Packages that dpkg-deb makes in a scratch directory.
struct Debs {
    scratch: Scratch,
}

impl Debs {
    /// Returns none if dpkg is not there.
    fn new() -> Option<Self> {
        judges::command("dpkg-deb")?;
        judges::command("dpkg")?;
        Some(Self { scratch: Scratch::new() })
    }

    /// Makes a package. `fields` are further lines of its control file; `script` makes its files in
    /// the current directory.
    fn make(&self, name: &str, fields: &str, compression: &str, script: &str) -> PathBuf {
        let root = self.scratch.join(format!("build-{name}"));
        fs::create_dir_all(root.join("DEBIAN")).unwrap();
        let architecture = if fields.contains("Architecture:") { "" } else { "Architecture: amd64\n" };
        let version = if fields.contains("Version:") { "" } else { "Version: 1\n" };
        let control = format!(
            "Package: {name}\n{version}{architecture}Maintainer: a <a@b.c>\n{fields}Description: short\n long\n"
        );
        fs::write(root.join("DEBIAN/control"), control).unwrap();
        shell(&root, &format!("umask 022; {script}"));
        let file = self.scratch.join(format!("{name}.deb"));
        let level = format!("-Z{compression}");
        let mut build = judges::command("dpkg-deb").unwrap();
        build.args([&level, "-b"]).arg(&root).arg(&file);
        run(&mut build).success().unwrap_or_else(|why| panic!("{why}"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        file
    }

    /// Makes the packages that most tests begin with: links of a merged `/usr`, a package that uses
    /// them, and one that replaces a file of that.
    fn usual(&self) -> Vec<PathBuf> {
        let base = self.make(
            "base-files",
            "Essential: yes\n",
            "xz",
            "mkdir -p usr/bin usr/lib etc tmp; chmod 1777 tmp; ln -s usr/bin bin; ln -s usr/lib lib
             echo issue > etc/issue; echo /etc/issue > DEBIAN/conffiles",
        );
        let one = self.make(
            "one",
            "Multi-Arch: same\nSection: misc\nDepends: base-files (>= 1)\n",
            "zstd",
            "mkdir -p bin usr/share/doc/one etc/one; echo one > bin/one; ln bin/one bin/again; ln -s one bin/link
             echo x > usr/share/doc/one/copyright; echo x > usr/share/doc/one/README; echo c > etc/one/conf
             echo same > usr/share/same; echo old > usr/share/taken
             echo /etc/one/conf > DEBIAN/conffiles
             printf '#!/bin/sh\\nexit 0\\n' > DEBIAN/postinst; chmod 755 DEBIAN/postinst
             printf 'interest /usr/share/x\\ninterest-noawait named\\nactivate ldconfig\\n' > DEBIAN/triggers",
        );
        let two = self.make(
            "two",
            "Version: 2\nReplaces: one (<< 2)\nArchitecture: all\n",
            "gzip",
            "mkdir -p usr/share; echo new > usr/share/taken; echo two > usr/share/two
             md5sum usr/share/* > DEBIAN/md5sums",
        );
        let three =
            self.make("three", "", "none", "mkdir -p usr/lib; head -c 100000 /dev/zero > usr/lib/three");
        vec![base, one, two, three]
    }

    /// Writes the tree of packages as a tar archive, and unpacks it.
    fn unpacked(&self, packages: &[PathBuf], arguments: &[&str]) -> PathBuf {
        let archive = self.scratch.join("out.tar");
        let mut command = rootcast();
        command.arg("tar").args(packages).args(arguments).arg("-o").arg(&archive);
        run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
        let root = self.scratch.join(format!("out-{}", arguments.len()));
        fs::create_dir(&root).unwrap();
        let mut tar = judges::command("tar").unwrap();
        tar.arg("-xpf").arg(&archive).arg("-C").arg(&root);
        run(&mut tar).success().unwrap_or_else(|why| panic!("{why}"));
        root
    }

    fn fails(&self, packages: &[&Path]) -> Outcome {
        let outcome = run(rootcast().arg("tree").args(packages));
        assert_eq!(outcome.code, Some(3), "{outcome}");
        outcome
    }
}

fn shell(directory: &Path, script: &str) -> Outcome {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-euc", script]).current_dir(directory);
    run(&mut shell).success().unwrap_or_else(|why| panic!("{why}"))
}

/// Returns one line for each file below a directory: type, permissions, link, and checksum.
fn listed(root: &Path, below: &str) -> String {
    let script = format!(
        "cd {below}; find . -printf '%P %y %m %l\\n' | LC_ALL=C sort; find . -type f | LC_ALL=C sort | xargs -r md5sum"
    );
    shell(root, &script).text()
}

#[test]
fn packages_become_the_tree_and_the_database_of_dpkg() {
    let Some(debs) = Debs::new() else { return };
    if !judges::is_root() {
        return judges::skip("dpkg", "only root may unpack packages with it");
    }
    let packages = debs.usual();
    let judge = debs.scratch.join("judge");
    shell(
        debs.scratch.path(),
        "mkdir -p judge/var/lib/dpkg/info judge/var/lib/dpkg/updates; touch judge/var/lib/dpkg/status \
         judge/var/lib/dpkg/available",
    );
    let mut dpkg = judges::command("dpkg").unwrap();
    dpkg.arg(format!("--root={}", judge.display()))
        .args(["--force-architecture", "--unpack"])
        .args(&packages);
    run(&mut dpkg).success().unwrap_or_else(|why| panic!("{why}"));
    // dpkg gives configuration files their names when it configures a package.
    shell(&judge, "mv etc/issue.dpkg-new etc/issue; mv etc/one/conf.dpkg-new etc/one/conf");
    // It wrote the checksums of this package before another one took a file of it.
    shell(&judge, "sed -i '/taken/d' var/lib/dpkg/info/one:amd64.md5sums");
    let reversed: Vec<PathBuf> = packages.iter().rev().cloned().collect();
    let root = debs.unpacked(&reversed, &[]);
    for below in ["etc", "usr", "tmp", "var/lib/dpkg/info"] {
        assert_eq!(listed(&root, below), listed(&judge, below), "{below}");
    }
    let status = |root: &Path| fs::read_to_string(root.join("var/lib/dpkg/status")).unwrap();
    let expected = status(&judge)
        .replace("ok unpacked", "ok installed")
        .replace("issue newconffile", "issue 6b7576fd27ac36a4b3fff0d2b7b5b3a1")
        .replace("conf newconffile", "conf 2cd6ee2c70b0bde53fbe6cac3c8b8bb1");
    let issue = shell(&root, "md5sum < etc/issue").text();
    let expected = expected.replace("6b7576fd27ac36a4b3fff0d2b7b5b3a1", issue.split(' ').next().unwrap());
    let sorted = |text: &str| {
        let mut stanzas: Vec<String> = text.trim_end().split("\n\n").map(str::to_owned).collect();
        stanzas.sort();
        stanzas
    };
    assert_eq!(sorted(&status(&root)), sorted(&expected));
    for name in ["File", "named"] {
        let read = |root: &Path| fs::read_to_string(root.join("var/lib/dpkg/triggers").join(name)).unwrap();
        assert_eq!(read(&root), read(&judge));
    }
    let query = |words: &[&str]| {
        let mut dpkg = judges::command("dpkg").unwrap();
        dpkg.arg(format!("--root={}", root.display())).args(words);
        run(&mut dpkg).success().unwrap_or_else(|why| panic!("{why}")).text()
    };
    assert_eq!(query(&["--verify"]), "");
    assert_eq!(query(&["--audit"]), "");
    assert!(query(&["-S", "/usr/share/taken"]).starts_with("two:"));
    assert!(query(&["-L", "one:amd64"]).contains("/usr/share/doc/one/copyright"));
    fs::write(root.join("usr/share/two"), "changed").unwrap();
    assert!(query(&["--verify"]).contains("/usr/share/two"), "the judge notices a change");
}

#[test]
fn order_threads_and_cache_do_not_change_a_byte() {
    let Some(debs) = Debs::new() else { return };
    let packages = debs.usual();
    let cache = debs.scratch.join("cache");
    let digest = |packages: &[PathBuf], arguments: &[&str]| {
        let mut command = rootcast();
        command.arg("image").args(packages).args(["--size", "64M", "--digest"]).args(arguments);
        run(&mut command).success().unwrap_or_else(|why| panic!("{why}"))
    };
    let expected = digest(&packages, &["-j", "1"]).text();
    let reversed: Vec<PathBuf> = packages.iter().rev().cloned().collect();
    let cached = ["-v", "--cache", cache.to_str().unwrap()];
    assert_eq!(digest(&reversed, &["-j", "4"]).text(), expected);
    assert_eq!(digest(&packages, &cached).text(), expected);
    let again = digest(&packages, &cached);
    assert_eq!(again.text(), expected);
    // The package that is not compressed is read in place.
    assert_eq!(again.stderr.matches("it was in the cache").count(), 3, "{again}");
    for entry in fs::read_dir(&cache).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        bytes[700] ^= 1;
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    }
    let damaged = digest(&packages, &cached);
    assert_eq!(damaged.text(), expected);
    assert_eq!(damaged.stderr.matches("its entry in the cache is damaged").count(), 3, "{damaged}");
    assert!(!digest(&packages, &cached).stderr.contains("damaged"));
}

#[test]
fn packages_are_added_to_the_sources_before_them() {
    let Some(debs) = Debs::new() else { return };
    let root = debs.scratch.join("root");
    shell(
        debs.scratch.path(),
        "mkdir -p root/usr/bin root/etc; ln -s usr/bin root/bin; echo 'user:x:77:88::/:' > root/etc/passwd
         echo 'group:x:99:' > root/etc/group; chmod -R a+rX root",
    );
    let one = debs.make("one", "", "xz", "mkdir bin; echo x > bin/one; echo y > own; mkdir empty");
    let tree = run(rootcast().arg("tree").arg(&root).arg(&one).args(["--package-db", "none"]));
    let text = tree.success().unwrap_or_else(|why| panic!("{why}")).text();
    assert!(text.contains("/usr/bin/one 2 ") && text.contains("/bin 7 120777"), "{text}");
    // Names of owners are those of the sources before.
    let named = debs.scratch.join("named.deb");
    shell(
        debs.scratch.path(),
        "mkdir n; cd n; ar x ../one.deb; mkdir d; echo z > d/f
         tar -cf data.tar --owner=user:1 --group=group:2 --sort=name -C d ./f; rm data.tar.xz
         ar rc ../named.deb debian-binary control.tar.xz data.tar",
    );
    let tree = run(rootcast().arg("tree").arg(&root).arg(&named).args(["--package-db", "none"]));
    let text = tree.success().unwrap_or_else(|why| panic!("{why}")).text();
    assert!(text.contains("/f 2 100644 1 77 99 "), "{text}");
    let outcome = debs.fails(&[&named]);
    for words in ["/f of one", "the user \"user\"", "the group \"group\"", "--owner"] {
        assert!(outcome.stderr.contains(words), "{outcome}");
    }
    let owned = run(rootcast().arg("tree").arg(&named).args(["--owner", "5:6"]));
    assert!(owned.success().unwrap_or_else(|why| panic!("{why}")).text().contains("/f 2 100644 1 5 6 "));
}

#[test]
fn conflicts_name_both_packages() {
    let Some(debs) = Debs::new() else { return };
    let file = |name: &str, text: &str| debs.make(name, "", "xz", &format!("mkdir d; printf '{text}' > d/f"));
    let (one, two, same) = (file("one", "1"), file("two", "2"), file("same", "1"));
    let outcome = debs.fails(&[&one, &two]);
    for words in ["two.deb: ./d/f: is a file here, and a file in ", "one.deb", "--path-exclude"] {
        assert!(outcome.stderr.contains(words), "{outcome}");
    }
    run(rootcast().arg("tree").args([&one, &same])).success().unwrap_or_else(|why| panic!("{why}"));
    let link = debs.make("link", "", "xz", "ln -s e d");
    let outcome = debs.fails(&[&one, &link]);
    assert!(outcome.stderr.contains("one.deb") && outcome.stderr.contains("link.deb"), "{outcome}");
    let outcome = debs.fails(&[&one, &debs_copy(&debs, &one)]);
    assert!(outcome.stderr.contains("one of both can be in a tree"), "{outcome}");
}

fn debs_copy(debs: &Debs, file: &Path) -> PathBuf {
    let copy = debs.scratch.join("copy.deb");
    fs::copy(file, &copy).unwrap();
    copy
}

#[test]
fn paths_are_left_out_as_dpkg_does() {
    let Some(debs) = Debs::new() else { return };
    if !judges::is_root() {
        return judges::skip("dpkg", "only root may unpack packages with it");
    }
    let package = debs.make(
        "one",
        "",
        "xz",
        "mkdir -p usr/share/doc/one/examples usr/share/doc/two usr/share/locale/de usr/share/locale/fr/x usr/share/man
         echo c > usr/share/doc/one/copyright; echo r > usr/share/doc/one/README; ln -s one usr/share/doc/three
         echo e > usr/share/doc/one/examples/e; echo d > usr/share/locale/de/d; echo f > usr/share/locale/fr/f
         echo a > usr/share/man/a; ln usr/share/man/a usr/share/b",
    );
    let rules = [
        "--path-exclude=/usr/share/doc/*",
        "--path-include=/usr/share/doc/*/copyright",
        "--path-exclude=/usr/share/locale/?[!e]*",
        "--path-exclude=/usr/share/man/[b-z]*",
    ];
    shell(
        debs.scratch.path(),
        "mkdir -p judge/var/lib/dpkg/info judge/var/lib/dpkg/updates; touch judge/var/lib/dpkg/status \
         judge/var/lib/dpkg/available",
    );
    let judge = debs.scratch.join("judge");
    let mut dpkg = judges::command("dpkg").unwrap();
    dpkg.arg(format!("--root={}", judge.display())).arg("--force-architecture").args(rules);
    run(dpkg.arg("--unpack").arg(&package)).success().unwrap_or_else(|why| panic!("{why}"));
    let root = debs.unpacked(std::slice::from_ref(&package), &rules);
    for below in ["usr", "var/lib/dpkg/info"] {
        assert_eq!(listed(&root, below), listed(&judge, below), "{below}");
    }
    // The contents of an excluded file stay for a hard link to it.
    let root = debs.unpacked(&[package], &["--path-exclude=/usr/share/man/*"]);
    let first = ["usr/share/b", "usr/share/man/a"].map(|path| root.join(path).exists());
    assert!(first[0] ^ first[1]);
}

#[test]
fn damaged_packages_are_refused_with_their_name() {
    let Some(debs) = Debs::new() else { return };
    let package = debs.make("one", "", "xz", "mkdir d; head -c 20000 /dev/urandom > d/f");
    let bytes = fs::read(&package).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = debs.scratch.join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let cut = file("cut.deb", &bytes[..bytes.len() - 100]);
    assert!(debs.fails(&[&cut]).stderr.contains("cut.deb: is not a Debian package"));
    let mut changed = bytes.clone();
    let last = bytes.len() - 5000;
    changed[last] ^= 0x40;
    let changed = file("changed.deb", &changed);
    let outcome = debs.fails(&[&changed]);
    assert!(outcome.stderr.contains("changed.deb: data.tar.xz: "), "{outcome}");
    let hostile = |name: &str, script: &str| {
        shell(
            debs.scratch.path(),
            &format!(
                "rm -rf h; mkdir h; cd h; ar x ../one.deb; rm data.tar.xz; {script}; chmod a+r ../{name}"
            ),
        );
        debs.scratch.join(name)
    };
    let ar = "debian-binary control.tar.xz";
    for (name, script, words) in [
        (
            "up.deb",
            format!(
                "echo x > f; tar -cPf data.tar --transform='s,f,../../f,' f; ar rc ../up.deb {ar} data.tar"
            ),
            "component \"..\"",
        ),
        (
            "twice.deb",
            format!(
                "tar -cf data.tar -T /dev/null; cp data.tar data.tar.gz; ar rc ../twice.deb {ar} data.tar data.tar.gz"
            ),
            "has both data.tar and data.tar.gz",
        ),
        ("none.deb", format!("ar rc ../none.deb {ar}"), "has no member data.tar"),
        (
            "bomb.deb",
            format!("truncate -s 3G f; tar -c f | gzip -1 > data.tar.gz; ar rc ../bomb.deb {ar} data.tar.gz"),
            "--max-size",
        ),
    ] {
        let file = hostile(name, &script);
        let mut command = rootcast();
        command.arg("tree").arg(&file).args(["--max-size", "1G"]);
        let outcome = run(&mut command);
        assert_eq!(outcome.code, Some(3), "{outcome}");
        assert!(outcome.stderr.contains(name), "{outcome}");
        assert!(outcome.stderr.contains(words), "{name}: {outcome}");
    }
}

#[test]
fn lists_of_packages_are_reported() {
    let Some(debs) = Debs::new() else { return };
    let packages = debs.usual();
    let (spdx, cyclonedx) = (debs.scratch.join("spdx.json"), debs.scratch.join("cyclonedx.json"));
    let mut command = rootcast();
    command
        .arg("initrd")
        .args(&packages)
        .args(["--json", "--init", "none", "-o"])
        .arg(debs.scratch.join("out"));
    command.arg("--sbom").arg(format!("spdx:{}", spdx.display()));
    command.arg("--sbom").arg(format!("cyclonedx:{}", cyclonedx.display()));
    let outcome = run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
    let report: Value = serde_json::from_str(&outcome.text()).unwrap();
    let names = |value: &Value| -> Vec<String> {
        let listed = value.as_array().unwrap().iter();
        listed.map(|package| package["name"].as_str().unwrap().to_owned()).collect()
    };
    let expected = ["base-files", "one", "three", "two"];
    assert_eq!(names(&report["packages"]), expected);
    assert_eq!(report["packages"][3]["version"], "2");
    assert_eq!(report["packages"][0]["reason"], "requested as a file");
    let read = |path: &Path| -> Value { serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap() };
    assert_eq!(names(&read(&spdx)["packages"]), expected);
    assert_eq!(names(&read(&cyclonedx)["components"]), expected);
    let root = debs.unpacked(&packages, &["--package-db", "status.d"]);
    let files = shell(&root.join("var/lib/dpkg"), "find . -type f | LC_ALL=C sort").text();
    let expected = "./status.d/base-files\n./status.d/base-files.md5sums\n./status.d/one\n./status.d/one.md5sums\n\
                    ./status.d/three\n./status.d/three.md5sums\n./status.d/two\n./status.d/two.md5sums\n";
    assert_eq!(files, expected);
}
