//! An archive like that of Ubuntu, made by the tools of Debian, with a key of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::judges;
use crate::product::{Outcome, Scratch, rootcast, run};

/// A package: name, version, and the further fields of its control file.
type Package = (&'static str, &'static str, &'static str);

const PACKAGES: [Package; 8] = [
    ("base-files", "13ubuntu10", "Essential: yes\nPriority: required\n"),
    ("libc6", "2.39-0ubuntu8", "Priority: optional\n"),
    ("bash", "5.2.21-2ubuntu4", "Essential: yes\nPriority: required\nPre-Depends: libc6 (>= 2.38)\n"),
    ("init", "1.66ubuntu1", "Priority: important\nDepends: systemd-sysv | runit\n"),
    ("systemd-sysv", "255.4-1ubuntu8", "Depends: systemd (= 255.4-1ubuntu8)\n"),
    ("systemd", "255.4-1ubuntu8", "Depends: libc6\nRecommends: dbus\n"),
    ("dbus", "1.14.10-4ubuntu4", "Provides: dbus-bus\n"),
    ("broken", "1", "Depends: systemd (>= 256)\n"),
];

/// An archive below a directory.
pub(super) struct Archive {
    pub(super) scratch: Scratch,
    gnupg: PathBuf,
}

impl Archive {
    /// Makes the archive of a suite; `None` after a visible skip.
    pub(super) fn new() -> Option<Self> {
        let scratch = Scratch::new();
        let gnupg = scratch.join("gnupg");
        let archive = Self { scratch, gnupg };
        fs::create_dir_all(archive.root().join("pool/main")).expect("a new directory");
        fs::create_dir_all(archive.root().join("dists/noble/main/binary-amd64")).expect("a new directory");
        archive.judged()?;
        for (name, version, fields) in PACKAGES {
            archive.package(name, version, fields);
        }
        fs::DirBuilder::new().create(&archive.gnupg).expect("a new directory");
        let private = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o700);
        fs::set_permissions(&archive.gnupg, private).expect("it is there");
        archive.gpg(&["--quick-generate-key", "Test archive", "ed25519", "sign", "never"]);
        archive.gpg(&["--output", archive.keyring().to_str().expect("UTF-8"), "--export"]);
        archive.publish("noble", "");
        Some(archive)
    }

    /// Finds all tools; `None` after a visible skip.
    fn judged(&self) -> Option<()> {
        ["gpg", "dpkg-deb", "apt-ftparchive", "xz"]
            .iter()
            .try_for_each(|tool| judges::command(tool).map(drop))
    }

    pub(super) fn root(&self) -> PathBuf {
        self.scratch.join("archive")
    }

    pub(super) fn keyring(&self) -> PathBuf {
        self.scratch.join("key.gpg")
    }

    fn package(&self, name: &str, version: &str, fields: &str) {
        let tree = self.scratch.join(format!("tree-{name}"));
        fs::create_dir_all(tree.join("DEBIAN")).expect("a new directory");
        let fields = if fields.contains("Priority") {
            fields.to_owned()
        } else {
            format!("{fields}Priority: optional\n")
        };
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: Test <t@example.org>\n{fields}Description: test\n"
        );
        fs::write(tree.join("DEBIAN/control"), control).expect("a new file");
        let file = self.root().join(format!("pool/main/{name}_{version}_amd64.deb"));
        let mut build = judges::command("dpkg-deb").expect("it was found before");
        done(build.args(["-Zzstd", "--root-owner-group", "--build"]).arg(&tree).arg(file));
    }

    fn gpg(&self, arguments: &[&str]) {
        let mut gpg = judges::command("gpg").expect("it was found before");
        gpg.args(["--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""]);
        done(gpg.arg("--homedir").arg(&self.gnupg).args(arguments));
    }

    /// Writes the indices of a suite with further fields of its Release file, and signs them.
    pub(super) fn publish(&self, suite: &str, more: &str) {
        let binary = format!("dists/{suite}/main/binary-amd64");
        fs::create_dir_all(self.root().join(&binary)).expect("a new directory");
        let ftparchive = || {
            let mut command = judges::command("apt-ftparchive").expect("it was found before");
            command.current_dir(self.root());
            command
        };
        let packages = done(ftparchive().args(["packages", "pool/main"])).stdout;
        let index = self.root().join(&binary).join("Packages");
        fs::write(&index, packages).expect("a new file");
        done(judges::command("xz").expect("it was found before").arg("-kf").arg(&index));
        let dists = self.root().join("dists").join(suite);
        for old in ["InRelease", "Release"] {
            let _ = fs::remove_file(dists.join(old));
        }
        let setting = |name: &str, value: &str| format!("APT::FTPArchive::Release::{name}={value}");
        let mut release = ftparchive();
        for (name, value) in [
            ("Origin", "Ubuntu"),
            ("Suite", suite),
            ("Codename", "noble"),
            ("Architectures", "amd64"),
            ("Components", "main"),
        ] {
            release.arg("-o").arg(setting(name, value));
        }
        let text = done(release.arg("release").arg(format!("dists/{suite}"))).stdout;
        fs::write(dists.join("Release"), [more.as_bytes(), &text].concat()).expect("a new file");
        self.sign(&dists, &["--clearsign"], "InRelease");
        let _ = fs::remove_file(dists.join("Release"));
    }

    /// Signs the Release file of a directory into another file.
    pub(super) fn sign(&self, dists: &Path, how: &[&str], to: &str) {
        let (signed, plain) = (dists.join(to), dists.join("Release"));
        let mut arguments = vec!["--output", signed.to_str().expect("UTF-8")];
        arguments.extend(how);
        arguments.push(plain.to_str().expect("UTF-8"));
        self.gpg(&arguments);
    }

    /// Makes a further key, and returns the file of it alone.
    pub(super) fn further_key(&self, name: &str) -> PathBuf {
        let file = self.scratch.join(format!("{name}.gpg"));
        self.gpg(&["--quick-generate-key", name, "ed25519", "sign", "never"]);
        self.gpg(&["--output", file.to_str().expect("UTF-8"), "--export", name]);
        file
    }

    /// Returns the fingerprint of a key by its name.
    pub(super) fn fingerprint(&self, name: &str) -> String {
        let mut gpg = judges::command("gpg").expect("it was found before");
        gpg.arg("--homedir").arg(&self.gnupg).args(["--with-colons", "--list-keys", name]);
        let listed = done(&mut gpg).text();
        let line = listed.lines().find(|line| line.starts_with("fpr:")).expect("a key has one");
        line.split(':').nth(9).expect("the tenth field is the fingerprint").to_owned()
    }

    /// Returns a command of a verb on the archive.
    pub(super) fn command(&self, verb: &str, arguments: &[&str]) -> Command {
        let mut command = rootcast();
        command.args([verb, "ubuntu:noble", "--arch", "amd64", "--mirror"]);
        command
            .arg(format!("file:{}", self.root().display()))
            .arg("--keyring")
            .arg(self.keyring())
            .args(arguments);
        command
    }

    fn resolve(&self, arguments: &[&str]) -> Outcome {
        run(&mut self.command("resolve", arguments))
    }
}

fn done(command: &mut Command) -> Outcome {
    run(command).success().unwrap_or_else(|why| panic!("{why}"))
}

/// Returns the names of packages that are printed.
pub(super) fn names(outcome: &Outcome) -> Vec<String> {
    let text = outcome.text();
    text.lines().filter_map(|line| line.split('=').next()).map(str::to_owned).collect()
}

pub(super) fn failed(outcome: &Outcome, code: i32, expected: &str) {
    assert_eq!(outcome.code, Some(code), "{outcome}");
    let text = outcome.to_string();
    assert!(text.contains(expected), "{expected:?} is not in {text}");
}

#[test]
fn packages_of_an_archive_are_selected_with_reasons() {
    let Some(archive) = Archive::new() else { return };
    let outcome = archive.resolve(&["--include", "init"]).success().unwrap_or_else(|why| panic!("{why}"));
    let text = outcome.text();
    assert_eq!(names(&outcome), ["base-files", "bash", "init", "libc6", "systemd", "systemd-sysv"]);
    for expected in ["bash=5.2.21-2ubuntu4", "essential", "requested", "Pre-Depends of bash: libc6 (>= 2.38)"]
    {
        assert!(text.contains(expected), "{text}");
    }
    assert!(outcome.to_string().contains("noble-security is in no archive, and left out"), "{outcome}");
    let more = archive.resolve(&["--variant", "important", "--recommends"]);
    assert!(names(&more).contains(&"dbus".to_owned()), "{more}");
    let json = archive.resolve(&["--include", "dbus-bus", "--variant", "custom", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(report["packages"][0]["name"], "dbus");
    assert_eq!(report["packages"][0]["path"], "pool/main/dbus_1.14.10-4ubuntu4_amd64.deb");
    if let Some(mut jsonschema) = judges::command("jsonschema") {
        let instance = archive.scratch.join("report.json");
        fs::write(&instance, &json.stdout).expect("a new file");
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/resolve.schema.json");
        done(jsonschema.arg("-i").arg(instance).arg(schema));
    }

    failed(
        &archive.resolve(&["--include", "broken"]),
        3,
        "broken 1 depends: systemd (>= 256), but the archives have systemd 255.4-1ubuntu8",
    );
    failed(&archive.resolve(&["--include", "nothing"]), 3, "nothing is not in the archives");
    failed(&archive.resolve(&["--pocket", "backports"]), 3, "no archive has the suite noble-backports");
    failed(
        &archive.resolve(&["--components", "universe"]),
        3,
        "the component universe is not in the archive for amd64; its components are main",
    );
    let expected = "noble has no packages for i386; its architectures are amd64";
    failed(&archive.resolve(&["--foreign-arch", "i386"]), 3, expected);
    let misspelt = archive.resolve(&["--exclude-package", "dbsu"]);
    assert_eq!(names(&misspelt), names(&archive.resolve(&[])));
    assert!(misspelt.to_string().contains("dbsu is not the name of a package of the archives"), "{misspelt}");
    let mut foreign = archive.command("resolve", &[]);
    failed(&run(foreign.args(["--arch", "s390x"])), 2, "cannot be used multiple times");
}

#[test]
fn archives_that_are_not_as_signed_are_refused() {
    let Some(archive) = Archive::new() else { return };
    let signed = archive.root().join("dists/noble/InRelease");
    let index = archive.root().join("dists/noble/main/binary-amd64/Packages.xz");
    let (text, packed) = (fs::read_to_string(&signed).expect("text"), fs::read(&index).expect("a file"));

    fs::write(&signed, text.replacen("Ubuntu", "Ubuntv", 1)).expect("a file");
    failed(&archive.resolve(&[]), 3, "InRelease");
    fs::write(&signed, &text).expect("a file");

    let mut changed = packed.clone();
    changed[100] ^= 1;
    fs::write(&index, changed).expect("a file");
    failed(&archive.resolve(&[]), 3, "the mirror mixes files of different days");
    fs::remove_file(&index).expect("a file");
    failed(&archive.resolve(&[]), 6, "main/binary-amd64/Packages.xz of noble");
    fs::write(&index, &packed).expect("a file");
    archive.resolve(&[]).success().unwrap_or_else(|why| panic!("{why}"));

    // A Release file of another suite cannot be passed off as that of this one.
    let other = archive.root().join("dists/jammy");
    fs::create_dir_all(&other).expect("a new directory");
    fs::copy(&signed, other.join("InRelease")).expect("a file");
    let mut command = rootcast();
    command.args(["resolve", "ubuntu:jammy", "--arch", "amd64", "--mirror"]);
    command.arg(format!("file:{}", archive.root().display())).arg("--keyring").arg(archive.keyring());
    failed(&run(&mut command), 3, "is of the suite noble (noble), and not of jammy");

    archive.publish("noble", "Valid-Until: Thu, 01 Jan 2026 00:00:00 UTC\n");
    failed(&archive.resolve(&[]), 3, "expired");
}

#[test]
fn pockets_lack_packages_only_if_they_were_not_named() {
    let Some(archive) = Archive::new() else { return };
    archive.publish("noble-updates", "");
    archive.resolve(&["--pocket", "updates"]).success().unwrap_or_else(|why| panic!("{why}"));
    let found = archive.resolve(&["--components", "main"]);
    assert!(!found.to_string().contains("noble-updates"), "{found}");

    // The same pocket, whose Release file lists indices of another component alone.
    let dists = archive.root().join("dists/noble-updates");
    let text = fs::read_to_string(dists.join("InRelease")).expect("a file");
    let start = text.find("\n\n").expect("the end of the headers") + 2;
    let end = text.find("-----BEGIN PGP SIGNATURE").expect("it is signed");
    fs::write(dists.join("Release"), text[start..end].replace("main/", "other/")).expect("a file");
    archive.sign(&dists, &["--clearsign"], "InRelease");
    let found = archive.resolve(&[]).success().unwrap_or_else(|why| panic!("{why}"));
    let expected = "noble-updates has no packages for amd64, and is left out";
    assert!(found.to_string().contains(expected), "{found}");
    let expected = "noble-updates has no packages for amd64; its architectures are amd64";
    failed(&archive.resolve(&["--pocket", "updates"]), 3, expected);

    let both = ["--components", "main,other", "--pocket", "updates"];
    failed(&archive.resolve(&both), 3, "the component other is not in the archive for amd64");
}
