//! Formats of files that are often named as a source and are not supported, with the way to convert
//! them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use image_tree::{InodeId, Tree};

/// The number of first bytes of a file within which every format below is recognized.
pub(super) const PEEK: usize = 66 << 10;

/// A format recognized by bytes at fixed offsets.
struct Format {
    /// The bytes that must all match, each with its offset from the start of the file, in bytes.
    magic: &'static [(usize, &'static [u8])],
    name: &'static str,
    /// The way to convert it into a source: the end of a sentence.
    hint: &'static str,
}

const fn format(magic: &'static [(usize, &'static [u8])], name: &'static str, hint: &'static str) -> Format {
    Format { magic, name, hint }
}

const TO_RAW: &str = "convert it with `qemu-img convert -O raw`, and copy its root filesystem out of that";
const CPIO: &str = "unpack it with `cpio -idm < FILE` or `bsdtar -xf FILE` into a directory, and name that";
const UNZIP: &str = "unpack it with `bsdtar -xf FILE` into a directory, and name that";
const UNMOUNTED: &str =
    "mount it, or copy it into a tar archive in a virtual machine (`virt-tar-out -a FILE / out.tar`)";

/// The formats, the more specific before the more general.
const FORMATS: &[Format] = &[
    format(&[(0, b"QFI\xfb")], "a qcow2 disk image", TO_RAW),
    format(&[(0, b"KDMV")], "a VMDK disk image", TO_RAW),
    format(&[(0, b"vhdxfile")], "a VHDX disk image", TO_RAW),
    format(&[(0, b"conectix")], "a VHD disk image", TO_RAW),
    format(
        &[(0, b"hsqs")],
        "a squashfs filesystem",
        "unpack it with `unsquashfs -d DIR FILE`, or pipe `sqfs2tar FILE` into rootcast, which reads it as -",
    ),
    format(
        &[(1024, b"\xe2\xe1\xf5\xe0")],
        "an EROFS filesystem",
        "unpack it with `fsck.erofs --extract=DIR FILE`, and name the directory",
    ),
    format(&[(0, b"XFSB")], "an XFS filesystem", UNMOUNTED),
    format(&[(65600, b"_BHRfS_M")], "a btrfs filesystem", UNMOUNTED),
    format(
        &[(32769, b"CD001")],
        "an ISO 9660 image",
        "unpack it with `bsdtar -xf FILE` into a directory; the root of a live system is often a squashfs in it",
    ),
    format(
        &[(1080, b"\x53\xef")],
        "an ext2, ext3 or ext4 filesystem",
        "mount it, or copy it out with `debugfs -R 'rdump / DIR' FILE`, and name the directory",
    ),
    format(
        &[(512, b"EFI PART")],
        "a disk with a GPT",
        "name the files of its root partition, mounted or copied out",
    ),
    format(
        &[(4096, b"EFI PART")],
        "a disk with a GPT",
        "name the files of its root partition, mounted or copied out",
    ),
    format(&[(0, b"070701")], "a cpio archive", CPIO),
    format(&[(0, b"070702")], "a cpio archive", CPIO),
    format(&[(0, b"070707")], "a cpio archive", CPIO),
    format(&[(0, b"\xc7\x71")], "a cpio archive in the old binary format", CPIO),
    format(
        &[(0, b"!<arch>\ndebian-binary")],
        "a Debian package",
        "store it in a regular file, and name that",
    ),
    format(&[(0, b"!<arch>\n")], "an ar archive", UNZIP),
    format(
        &[(0, b"\xed\xab\xee\xdb")],
        "an RPM package",
        "convert it with `rpm2archive FILE`, and name the tar archive",
    ),
    format(&[(0, b"PK\x03\x04")], "a zip archive (Android packages and Java archives are zip too)", UNZIP),
    format(&[(0, b"7z\xbc\xaf\x27\x1c")], "a 7z archive", UNZIP),
    format(&[(0, b"Rar!\x1a\x07")], "a RAR archive", UNZIP),
    format(&[(0, b"xar!")], "a xar archive", UNZIP),
    format(
        &[(0, b"\x7fELF")],
        "an ELF program, library or kernel",
        "name the root directory that it belongs to, or put it into a tree with --add",
    ),
    format(
        &[(510, b"\x55\xaa")],
        "a disk with an MBR",
        "name the files of its root partition, mounted or copied out",
    ),
];

/// Returns the end of a sentence about a known format, recognized by the first [`PEEK`] bytes of a
/// file or all of it.
pub(super) fn identify(start: &[u8]) -> Option<String> {
    let has = |(at, magic): &(usize, &[u8])| start.get(*at..).is_some_and(|rest| rest.starts_with(magic));
    let format = FORMATS.iter().find(|format| format.magic.iter().all(has))?;
    Some(format!("{}: {}", format.name, format.hint))
}

