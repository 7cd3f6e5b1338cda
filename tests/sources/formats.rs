//! Files that are often given as a source but are not one are reported with their kind. The tools
//! that make them are the judges.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::judges;
use crate::product::{Outcome, Scratch, rootcast, run};

fn tree(source: &Path) -> Outcome {
    run(rootcast().arg("tree").arg(source))
}

/// Runs a shell script in a scratch directory that has a directory `root` of two files, and returns
/// the file it makes; `None` without the tool.
fn made(scratch: &Scratch, tool: &str, script: &str) -> Option<std::path::PathBuf> {
    judges::command(tool)?;
    let root = scratch.join("root");
    if !root.exists() {
        fs::create_dir(&root).unwrap();
        fs::write(root.join("a"), "content of a\n".repeat(100)).unwrap();
        fs::write(root.join("b"), "content of b\n").unwrap();
    }
    let mut shell = Command::new("/bin/sh");
    shell.args(["-euc", script]).current_dir(scratch.path());
    run(&mut shell).success().unwrap_or_else(|why| panic!("{why}"));
    Some(scratch.join("out"))
}

#[test]
fn unsupported_formats_are_named_with_a_remedy() {
    for (tool, script, words) in [
        ("mke2fs", "truncate -s 2M out; mke2fs -q -t ext4 out", &["is an ext2, ext3 or ext4", "debugfs"][..]),
        ("mkfs.erofs", "mkfs.erofs --quiet out root", &["is an EROFS", "fsck.erofs --extract"]),
        ("mksquashfs", "mksquashfs root out -quiet -no-progress", &["is a squashfs", "unsquashfs"]),
        ("cpio", "cd root; ls | cpio -o -H newc > ../out", &["is a cpio archive", "cpio -idm"]),
        (
            "cpio",
            "cd root; ls | cpio -o -H newc | gzip > ../out",
            &["compressed with gzip", "a cpio archive"],
        ),
        ("cpio", "cd root; ls | cpio -o -H newc | xz > ../out", &["compressed with xz", "a cpio archive"]),
        (
            "cpio",
            "cd root; ls | cpio -o -H newc | zstd -q > ../out",
            &["compressed with zstd", "a cpio archive"],
        ),
        ("gzip", "cat /bin/ls | gzip > out", &["compressed with gzip", "an ELF program"]),
        ("gzip", "seq 1 10000 | gzip > out", &["not a tar archive is in it", "a source is a directory"]),
        ("sfdisk", "truncate -s 4M out; echo ';' | sfdisk -q -X gpt out", &["is a disk with a GPT"]),
        ("sfdisk", "truncate -s 4M out; echo ';' | sfdisk -q -X dos out", &["is a disk with an MBR"]),
    ] {
        let scratch = Scratch::new();
        let Some(file) = made(&scratch, tool, script) else { continue };
        let outcome = tree(&file);
        assert_eq!(outcome.code, Some(3), "{script}: {outcome}");
        for word in words {
            assert!(outcome.stderr.contains(word), "{script}: no “{word}” in {outcome}");
        }
        assert!(outcome.stderr.contains(file.to_str().unwrap()), "{outcome}");
    }
}

#[test]
fn archives_of_every_compression_are_sources() {
    for filter in ["cat", "gzip", "xz", "zstd -q", "bzip2"] {
        let scratch = Scratch::new();
        let tool = filter.split(' ').next().filter(|tool| *tool != "cat").unwrap_or("tar");
        let script = format!("tar -c root | {filter} > out");
        let Some(file) = made(&scratch, tool, &script) else { continue };
        let outcome = tree(&file).success().unwrap_or_else(|why| panic!("{filter}: {why}"));
        assert!(outcome.text().contains("/root/a "), "{outcome}");
    }
}

#[test]
fn container_images_are_read_with_a_warning() {
    let scratch = Scratch::new();
    for (files, words) in [
        (&["oci-layout", "index.json"][..], ["OCI image layout", "oci:DIR"]),
        (&["manifest.json", "repositories"], ["docker save", "docker-archive:FILE"]),
        (&[".PKGINFO", ".SIGN.RSA.key"], ["package of Alpine", "apk add"]),
    ] {
        let image = scratch.join(files[0]);
        fs::create_dir(&image).unwrap();
        for file in files {
            fs::write(image.join(file), "{}").unwrap();
        }
        let outcome = tree(&image).success().unwrap_or_else(|why| panic!("{why}"));
        assert!(words.iter().all(|word| outcome.stderr.contains(word)), "{outcome}");
        fs::remove_file(image.join(files[0])).unwrap();
        let outcome = tree(&image).success().unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(outcome.stderr, "", "an ordinary tree");
    }
}

#[test]
fn names_that_are_not_paths_are_explained() {
    for (name, words) in [
        ("docker.io/library/alpine", ["skopeo copy docker://docker.io/library/alpine", "oci:DIR:TAG"]),
        ("alpine:latest", ["docker://alpine:latest", "oci:DIR:TAG"]),
        ("", ["rootcast: the source is an empty path", ""]),
        ("https://example.org/rootfs.tar", ["curl", "rootcast reads no URLs"]),
    ] {
        let outcome = run(rootcast().args(["tree", name]));
        assert_eq!(outcome.code, Some(6), "{outcome}");
        assert!(words.iter().all(|word| outcome.stderr.contains(word)), "{outcome}");
    }
}
