//! Microcode before the archive, from the firmware of the tree and from files.

use std::fs;

use super::archives::{AMD, INTEL, check, good, initrd, microcode_files};
use crate::fixtures::{Fixture, Item, Kind};
use crate::judges;
use crate::product::{Scratch, rootcast, run};

/// Returns bytes as a program compresses them; `None` after a visible skip.
fn compressed(scratch: &Scratch, program: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let file = scratch.file("uncompressed", bytes);
    Some(good(judges::command(program)?.arg("-c").arg(file)).stdout)
}

/// Returns firmware below a directory: microcode, compressed and not, and files of other names.
fn firmware(below: &str, newer: &[u8], family: &[u8]) -> Vec<Item> {
    let file = |path: String, bytes: &[u8]| Item::new(path, Kind::File(bytes.to_vec()));
    let directories = ["", "intel-ucode", "amd-ucode"].map(|path| format!("{below}{path}"));
    let mut items: Vec<Item> =
        directories.iter().map(|path| Item::new(path.trim_end_matches('/'), Kind::Directory)).collect();
    let not = b"no microcode";
    let files: [(&str, &[u8]); 11] = [
        ("intel-ucode/06-03-02", INTEL),
        ("intel-ucode/06-03-02.xz", not),
        ("intel-ucode/06-03-03.xz", newer),
        ("intel-ucode/06-03-04.initramfs", not),
        ("intel-ucode/06-03", not),
        ("intel-ucode/LICENSE", not),
        ("amd-ucode/microcode_amd.bin", AMD),
        ("amd-ucode/microcode_amd.bin.asc", not),
        ("amd-ucode/microcode_amd_fam15h.bin.zst", family),
        ("amd-ucode/amd.bin", not),
        ("amd-ucode/README", not),
    ];
    items.extend(files.iter().map(|(name, bytes)| file(format!("{below}{name}"), bytes)));
    items
}

#[test]
fn microcode_precedes_files_of_every_source() {
    const NEWER: &[u8] = b"\x01\0\0\0of Intel, newer";
    const FAMILY: &[u8] = b"DMA\0of AMD, family";
    let scratch = Scratch::new();
    let (Some(newer), Some(family)) =
        (compressed(&scratch, "xz", NEWER), compressed(&scratch, "zstd", FAMILY))
    else {
        return;
    };
    let tree = scratch.join("tree");
    let mut items: Vec<Item> =
        ["", "etc", "usr", "usr/lib"].map(|path| Item::new(path, Kind::Directory)).into_iter().collect();
    items.push(Item::new("etc/kept", Kind::File(b"kept".to_vec())));
    items.extend(firmware("usr/lib/firmware/", &newer, &family));
    Fixture { items }.make(&tree);
    let host = scratch.join("firmware");
    Fixture { items: firmware("", &newer, &family) }.make(&host);

    let of = |name: &str, arguments: &[&str]| {
        let out = scratch.join(format!("{name}.img"));
        initrd(&tree, &out, &[&["--init", "none"], arguments].concat());
        let found = check(&out, &[]).success().unwrap_or_else(|why| panic!("{why}"));
        assert!(!found.text().contains("[microcode]"), "{found}");
        fs::read(out).unwrap()
    };
    let file = |name: &str, bytes: &[u8]| format!("--microcode={}", scratch.file(name, bytes).display());
    let [intel, amd] = microcode_files(&scratch);
    let (newer, family) = (file("newer", NEWER), file("family.zst", &family));
    let from_files = of("files", &[&intel, &newer, &amd, &family]);
    // The order of the vendors is that of the archive.
    assert!(from_files == of("swapped", &[&amd, &intel, &family, &newer]));
    assert!(from_files == of("tree", &["--microcode"]), "from the tree");
    let directory = format!("--microcode={}", host.display());
    assert!(from_files == of("directory", &[&directory]), "from a directory");
    assert!(from_files.starts_with(b"070701"));
    let start = &from_files[..2048];
    let at = |bytes: &[u8]| start.windows(bytes.len()).position(|window| window == bytes);
    assert!(at(AMD).is_some_and(|at| at % 16 == 0) && at(INTEL).is_some_and(|at| at % 16 == 0));
    // The whole tree has it, although nothing of it is kept.
    let kept = of("kept", &["--microcode", "--keep", "/etc/kept"]);
    assert!(kept == of("kept-files", &[&intel, &newer, &amd, &family, "--keep", "/etc/kept"]));
    assert!(kept.starts_with(b"070701") && kept.len() < from_files.len());

    let broken = run(rootcast()
        .args(["initrd", "--init", "none", "--digest"])
        .arg(&tree)
        .arg(file("broken.xz", b"\xfd7zXZ\0")));
    let said = "broken.xz: cannot be decompressed as xz: ";
    assert!(broken.code != Some(0) && broken.stderr.contains(said), "{broken}");
}
