//! Command lines and their results.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use self::inputs::scratch;
use crate::judges;
use crate::product::{Outcome, Scratch, rootcast, run};

mod case;
mod closure;
mod edits;
mod erofs;
mod filesystem;
mod general;
mod initrd;
mod inputs;
mod metadata;
mod names;
mod outputs;
mod recipes;
mod reports;
mod sources;
mod verity;

#[test]
fn a_closed_standard_error_is_not_an_error() {
    let scratch = scratch();
    let mut command = rootcast();
    command.arg("image").arg(scratch.join("source")).arg("-o").arg(scratch.join("out-of-closed")).arg("-v");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = command.stderr(writer).spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_source_file_without_read_permission_is_named() {
    let scratch = scratch();
    let secret = scratch.join("source/secret");
    fs::write(&secret, "root's").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    let outcome = image(&scratch);
    assert!(matches!(outcome.code, Some(3 | 6)), "{outcome}");
    assert!(outcome.stderr.contains("source/secret"), "{outcome}");
    assert!(!scratch.join("out").exists(), "an image was left behind");
}

#[test]
fn an_existing_output_is_replaced_as_a_whole() {
    let scratch = scratch();
    let out = scratch.file("out", vec![0xff; 1 << 20]);
    if judges::is_root() {
        std::os::unix::fs::chown(&out, Some(crate::product::NOBODY), None).unwrap();
    }
    image(&scratch).success().unwrap();
    let first = fs::read(&out).unwrap();
    fs::remove_file(&out).unwrap();
    image(&scratch).success().unwrap();
    assert!(first == fs::read(&out).unwrap(), "the image has bytes of the file it replaced");
}

fn image(scratch: &Scratch) -> Outcome {
    run(rootcast().arg("image").arg(scratch.join("source")).arg("-o").arg(scratch.join("out")))
}
