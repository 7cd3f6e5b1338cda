//! The examples do what they say.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rootcast::closure::testing::build::Build as Elf;

use super::tree;
use crate::product::{Scratch, rootcast, run};

/// Returns the program of an example, which cargo has built with the tests, unless only some of them
/// were requested.
fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a test has a program");
    let folder = own.parent().and_then(Path::parent).expect("it is in the folder of the profile");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).env("CARGO_TARGET_DIR", folder.parent().expect("a folder"));
    cargo.args(["build", "--quiet", "--locked", "--offline", "--package", "rootcast", "--example", name]);
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    let built = run(&mut cargo);
    assert_eq!(built.code, Some(0), "{built}");
    folder.join("examples").join(name)
}

#[test]
fn layers_become_a_disk() {
    let scratch = Scratch::new();
    let layout = format!("oci:{}:latest", scratch.join("layout").display());
    let mut export = rootcast();
    export.arg("oci-export").arg(tree(&scratch)).args(["-o", &layout, "--platform", "linux/amd64", "-q"]);
    run(&mut export).success().expect("an image of containers");
    let disk = scratch.join("disk.img");
    let outcome = run(Command::new(example("layers_to_disk")).arg(&layout).arg(&disk));
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(outcome.text().contains(" bytes, gpt with an ext4 "), "{outcome}");
    let bytes = fs::metadata(&disk).expect("it was written").len();
    assert!(outcome.text().contains(&format!("{bytes} bytes")), "{outcome}");
}

#[test]
fn an_init_is_injected() {
    let scratch = Scratch::new();
    let source = tree(&scratch);
    let shell = Path::new(&source).join("bin/sh");
    fs::write(&shell, Elf::new().bytes()).expect("a program without a dynamic linker");
    fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let output = scratch.join("initrd.img");
    let mut command = Command::new(example("injected_init"));
    let outcome = run(command.arg(&source).arg(&output));
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let checked = run(rootcast().arg("check").arg(&output));
    assert_eq!(checked.code, Some(0), "{checked}");
}

#[test]
fn a_digest_is_that_of_the_command_line() {
    let scratch = Scratch::new();
    let source = tree(&scratch);
    let outcome = run(Command::new(example("digest")).arg(&source));
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let expected = run(crate::product::rootcast_as_root().arg("image").arg(&source).arg("--digest"));
    assert_eq!(outcome.text(), expected.text());
}

#[test]
fn an_image_is_served() {
    let scratch = Scratch::new();
    let source = tree(&scratch);
    let disk = scratch.join("disk.img");
    let mut image = crate::product::rootcast_as_root();
    run(image.arg("image").arg(&source).arg("-o").arg(&disk).arg("-q")).success().expect("a disk");
    let written = fs::read(&disk).expect("it was written");
    let mut command = Command::new(example("serve"));
    command.arg(&source).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = command.spawn().expect("it starts");
    let (half, rest) = (written.len() / 2, written.len() - written.len() / 2);
    let requests = format!("0 {half}\n{half} {rest}\n");
    server.stdin.take().expect("a pipe").write_all(requests.as_bytes()).expect("it reads");
    let output = server.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout == written, "the served bytes differ");
}
