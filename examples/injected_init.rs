//! Makes an initramfs of a tree whose first program is given: `injected_init rootfs initrd.img`.

use rootcast::{Build, Edit, InitrdRecipe, Watch};

const INIT: &[u8] = b"#!/bin/sh\nmount -t proc proc /proc\nexec /bin/sh\n";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, output] = &arguments[..] else { return Err("usage: injected_init SOURCE OUTPUT".into()) };

    let mut build = Build::new([source]).making(InitrdRecipe::default());
    build.tree.edits.push(Edit::write("/init", INIT, 0o755)?);
    build.tree.edits.push(Edit::parse("mkdir", "/proc:0555")?);
    let report = build.plan(&Watch::default())?.write_file(output)?;

    println!("{output}: {} bytes", report.size().unwrap_or_default());
    Ok(())
}
