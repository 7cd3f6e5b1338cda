//! Archives of apt's sources, and the keys that have to sign them.

use std::fs;

use super::repository::{Archive, failed, names};
use crate::product::{Outcome, rootcast, run};

/// Selects packages of a release of apt's sources, with further arguments.
fn resolve(archive: &Archive, release: &str, sources: &str, arguments: &[&str]) -> Outcome {
    let file = archive.scratch.join("of-apt.list");
    fs::write(&file, sources).expect("a file");
    let mut command = rootcast();
    command.args(["resolve", release, "--arch", "amd64", "--apt-sources"]).arg(file).args(arguments);
    run(&mut command)
}

#[test]
fn archives_are_those_of_apts_sources() {
    let Some(archive) = Archive::new() else { return };
    let root = archive.root();
    let root = root.display();
    let key = archive.keyring();
    let key = key.display();
    let resolve = |release: &str, sources: &str, name: &str| {
        let file = archive.scratch.join(name);
        fs::write(&file, sources).expect("a new file");
        let mut command = rootcast();
        command.args(["resolve", release, "--arch", "amd64", "--apt-sources"]).arg(file);
        run(&mut command)
    };
    let sources = format!(
        "Types: deb\nURIs: file:{root}\nSuites: noble\nComponents: main\n# a note\nSigned-By: {key}\n\n\
         Types: deb\nURIs: http://localhost:1/\nSuites: noble\nEnabled: no\n"
    );
    let found = resolve("deb:noble", &sources, "a.sources").success().unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(names(&found), ["base-files", "bash", "libc6"]);
    let line = format!("deb [signed-by={key}] file:{root} noble main\n");
    resolve("deb:noble", &line, "a.list").success().unwrap_or_else(|why| panic!("{why}"));
    let expected = "have no archive of it; --mirror URL names one, and --keyring FILE its keys";
    failed(&resolve("deb:jammy", &line, "a.list"), 2, expected);
    failed(&resolve("deb:noble", &format!("deb file:{root} noble main\n"), "b.list"), 2, "--keyring FILE");
    failed(&resolve("deb:noble", "deb noble\n", "c.list"), 3, "line 1: a source has a URI and a suite");
    let odd = format!("deb [signed-by=ABCD] file:{root} noble main\n");
    failed(&resolve("deb:noble", &odd, "d.list"), 3, "Signed-By \"ABCD\" is not an absolute path");
}

#[test]
fn entries_are_signed_by_the_keys_that_they_name() {
    let Some(archive) = Archive::new() else { return };
    let (root, key) = (archive.root(), archive.keyring());
    let (root, key) = (root.display(), key.display());
    let other = archive.further_key("Other");
    let other = other.display();
    let (own, foreign) = (archive.fingerprint("Test archive"), archive.fingerprint("Other"));
    let named = |keys: &str| {
        let sources = format!("deb [signed-by={keys}] file:{root} noble main\n");
        resolve(&archive, "deb:noble", &sources, &[])
    };
    let both = format!("{key},{other}");
    for accepted in [&own, &own.to_lowercase(), &format!("{own}!"), &format!("{foreign},{own}")] {
        named(&format!("{both},{accepted}")).success().unwrap_or_else(|why| panic!("{accepted}: {why}"));
    }
    let expected = format!("is signed by {own}, which Signed-By in apt's sources does not name");
    for refused in [&foreign, &format!("{foreign}!")] {
        failed(&named(&format!("{both},{refused}")), 3, &expected);
    }
    let keys = key.to_string();
    let by_fingerprint = format!("deb [signed-by={foreign}] file:{root} noble main\n");
    failed(&resolve(&archive, "deb:noble", &by_fingerprint, &["--keyring", &keys]), 3, &expected);
    failed(&resolve(&archive, "deb:noble", &by_fingerprint, &[]), 2, "its keys are not on this host");

    // The keys of one entry do not count for another one.
    let sources = format!(
        "deb [signed-by={other}] file:{root} noble main\ndeb [signed-by={key}] file:/nonexistent noble main\n"
    );
    failed(&resolve(&archive, "deb:noble", &sources, &[]), 3, "none of which is in");
    // One that names no key is skipped if another one serves.
    let sources = format!("deb file:{root} noble main\ndeb [signed-by={key}] file:{root}/. noble main\n");
    let found = resolve(&archive, "deb:noble", &sources, &[]);
    let found = found.success().unwrap_or_else(|why| panic!("{why}"));
    let text = found.to_string();
    assert!(
        text.contains("an archive of apt's sources is skipped") && text.contains("an empty keyring"),
        "{text}"
    );
}

#[test]
fn archives_by_other_keys_are_skipped_with_a_message() {
    let Some(archive) = Archive::new() else { return };
    let other = archive.scratch.join("other");
    fs::create_dir_all(other.join("dists/noble")).expect("a new directory");
    let signed = fs::read_to_string(archive.root().join("dists/noble/InRelease")).expect("a file");
    fs::write(other.join("dists/noble/InRelease"), signed.replacen("Ubuntu", "Ubuntv", 1)).expect("a file");
    let (root, other) = (archive.root(), other.display());
    let (key, root) = (archive.keyring(), root.display());
    let keyring = ["--keyring", key.to_str().expect("UTF-8")];
    let sources = format!("deb file:{other} noble main\ndeb file:{root} noble main\n");
    let found = resolve(&archive, "ubuntu:noble", &sources, &keyring);
    let found = found.success().unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(names(&found), ["base-files", "bash", "libc6"]);
    let expected = format!("an archive of apt's sources is skipped: file:{other}/dists/noble/InRelease: ");
    assert!(found.to_string().contains(&expected), "{found}");
    let only = format!("deb file:{other} noble main\n");
    failed(&resolve(&archive, "ubuntu:noble", &only, &keyring), 3, "the text was changed");
    // A pocket that was changed is not one of somebody else: it is not left out.
    fs::create_dir_all(archive.root().join("dists/noble-security")).expect("a new directory");
    fs::write(archive.root().join("dists/noble-security/InRelease"), signed.replacen("Ubuntu", "Ubuntv", 1))
        .expect("a file");
    failed(&resolve(&archive, "ubuntu:noble", &sources, &keyring), 3, "noble-security/InRelease");
}