/// Returns the way to get a source from a name that is not a path of the host, if it looks like one
/// of a registry or a URL.
pub(super) fn remote_hint(name: &OsStr) -> Option<String> {
    let text = name.to_str()?;
    if let Some((scheme, _)) = text.split_once("://") {
        let is_web = matches!(scheme, "http" | "https" | "ftp");
        return Some(if is_web {
            "rootcast reads no URLs: download it first, or pipe `curl -L URL` into rootcast, which reads it as -".to_owned()
        } else {
            registry_hint(text.split_once("://").map_or(text, |(_, name)| name))
        });
    }
    let (host, path) = text.split_once('/').unwrap_or(("", text));
    let last = path.rsplit('/').next().unwrap_or(path);
    let has_tag = last.split_once([':', '@']).is_some_and(|(name, tag)| !name.is_empty() && !tag.is_empty());
    let has_host = host.contains('.') && !host.starts_with('.') && !path.is_empty();
    let is_name = name.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-/:@".contains(byte));
    (is_name && !text.starts_with(['/', '.']) && (has_tag || has_host)).then(|| registry_hint(text))
}

fn registry_hint(name: &str) -> String {
    format!(
        "rootcast pulls no images from a registry: `skopeo copy docker://{name} oci:DIR:TAG` copies one to a directory, and \
         oci:DIR:TAG is a source"
    )
}

/// Returns a sentence about a tree that is a package or a container image instead of the contents
/// of one. It can be intended: a disk may carry an image.
#[must_use]
pub fn container_hint<C>(tree: &Tree<C>) -> Option<&'static str> {
    let root = InodeId::ROOT;
    let has = |name: &str| tree.lookup(root, name.as_bytes()).is_some();
    let any = |is: &dyn Fn(&[u8]) -> bool| {
        tree.entries(root).is_some_and(|entries| entries.iter().any(|(name, _)| is(name.as_bytes())))
    };
    if has("oci-layout") && has("index.json") {
        return Some(
            "this is an OCI image layout, and its layers stay packed: as the source oci:DIR, or oci-archive:FILE, they are the tree",
        );
    }
    let is_layer = |name: &[u8]| name == b"repositories" || name.ends_with(b".tar") || name.len() == 64;
    if has("manifest.json") && any(&is_layer) {
        return Some(
            "this is an image as `docker save` writes it, and its layers stay packed: as the source docker-archive:FILE they are \
             the tree",
        );
    }
    if has(".PKGINFO") && any(&|name| name.starts_with(b".SIGN.")) {
        return Some(
            "this is a package of Alpine, and its .PKGINFO and signature are files of the tree: `apk add --root DIR` installs \
             packages, or leave these files out with --exclude '/.*'",
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifies_formats_by_magic() {
        let at = |offset: usize, magic: &[u8]| [&vec![0; offset][..], magic, &[0; 600]].concat();
        for (start, name) in [
            (at(0, b"QFI\xfb"), "a qcow2"),
            (
                at(1080, b"\x53\xef"),
                "an ext2, ext3 or ext4 filesystem: mount it, or copy it out with `debugfs",
            ),
            (at(32769, b"CD001"), "an ISO 9660"),
            (at(65600, b"_BHRfS_M"), "a btrfs"),
            (at(0, b"!<arch>\ndebian-binary"), "a Debian package"),
            (at(0, b"!<arch>\nother"), "an ar archive"),
            (at(0, b"\x7fELF"), "an ELF"),
            (at(512, b"EFI PART"), "a disk with a GPT"),
            (at(510, b"\x55\xaa"), "a disk with an MBR"),
        ] {
            assert!(identify(&start).expect(name).starts_with(name), "{name}");
        }
        assert_eq!(identify(&[0; PEEK]), None);
        assert_eq!(identify(b"#!/bin/sh\n"), None);
        let end = |format: &Format| format.magic.iter().map(|(at, magic)| at + magic.len()).max();
        assert!(FORMATS.iter().all(|format| end(format) <= Some(PEEK)), "PEEK is too small");
    }

    #[test]
    fn identifies_urls_and_registry_references() {
        for name in ["alpine:latest", "docker.io/library/alpine", "ghcr.io/a/b@sha256:00", "docker://debian"]
        {
            assert!(remote_hint(OsStr::new(name)).expect(name).contains("skopeo"), "{name}");
        }
        assert!(remote_hint(OsStr::new("https://example.org/a.tar")).expect("a URL").contains("curl"));
        for name in ["/srv/a:b", "./alpine:latest", "rootfs", "rootfs/usr", "../a.b/c", "a b:c", ":x", "x:"] {
            assert_eq!(remote_hint(OsStr::new(name)), None, "{name}");
        }
    }
}
