//! Writes the pfn info block into a disk image:
//! `cargo run -p dax-header --example write_block -- disk.img`.
//!
//! The file must be a multiple of 2 MiB, with nothing of value at 4 KiB. Its contents as persistent
//! memory start at 2 MiB.
#![expect(clippy::disallowed_types, reason = "a program writes to a file")]

use std::env::args_os;
use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use dax_header::InfoBlock;

fn main() -> Result<(), Box<dyn Error>> {
    let path = args_os().nth(1).ok_or("the path of the image is missing")?;
    let file = File::options().write(true).open(&path)?;
    let block = InfoBlock::in_ram(2 << 20);
    block.check_device(file.metadata()?.len())?;
    file.write_all_at(&block.to_bytes(), InfoBlock::OFFSET)?;
    println!("{block:#?}");
    Ok(())
}
